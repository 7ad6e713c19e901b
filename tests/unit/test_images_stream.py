"""Order, skipping, bounded memory and a clean end of decoding in threads."""

import _thread
import signal
import threading
import time
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from ganbench.errors import BadImage, BadInput, UsageError
from ganbench.images import stream as module
from ganbench.images.indexed import IndexedSource
from ganbench.images.source import ImageSource, Item, Pixels, fingerprint_of
from ganbench.images.stream import stream

WORKERS = [1, 2, 4]


def picture(index: int, side: int = 4) -> Pixels:
    return np.full((side + index % 3, side, 3), index % 256, np.uint8)


def threads() -> int:
    return sum(thread.name.startswith("ganbench-decode") for thread in threading.enumerate())


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    assert threads() == 0
    yield
    assert threads() == 0


def source(n: int, bad: Sequence[int] = ()) -> IndexedSource:
    def read(index: int) -> Pixels | bytes:
        time.sleep(0.0001 * (index % 4))
        return b"" if index in bad else picture(index)

    return IndexedSource("set", n, read=read)


@pytest.mark.parametrize("workers", WORKERS)
def test_all_images_in_order(workers: int) -> None:
    images = list(stream(source(300), range(300), workers=workers))
    assert [image.index for image in images] == list(range(300))
    assert [image.name for image in images] == [f"set[{i}]" for i in range(300)]
    for index, image in enumerate(images):
        np.testing.assert_array_equal(image.pixels, picture(index).transpose(2, 0, 1))


@pytest.mark.parametrize("workers", WORKERS)
def test_chosen_indices_keep_their_numbers(workers: int) -> None:
    chosen = np.array([3, 4, 99, 250])
    assert [image.index for image in stream(source(300), chosen, workers=workers)] == [3, 4, 99, 250]  # type: ignore[arg-type]


def test_fingerprint_does_not_depend_on_workers_and_does_on_order() -> None:
    prints = {fingerprint_of(image.digest for image in stream(source(50), range(50), workers=w)) for w in WORKERS}
    assert prints == {source(50).fingerprint}
    swapped = IndexedSource("set", 50, read=lambda i: picture([1, 0][i] if i < 2 else i))
    assert swapped.fingerprint not in prints


@pytest.mark.parametrize("workers", WORKERS)
def test_a_bad_image_is_raised_after_those_before_it(workers: int) -> None:
    seen: list[int] = []
    with pytest.raises(BadImage, match=r"set\[150\] is no image"):
        seen.extend(image.index for image in stream(source(300, bad=[150, 151]), range(300), workers=workers))
    assert seen == list(range(150))


@pytest.mark.parametrize("workers", WORKERS)
def test_bad_images_are_handed_over_and_skipped(workers: int) -> None:
    bad: list[BadImage] = []
    images = stream(source(200, bad=[0, 77, 78, 199]), range(200), workers=workers, on_bad=bad.append)
    assert [image.index for image in images] == [i for i in range(200) if i not in (0, 77, 78, 199)]
    assert [str(error).split(" ")[0] for error in bad] == ["set[0]", "set[77]", "set[78]", "set[199]"]


@pytest.mark.parametrize("workers", WORKERS)
def test_other_errors_are_never_skipped(workers: int) -> None:
    def read(index: int) -> Pixels:
        if index == 20:
            raise BadInput("values out of range")
        return picture(index)

    bad: list[BadImage] = []
    seen: list[int] = []
    with pytest.raises(BadInput, match="values out of range"):
        seen.extend(
            image.index
            for image in stream(IndexedSource("set", 40, read=read), range(40), workers=workers, on_bad=bad.append)
        )
    assert seen == list(range(20))
    assert bad == []


class Failing(ImageSource):
    """Its items end in an error, as those of a damaged stream do."""

    name = "failing"
    closed = False

    def __len__(self) -> int:
        return 1000

    def items(self, indices: Sequence[int]) -> Iterator[Item]:
        try:
            for index in indices:
                if index == 130:
                    raise BadInput("the file ends early")
                yield Item(str(index), lambda: picture(0))
        finally:
            self.closed = True


@pytest.mark.parametrize("workers", WORKERS)
def test_an_error_of_the_source_comes_after_all_that_was_before_it(workers: int) -> None:
    seen: list[int] = []
    with pytest.raises(BadInput, match="the file ends early"):
        seen.extend(image.index for image in stream(Failing(), range(1000), workers=workers))
    assert seen == list(range(130))


@pytest.mark.parametrize("workers", WORKERS)
def test_closing_ends_the_threads_and_the_source(workers: int) -> None:
    failing = Failing()
    images = stream(failing, range(1000), workers=workers)
    assert next(images).index == 0
    images.close()  # type: ignore[attr-defined]
    assert failing.closed
    assert threads() == 0
    assert list(images) == []


def test_closing_does_not_wait_for_what_is_queued() -> None:
    read: list[int] = []

    def slow(index: int) -> Pixels:
        read.append(index)
        time.sleep(0.1)  # twenty of these are longer than a busy machine makes anyone wait
        return picture(index)

    images = stream(IndexedSource("set", 10_000, read=slow), range(10_000), workers=2)
    next(images)
    images.close()  # type: ignore[attr-defined]
    assert len(read) < 20


def test_an_interrupt_ends_the_threads() -> None:
    def read(index: int) -> Pixels:
        if index == 30:
            _thread.interrupt_main()
        time.sleep(0.001)
        return picture(index)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have started us with it ignored
    try:
        with pytest.raises(KeyboardInterrupt):
            for _ in stream(IndexedSource("set", 100_000, read=read), range(100_000), workers=2):
                pass
    finally:
        signal.signal(signal.SIGINT, before)
    assert threads() == 0


def test_an_iterator_that_is_dropped_ends_its_threads() -> None:
    images = stream(source(1000), range(1000), workers=2)
    next(images)
    assert threads() > 0
    del images
    assert threads() == 0


def test_nothing_starts_before_the_first_image_is_asked_for() -> None:
    stream(source(10), range(10), workers=2)
    assert threads() == 0


def test_no_images_are_no_images() -> None:
    assert list(stream(source(10), [], workers=2)) == []


@pytest.mark.parametrize("workers", [0, -1])
def test_workers_are_at_least_one(workers: int) -> None:
    with pytest.raises(UsageError, match=f"{workers} decoding threads were asked for; give 1 or more"):
        stream(source(10), range(10), workers=workers)


def test_what_is_decoded_ahead_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CHUNK_BYTES", 10_000)
    monkeypatch.setattr(module, "_WINDOW_BYTES", 100_000)
    read: list[int] = []

    def mixed(index: int) -> Pixels:  # tiny images first, so that tasks become long; then large ones
        read.append(index)
        return picture(index, side=4) if index < 500 else np.zeros((200, 200, 3), np.uint8)

    ahead = []
    for image in stream(IndexedSource("set", 600, read=mixed), range(600), workers=4):
        if image.index >= 500:
            time.sleep(0.001)
            ahead.append(len(read) - image.index)
    # 120 kB each: at most two tasks of one image run ahead once their size is known, more only at the change.
    assert max(ahead[:-1]) <= 9
    assert max(ahead[20:-1]) <= 3


def test_tiny_images_share_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    tasks: list[int] = []
    plain = module._decode_chunk

    def counted(jobs: list[module.Job], stop: threading.Event) -> tuple[list[module.Outcome], list[module.Job]]:
        tasks.append(len(jobs))
        return plain(jobs, stop)

    monkeypatch.setattr(module, "_decode_chunk", counted)
    assert len(list(stream(source(500), range(500), workers=2))) == 500
    assert sum(tasks) == 500
    assert len(tasks) < 50


def test_batches_end_where_the_size_changes() -> None:
    sizes = [4, 4, 4, 5, 5, 4]
    mixed = IndexedSource("set", 6, read=lambda i: np.full((sizes[i], 4), i, np.uint8))
    assert [tuple(batch.shape) for batch in mixed.batches(2)] == [
        (2, 3, 4, 4),
        (1, 3, 4, 4),
        (2, 3, 5, 4),
        (1, 3, 4, 4),
    ]
