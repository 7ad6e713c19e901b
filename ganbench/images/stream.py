"""Decoding ahead in threads, in order, in bounded memory."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from threading import Event

from ganbench.errors import BadImage, UsageError
from ganbench.images.decode import decode
from ganbench.images.source import Image, ImageSource, Item

Job = tuple[int, Item]
Outcome = Image | Exception

_CHUNK_IMAGES = 64  # small images share a task: a task costs more than decoding one of them
_CHUNK_BYTES = 2**20  # decoded
_WINDOW_BYTES = 2**28  # decoded ahead, in all


def stream(
    source: ImageSource,
    indices: Sequence[int],
    *,
    workers: int | None = None,
    on_bad: Callable[[BadImage], None] | None = None,
) -> Iterator[Image]:
    """The decoded images at `indices`, in their order.

    What comes, and in which order, does not depend on `workers`. Decoded images that wait take about 256 MiB at
    most (two images where one alone is larger). Closing the iterator, or an interrupt, stops the threads.

    Args:
        source: where the images lie.
        indices: which, ascending.
        workers: decoding threads; by default one for each processor this process may use, at most 8.
        on_bad: called with each image that cannot be decoded, which is then passed over. None: it is raised.

    Raises:
        BadImage: an image cannot be decoded and `on_bad` is None.
        UsageError: `workers` is less than 1.
    """
    if workers is None:
        workers = min(8, _processors())
    if workers < 1:
        raise UsageError(f"{workers} decoding threads were asked for; give 1 or more.")
    return _ordered(source, indices, workers, on_bad)


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _ordered(
    source: ImageSource, indices: Sequence[int], workers: int, on_bad: Callable[[BadImage], None] | None
) -> Generator[Image, None, None]:
    stop = Event()
    feed = _Feed(source, indices)
    sizes = _Sizes(workers)
    window: deque[Future[tuple[list[Outcome], list[Job]]]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="ganbench-decode")
    try:
        while True:
            while len(window) < sizes.depth and (jobs := feed.take(sizes.chunk)):
                window.append(pool.submit(_decode_chunk, jobs, stop))
            if not window:
                break
            outcomes, rest = window.popleft().result()
            if rest:
                window.appendleft(pool.submit(_decode_chunk, rest, stop))
            sizes.learn(outcomes)
            outcomes.reverse()
            while outcomes:  # popped, so that what has been handed over is not held here
                outcome = outcomes.pop()
                if isinstance(outcome, Image):
                    yield outcome
                elif isinstance(outcome, BadImage) and on_bad:
                    on_bad(outcome)
                else:
                    raise outcome
        feed.finish()
    finally:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)
        feed.close()


def _decode_chunk(jobs: list[Job], stop: Event) -> tuple[list[Outcome], list[Job]]:
    """Decodes jobs until enough bytes have come together; also returns the jobs left over."""
    outcomes: list[Outcome] = []
    size = 0
    for position, (index, item) in enumerate(jobs):
        if size >= _CHUNK_BYTES or stop.is_set():
            return outcomes, jobs[position:]
        try:
            image = decode(item, index)
        except Exception as error:  # raised in the consumer's thread, when its turn comes
            outcomes.append(error)
        else:
            outcomes.append(image)
            size += image.pixels.nbytes
    return outcomes, []


class _Feed:
    """The items still to decode. An error of the source waits until all that came before it has been handed over."""

    def __init__(self, source: ImageSource, indices: Sequence[int]) -> None:
        self._items = source.items(indices)
        self._jobs = zip(indices, self._items, strict=True)
        self._failure: Exception | None = None

    def take(self, count: int) -> list[Job]:
        """The next jobs, at most `count`; none at the end."""
        jobs: list[Job] = []
        if self._failure is None:
            try:
                jobs.extend(islice(self._jobs, count))
            except Exception as error:  # raised by finish()
                self._failure = error
        return jobs

    def finish(self) -> None:
        """Raises the error that ended the source early, if one did."""
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Lets the source close what it has open."""
        if isinstance(self._items, Generator):
            self._items.close()


class _Sizes:
    """How many images make a task, and how many tasks run ahead, from the sizes seen last."""

    def __init__(self, workers: int) -> None:
        self._most = 2 * workers
        self.chunk = 1
        self.depth = 2

    def learn(self, outcomes: list[Outcome]) -> None:
        """Takes in the outcome of one task."""
        sizes = [outcome.pixels.nbytes for outcome in outcomes if isinstance(outcome, Image)]
        if sizes:
            mean = max(sum(sizes) // len(sizes), 1)
            self.chunk = max(1, min(_CHUNK_IMAGES, _CHUNK_BYTES // mean))
            self.depth = max(2, min(self._most, _WINDOW_BYTES // max(sum(sizes), mean * self.chunk)))
