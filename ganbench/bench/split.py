"""Whether a run can be split over ranks so that it is the run of one process up to the rounding of sums."""

from ganbench.bench.recipe import Recipe
from ganbench.bench.spec import RunSpec
from ganbench.errors import UsageError
from ganbench.nets._ranks import Ranks

# What a variant computes over its batch that is no mean over its rows, and that no network or optimiser does for it.
# These say so here and not by `Variant.splits`: their files are as they are in published records.
_NOT_SPLIT = {
    "dragan": "its noise is as wide as the standard deviation of the whole batch",
    "unrolled": "each of D's updates to come is down the gradient of the whole batch",
}


def check_ranks(spec: RunSpec, ranks: Ranks) -> None:
    """Raises UsageError where these processes cannot make the run."""
    if spec.ranks != ranks.world:
        raise UsageError(
            f"The run is of {spec.ranks} processes that share each batch, and here {_are(ranks.world)}. Start it with "
            f"torchrun --nproc-per-node {spec.ranks} -m ganbench train ..."
        )
    if ranks.alone:
        return
    recipe = Recipe.of(spec.variant)
    if recipe.variant in _NOT_SPLIT or not recipe.splits:
        why = _NOT_SPLIT.get(recipe.variant, "it says that its batch must stay whole")
        raise UsageError(
            f"{spec.variant} cannot be split over {ranks.world} processes: {why}. Run it in one, without torchrun."
        )
    if spec.batch_size % ranks.world:
        raise UsageError(
            f"A batch of {spec.batch_size} cannot be split evenly over {ranks.world} processes. Give a --batch-size "
            f"that {ranks.world} divides, such as {-(-spec.batch_size // ranks.world) * ranks.world}."
        )


def _are(count: int) -> str:
    return "is one" if count == 1 else f"are {count}"
