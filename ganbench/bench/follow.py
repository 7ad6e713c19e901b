"""The part of a rank that is not the first: it steps when it is told to, and writes, scores and decides nothing."""

from ganbench.bench.build import Built, build
from ganbench.bench.folder import RunFolder
from ganbench.bench.group import digests, number_from_first, of_all, text_from_first
from ganbench.bench.jobs import Job
from ganbench.bench.lead import Word, digest
from ganbench.bench.train import threads
from ganbench.bench.trainer import logged_every
from ganbench.nets._ranks import Ranks
from ganbench.progress import unheard


def follow(ranks: Ranks) -> None:
    """Does what the first rank says until it says that it is the end; see `lead`."""
    if number_from_first() == Word.END:  # there was nothing to train
        return
    job = Job.read(text_from_first())
    with threads(job.spec.threads):
        built = build(job.spec, offline=job.offline, ranks=ranks)
        found = RunFolder(job.folder).checkpoints.newest(unheard)
        if found is not None:
            built.restore(found)
        _obey(built, found["state"]["step"] if found else 0)


def _obey(built: Built, step: int) -> None:
    ranks, every = built.variant.problem.ranks, logged_every(built)
    while (word := number_from_first()) != Word.END:
        if word == Word.COMPARE:
            digests(digest(built.variant), ranks)
            continue
        assert word == Word.STEP, f"{word} is no order"
        losses = built.variant.step(built.stream)
        step += 1
        built.ema.update(step)
        if step % every == 0:
            of_all(losses, ranks)
