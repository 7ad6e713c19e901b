"""Folders of one's own: `A/` and `B/`, and images with captions; what is held out, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganbench.errors import BadInput
from ganbench.images.captions import Captioned, open_captioned
from ganbench.images.datasets.edges2fashion import edges
from ganbench.images.pairs import Pairs, is_pairs, open_pairs, shared_out
from ganbench.images.source import ImageSource


def images(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True)
    for number, name in enumerate(names):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(folder / name)


def names_of(source: ImageSource) -> list[str]:
    return [item.name for item in source.items(range(len(source)))]


def numbered(n: int, suffix: str = "png") -> list[str]:
    return [f"{i:02}.{suffix}" for i in range(n)]


def both(path: Path, a: list[str], b: list[str]) -> tuple[Pairs, Pairs]:
    images(path / "A", a)
    images(path / "B", b)
    return open_pairs(path)


def test_equal_names_make_pairs(tmp_path: Path) -> None:
    for part in both(tmp_path, numbered(30), numbered(30, "jpg")):
        assert part.unpaired is None
        assert [name[:2] for name in names_of(part.sources)] == [name[:2] for name in names_of(part.targets)]


def test_a_tenth_is_held_out(tmp_path: Path) -> None:
    learnt, held_out = both(tmp_path, numbered(30), numbered(30))
    assert len(held_out.sources) == len(held_out.targets) == 3
    assert sorted(names_of(learnt.sources) + names_of(held_out.sources)) == numbered(30)
    again, _ = open_pairs(tmp_path)
    assert names_of(again.sources) == names_of(learnt.sources)
    assert is_pairs(tmp_path)
    assert not is_pairs(tmp_path / "A")


def test_other_names_make_none_and_say_which(tmp_path: Path) -> None:
    learnt, held_out = both(tmp_path, numbered(12), [f"x{i}.png" for i in range(25)])
    assert (len(learnt.sources), len(held_out.sources)) == (11, 1)
    assert (len(learnt.targets), len(held_out.targets)) == (23, 2)
    assert learnt.unpaired is not None
    assert "B has no image '00', which" in learnt.unpaired
    assert "(12 such names)" in learnt.unpaired


def test_one_name_twice_makes_no_pair(tmp_path: Path) -> None:
    learnt, _ = both(tmp_path, ["a.png", "a.jpg", "b.png"], ["a.png", "b.png"])
    assert learnt.unpaired is not None
    assert "two images named 'a'" in learnt.unpaired


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    images(tmp_path / "A", numbered(3))
    with pytest.raises(BadInput, match=r"has no folder B/\. Put the images"):
        open_pairs(tmp_path)


@pytest.mark.parametrize(("n", "held"), [(2, 1), (9, 1), (10, 1), (200, 20)])
def test_how_many_are_held_out(n: int, held: int) -> None:
    learnt, held_out = shared_out(n, "x")
    assert len(held_out) == held
    assert sorted([*learnt, *held_out]) == list(range(n))
    assert (np.diff(learnt) > 0).all()


def test_one_image_is_not_enough() -> None:
    with pytest.raises(BadInput, match="x holds 1 image"):
        shared_out(1, "x")


def captioned(path: Path, text: str, n: int = 12) -> tuple[Captioned, Captioned]:
    images(path, numbered(n))
    (path / "captions.csv").write_text(text, encoding="utf-8")
    return open_captioned(path)


def lines(n: int) -> str:
    return "name,caption\n" + "".join(f'{i:02}.png,"thing {i}, red"\n' for i in range(n))


def test_each_image_has_its_caption(tmp_path: Path) -> None:
    for part in captioned(tmp_path / "x", lines(14)):
        wanted = [f"thing {int(name[:2])}, red" for name in names_of(part.images)]
        assert part.captions == wanted


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,text\n", "begins with 'file,text'; wanted name,caption"),
        (lines(11), r"does not name '11\.png' \(1 such images"),
        (lines(12) + "00.png,other\n", r"gives '00\.png' two captions"),
        (lines(12) + "00.png\n", "holds the line '00.png'; wanted a name and a caption"),
        (lines(12) + "99.png, \n", "wanted a name and a caption"),
    ],
)
def test_captions_that_do_not_fit(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        captioned(tmp_path / "x", text)


def test_captions_that_are_not_there(tmp_path: Path) -> None:
    images(tmp_path / "x", numbered(4))
    with pytest.raises(BadInput, match=r"captions\.csv cannot be read .* the line name,caption"):
        open_captioned(tmp_path / "x")


def test_sobel_edges_by_hand() -> None:
    flat = np.full((6, 6), 77, dtype=np.uint8)
    assert not edges(flat).any()
    step = np.zeros((6, 6), dtype=np.uint8)
    step[:, 3:] = 128  # a step of s has a gradient of s / 2 on both of its sides
    assert (edges(step)[:, 2:4] == 255).all()
    assert not edges(step)[:, [0, 1, 4, 5]].any()
    assert not edges((step // 128 * 127).astype(np.uint8)).any(), "63.5 per pixel is under 64"
    assert np.array_equal(edges(step.T), edges(step).T)
