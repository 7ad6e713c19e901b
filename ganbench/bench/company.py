"""Which variants may stand on one board: what one uses and the others may not is never ranked with them."""

from ganbench.bench.recipe import Recipe
from ganbench.errors import UsageError
from ganbench.track import TrackFolder


def check_company(place: TrackFolder) -> None:
    """Raises UsageError where the rows of a track could not be compared.

    Labels, augmentation of what D sees, and, in a controlled track, networks of one's own are for all or for none.
    """
    recipes = [Recipe.of(name) for name in place.track.variants]
    of_labels = {recipe.name: _labels(recipe, place) for recipe in recipes}
    _alike(place, of_labels, "learn from labels")
    _alike(place, {r.name: any(t.augments for t in r.techniques.values()) for r in recipes}, "augment what D sees")
    own = [recipe.name for recipe in recipes if recipe.kind.own_networks]
    if place.track.kind == "controlled" and own:
        raise UsageError(
            f"{place.name} is controlled: all its variants have the backbone's networks, and {', '.join(own)} "
            'bring their own. Take them out, or say kind = "native".'
        )


def _labels(recipe: Recipe, place: TrackFolder) -> bool:
    config, _ = recipe.read(recipe.settings(place.track.settings.get(recipe.name, {})))
    return recipe.kind.known(config) != "none"


def _alike(place: TrackFolder, found: dict[str, bool], what: str) -> None:
    if len(set(found.values())) > 1:
        some = ", ".join(name for name, is_so in found.items() if is_so)
        raise UsageError(
            f"{place.name} would rank variants that {what} with others that do not: {some} do. Make two tracks of it."
        )
