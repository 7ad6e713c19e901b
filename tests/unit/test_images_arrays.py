"""Arrays: shapes, number types, ranges; and the four files they come in, honest and hostile."""

import io
import pickle
import struct
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file

from ganbench.errors import BadImage, BadInput, UsageError
from ganbench.images.arrays import Layout, images_of_batch, quantised
from ganbench.images.source import ImageSource, open_images

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (4, 6, 5, 3), dtype=np.uint8)
KINDS = ["npy", "npz", "pt", "pth", "safetensors"]


def stored(path: Path, array: NDArray[Any], **options: Any) -> Path:
    """Writes the array as the kind that the path's name says."""
    match path.suffix:
        case ".npy":
            np.save(path, array)
        case ".npz":
            np.savez(path, array)
        case ".pt" | ".pth":
            torch.save(torch.from_numpy(np.array(array)), path)
        case ".safetensors":
            save_file({"x": np.ascontiguousarray(array)}, path)
    return path


def pixels(source: ImageSource) -> NDArray[np.uint8]:
    return np.stack([image.pixels for image in source.images()])


@pytest.mark.parametrize("kind", KINDS)
def test_layouts(kind: str, tmp_path: Path) -> None:
    expected = RGB.transpose(0, 3, 1, 2)
    gray = np.repeat(RGB[..., 0][:, None], 3, axis=1)
    cases = {
        "nhwc": (RGB, expected),
        "nchw": (expected, expected),
        "nhw": (RGB[..., 0], gray),
        "nhw1": (RGB[..., :1], gray),
        "n1hw": (RGB[..., 0][:, None], gray),
    }
    for name, (array, wanted) in cases.items():
        source = open_images(stored(tmp_path / f"{name}.{kind}", array))
        assert len(source) == 4
        np.testing.assert_array_equal(pixels(source), wanted)
        assert source.name == str(tmp_path / f"{name}.{kind}")
        assert next(source.images()).name == f"{source.name}[0]"


@pytest.mark.parametrize("kind", KINDS)
def test_alpha_is_laid_over_white(kind: str, tmp_path: Path) -> None:
    array = np.array([[[[100, 100, 100, 51]]]], np.uint8)
    for name, axes in (("last", (0, 1, 2, 3)), ("first", (0, 3, 1, 2))):
        wide = np.broadcast_to(array, (2, 6, 5, 4)).transpose(axes)
        image = next(open_images(stored(tmp_path / f"{name}.{kind}", wide)).images())
        assert (image.pixels == 224).all()
        assert image.notes == ("RGBA laid over white",)


def test_where_both_axes_fit_the_last_is_the_channels() -> None:
    assert not Layout.of((7, 3, 9, 3), "x").channels_first
    assert Layout.of((7, 3, 9, 9), "x").channels_first
    assert not Layout.of((7, 1, 9, 4), "x").channels_first


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((32, 32, 3), r"has the shape \(32, 32, 3\), which looks like one single image.*numpy\.stack"),
        ((9,), r"has the shape \(9,\); wanted uint8 or float images as \(n, h, w, c\)"),
        ((100, 2048), r"has the shape \(100, 2048\); wanted"),
        ((2, 2, 2, 2), r"has the shape \(2, 2, 2, 2\); wanted"),
        ((2, 3, 4, 5, 6), r"has the shape \(2, 3, 4, 5, 6\); wanted"),
        ((0, 32, 32, 3), r"has the shape \(0, 32, 32, 3\): it holds no images\. Was it written whole\?"),
        ((2, 0, 32, 3), "has the shape .*: it holds no images"),
        ((1, 2**14, 2**13, 3), "holds images of 8192 x 16384 pixels; at most 67,108,864 pixels are read"),
        ((1, 3, 2**14, 2**13), "holds images of 8192 x 16384 pixels"),
    ],
)
def test_other_shapes_are_refused(shape: tuple[int, ...], words: str) -> None:
    with pytest.raises(BadInput, match=f"^x {words}"):
        Layout.of(shape, "x")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint16, np.bool_, np.complex64])
def test_other_numbers_are_refused(kind: str, dtype: type[np.generic], tmp_path: Path) -> None:
    path = stored(tmp_path / f"x.{kind}", np.ones((2, 4, 4, 3), dtype))
    with pytest.raises(BadInput, match=r"x\.\w+.* holds \w+.*wanted (uint8|U8).*[Cc]onvert"):
        open_images(path)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_in_the_unit_range(kind: str, dtype: type[np.floating], tmp_path: Path) -> None:
    array = (RGB / 255).astype(dtype)
    np.testing.assert_array_equal(pixels(open_images(stored(tmp_path / f"x.{kind}", array))), RGB.transpose(0, 3, 1, 2))


@pytest.mark.parametrize(
    ("value_range", "low", "high"), [((0.0, 1.0), 0, 1), ((-1.0, 1.0), -1, 1), ((0.0, 255.0), 0, 255)]
)
def test_value_ranges(value_range: tuple[float, float], low: float, high: float, tmp_path: Path) -> None:
    array = (low + RGB / 255 * (high - low)).astype(np.float32)
    source = open_images(stored(tmp_path / "x.npy", array), value_range=value_range)
    np.testing.assert_array_equal(pixels(source), RGB.transpose(0, 3, 1, 2))
    assert next(source.images()).notes == ()


def test_bfloat16_tensors(tmp_path: Path) -> None:
    tensor = torch.tensor([0.0, 0.5, 1.0]).to(torch.bfloat16).reshape(3, 1, 1, 1).expand(3, 1, 2, 2).contiguous()
    torch.save(tensor, tmp_path / "x.pt")
    assert pixels(open_images(tmp_path / "x.pt"))[:, 0, 0, 0].tolist() == [0, 128, 255]


def test_big_endian_floats(tmp_path: Path) -> None:
    array = (RGB / 255).astype(">f4")
    for name in ("x.npy", "x.npz"):
        np.testing.assert_array_equal(pixels(open_images(stored(tmp_path / name, array))), RGB.transpose(0, 3, 1, 2))


def test_the_quantiser_rounds_half_up() -> None:
    values = np.array([0, 0.5 / 255, 1.5 / 255, 2.5 / 255, 0.499 / 255, 1])
    np.testing.assert_array_equal(quantised(values, "x", None), [0, 1, 2, 3, 0, 255])
    np.testing.assert_array_equal(quantised(np.array([-1.0, 0.0, 1.0]), "x", (-1, 1)), [0, 128, 255])
    np.testing.assert_array_equal(quantised(np.array([0.49, 0.5, 254.5]), "x", (0, 255)), [0, 1, 255])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("least", "most", "cure"),
    [
        (-1.0, 1.0, r"If they mean black to white from -1 to 1, say --value-range -1,1\."),
        (0.0, 255.0, r"If they mean black to white from 0 to 255, say --value-range 0,255\."),
        (-3.5, 2.25, r"Scale them to 0\.\.1, or save uint8; --value-range takes 0,1 or -1,1 or 0,255\."),
        (0.0, 1.5, r"say --value-range 0,255\."),
    ],
)
def test_floats_out_of_range(kind: str, least: float, most: float, cure: str, tmp_path: Path) -> None:
    array = np.full((2, 4, 4, 3), 0.5, np.float32)
    array[1, 2, 2, 1], array[1, 0, 0, 0] = least, most
    source = open_images(stored(tmp_path / f"x.{kind}", array))
    with pytest.raises(
        BadInput, match=rf"\[1\] holds values from {least:g} to {most:g}; wanted 0 to 1\. .*{cure}"
    ) as e:
        list(source.images())
    assert not isinstance(e.value, BadImage)


def test_floats_out_of_the_range_that_was_said(tmp_path: Path) -> None:
    source = open_images(stored(tmp_path / "x.npy", RGB.astype(np.float32)), value_range=(-1, 1))
    with pytest.raises(BadInput, match=r"wanted -1 to 1\. If they mean black to white from 0 to 255"):
        list(source.images())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_refused(kind: str, value: float, tmp_path: Path) -> None:
    array = np.zeros((2, 4, 4, 3), np.float32)
    array[0, 1, 1, 1] = value
    source = open_images(stored(tmp_path / f"x.{kind}", array))
    with pytest.raises(BadInput, match=r"\[0\] holds NaN or infinite values"):
        list(source.images())


def test_unknown_value_ranges_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"The value range \(0, 2\) is not known; it can be 0,1 or -1,1 or 0,255"):
        open_images(stored(tmp_path / "x.npy", RGB), value_range=(0, 2))


def test_a_value_range_does_not_concern_uint8(tmp_path: Path) -> None:
    source = open_images(stored(tmp_path / "x.npy", RGB), value_range=(-1, 1))
    np.testing.assert_array_equal(pixels(source), RGB.transpose(0, 3, 1, 2))


@pytest.mark.parametrize("kind", KINDS)
def test_chosen_images_only(kind: str, tmp_path: Path) -> None:
    source = open_images(stored(tmp_path / f"x.{kind}", RGB))
    assert [(image.index, int(image.pixels[0, 0, 0])) for image in source.images([1, 3])] == [
        (1, RGB[1, 0, 0, 0]),
        (3, RGB[3, 0, 0, 0]),
    ]


# npy


def npy_bytes(descr: str, shape: str, body: bytes = b"", *, version: bytes = b"\1\0") -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY" + version + struct.pack("<H", len(header)) + header + body


def test_fortran_order_in_npy(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.asfortranarray(RGB))
    np.testing.assert_array_equal(pixels(open_images(tmp_path / "x.npy")), RGB.transpose(0, 3, 1, 2))


@pytest.mark.parametrize("kind", ["npy", "npz"])
def test_pickled_objects_are_never_read(kind: str, tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "exploded",)  # type: ignore[return-value]

    array = np.empty((1, 2, 2, 3), object)
    array[:] = Bomb()
    stored(tmp_path / f"x.{kind}", array)
    with pytest.raises(BadInput, match=rf"x\.{kind}.* holds pickled objects, which are never read") as error:
        open_images(tmp_path / f"x.{kind}")
    assert error.value.exit_code == 2
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("kind", ["npy", "npz"])
@pytest.mark.parametrize("shape", ["(1000000, 512, 512, 3)", "(4611686018427387904, 4, 4, 3)", "(-1, 4, 4, 3)", "(3,)"])
def test_a_header_that_lies_is_found_before_anything_is_allocated(kind: str, shape: str, tmp_path: Path) -> None:
    path = tmp_path / f"x.{kind}"
    lie = npy_bytes("'|u1'", shape, bytes(48))
    if kind == "npy":
        path.write_bytes(lie)
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("arr_0.npy", lie)
    tracemalloc.start()
    with pytest.raises(
        BadInput, match=r"x\.np\w.* announces the shape .* of uint8, .* bytes, but holds 48: it is cut off"
    ):
        open_images(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000


@pytest.mark.parametrize("kind", ["npy", "npz"])
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"garbage, no header",
        npy_bytes("'|u1'", "(1, 2, 2, 3)", version=b"\3\0"),
        npy_bytes("__import__('os')", "(1,)"),
        npy_bytes("'|u1'", "'(1,)'"),
        npy_bytes("'|u1'", "(" * 5000),
        b"\x93NUMPY\1\0\xff\xff{",
    ],
)
def test_what_is_no_npy_is_told(kind: str, data: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"x.{kind}"
    if kind == "npy":
        path.write_bytes(data)
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("arr_0.npy", data)
    with pytest.raises(BadInput, match=r"x\.np\w.* is no \.npy array, or is damaged .*Save it again with numpy\.save"):
        open_images(path)


def test_an_npy_that_is_cut_off(tmp_path: Path) -> None:
    path = stored(tmp_path / "x.npy", RGB)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BadInput, match=r"360 bytes, but holds 359: it is cut off or damaged"):
        open_images(path)


# npz


def test_arr_0_is_chosen_among_several(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", RGB, np.arange(4), mu=np.zeros(3), sigma=np.eye(3))
    assert len(open_images(tmp_path / "x.npz")) == 4


def test_the_only_array_is_taken_whatever_its_name(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "x.npz", samples=RGB)
    np.testing.assert_array_equal(pixels(open_images(tmp_path / "x.npz")), RGB.transpose(0, 3, 1, 2))


def test_several_arrays_without_arr_0(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=RGB, b=RGB)
    with pytest.raises(BadInput, match=r"holds the arrays a, b; wanted the images as arr_0, or as the only array"):
        open_images(tmp_path / "x.npz")


def test_statistics_are_no_images(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", mu=np.zeros(3), sigma=np.eye(3))
    with pytest.raises(BadInput, match=r"holds statistics \(mu, sigma\), no images.*--ref"):
        open_images(tmp_path / "x.npz")


def test_an_npz_without_arrays(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("a.txt", "b")
    with pytest.raises(BadInput, match=r"holds the arrays \(none\); wanted"):
        open_images(tmp_path / "x.npz")


def test_fortran_order_in_npz_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", np.asfortranarray(RGB))
    with pytest.raises(BadInput, match=r"is stored in Fortran order.*numpy\.ascontiguousarray"):
        open_images(tmp_path / "x.npz")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_npz_is_streamed_not_loaded(save: Any, tmp_path: Path) -> None:
    save(tmp_path / "x.npz", np.zeros((400, 64, 64, 3), np.uint8))  # 4.9 MB
    source = open_images(tmp_path / "x.npz")
    list(source.images([0]))
    tracemalloc.start()
    seen = sum(1 for _ in source.items(range(400)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seen == 400
    assert peak < 1_000_000


def test_sizes_that_the_packed_bytes_cannot_hold(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "x.npz", np.zeros((4, 8, 8, 3), np.uint8))
    data = bytearray((tmp_path / "x.npz").read_bytes())
    struct.pack_into("<I", data, data.rindex(b"PK\1\2") + 24, 2**31)
    (tmp_path / "x.npz").write_bytes(data)
    with pytest.raises(BadInput, match=r"x\.npz\[arr_0\] announces 2,147,483,648 bytes, which \d+ packed bytes"):
        open_images(tmp_path / "x.npz")


def test_an_npz_whose_entry_is_shorter_than_both_headers_say(tmp_path: Path) -> None:
    whole = io.BytesIO()
    np.save(whole, RGB)
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("arr_0.npy", whole.getvalue()[:-100])
    data = bytearray(path.read_bytes())
    for mark, at in ((b"PK\1\2", 24), (b"PK\3\4", 22)):
        struct.pack_into("<I", data, data.rindex(mark) + at, len(whole.getvalue()))
    path.write_bytes(data)
    source = open_images(path)
    with pytest.raises(BadInput, match=r"x\.npz (ends before the 4 images it announces|is damaged: Bad CRC-32)"):
        list(source.images())


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_flipped_byte_in_an_npz_is_found(save: Any, tmp_path: Path) -> None:
    save(tmp_path / "x.npz", RGB)
    data = bytearray((tmp_path / "x.npz").read_bytes())
    data[330] ^= 0xFF
    (tmp_path / "x.npz").write_bytes(data)
    with pytest.raises(BadInput, match=r"x\.npz\S* is (damaged: |no \.npy array, or is damaged \()(Error|Bad CRC)"):
        list(open_images(tmp_path / "x.npz").images())


def test_an_encrypted_npz(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", RGB)
    data = bytearray((tmp_path / "x.npz").read_bytes())
    data[data.rindex(b"PK\1\2") + 8] |= 1
    (tmp_path / "x.npz").write_bytes(data)
    with pytest.raises(BadInput, match=r"arr_0\] is encrypted or packed by an unusual method"):
        open_images(tmp_path / "x.npz")


def test_an_npz_that_is_no_zip(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(b"PK nothing")
    with pytest.raises(BadInput, match=r"x\.npz is no zip archive, or is cut off or damaged"):
        open_images(tmp_path / "x.npz")


# torch


@pytest.mark.parametrize("kind", ["pt", "safetensors"])
def test_a_dict_with_one_tensor_of_images(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"x.{kind}"
    tensors = {"samples": torch.from_numpy(RGB), "labels": torch.arange(4), "z": torch.zeros(4, 128)}
    if kind == "pt":
        torch.save({**tensors, "epoch": 7}, path)
    else:
        save_file({key: value.numpy() for key, value in tensors.items()}, path)
    np.testing.assert_array_equal(pixels(open_images(path)), RGB.transpose(0, 3, 1, 2))


@pytest.mark.parametrize("kind", ["pt", "safetensors"])
def test_a_dict_with_several(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"x.{kind}"
    tensors = {"a": torch.from_numpy(RGB), "b": torch.from_numpy(RGB.copy())}
    save = {"pt": torch.save, "safetensors": lambda t, p: save_file({k: v.numpy() for k, v in t.items()}, p)}[kind]
    save(tensors, path)
    with pytest.raises(BadInput, match=r"holds a \(4, 6, 5, 3\), b \(4, 6, 5, 3\); wanted one tensor .*'images'"):
        open_images(path)
    save({**tensors, "images": torch.from_numpy(RGB[:2].copy())}, path)
    assert len(open_images(path)) == 2


def test_code_in_a_pt_is_not_run(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[Path]]:
            return Path.touch, (tmp_path / "exploded",)

    torch.save({"images": torch.from_numpy(RGB), "config": Bomb()}, tmp_path / "x.pt")
    with pytest.raises(BadInput, match=r"x\.pt holds Python objects other than tensors.*Code in it is never run\."):
        open_images(tmp_path / "x.pt")
    assert not (tmp_path / "exploded").exists()


def test_a_torchscript_file_is_not_run(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.pt", "w") as archive:  # what torch.jit.save writes, in essence
        for name in ("data.pkl", "constants.pkl", "version", "code/__torch__.py"):
            archive.writestr(f"x/{name}", b"\x80\x02.")
    with pytest.raises(BadInput, match=r"x\.pt is a TorchScript program; wanted one tensor of uint8"):
        open_images(tmp_path / "x.pt")


@pytest.mark.parametrize("data", [b"", b"garbage", pickle.dumps([1, 2])])
def test_what_is_no_file_of_torch(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.pt").write_bytes(data)
    with pytest.raises(BadInput, match=r"x\.pt is no file of torch\.save as of torch 1\.6, or is cut off"):
        open_images(tmp_path / "x.pt")


def test_a_pt_with_no_tensor(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / "x.pt")
    with pytest.raises(BadInput, match=r"x\.pt holds a list; wanted one tensor of uint8"):
        open_images(tmp_path / "x.pt")
    torch.save({"epoch": 1}, tmp_path / "x.pt")
    with pytest.raises(BadInput, match=r"x\.pt holds nothing; wanted one tensor"):
        open_images(tmp_path / "x.pt")


def test_a_tensor_that_announces_more_than_its_file_holds(tmp_path: Path) -> None:
    torch.save(torch.zeros(1, 1, 1, 1, dtype=torch.uint8).expand(10**9, 3, 32, 32), tmp_path / "x.pt")
    with pytest.raises(
        BadInput, match=r"announces the shape .*, 3,072,000,000,000 bytes, in a file of .*contiguous\(\)"
    ):
        open_images(tmp_path / "x.pt")


@pytest.mark.filterwarnings("ignore:Validating sparse tensor")
def test_sparse_tensors_are_refused(tmp_path: Path) -> None:
    torch.save(torch.zeros(2, 3, 4, 4).to_sparse(), tmp_path / "x.pt")
    with pytest.raises(BadInput, match=r"x\.pt holds float32 \(torch\.sparse_coo, cpu\); wanted uint8"):
        open_images(tmp_path / "x.pt")


def test_tensors_with_gradients_and_strides(tmp_path: Path) -> None:
    tensor = torch.rand(3, 5, 6, 3, requires_grad=True).permute(0, 3, 1, 2)
    torch.save(tensor, tmp_path / "x.pt")
    expected = np.floor(tensor.detach().double().numpy() * 255 + 0.5)
    np.testing.assert_array_equal(pixels(open_images(tmp_path / "x.pt")), expected)


# safetensors


@pytest.mark.parametrize("data", [b"", b"garbage", struct.pack("<Q", 2**40) + b"{}", struct.pack("<Q", 2) + b"{}"])
def test_what_is_no_safetensors(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(data)
    with pytest.raises(BadInput, match=r"x\.safetensors (is no safetensors file, or is cut off|holds nothing; wanted)"):
        open_images(tmp_path / "x.safetensors")


def test_a_safetensors_header_that_lies(tmp_path: Path) -> None:
    header = b'{"x":{"dtype":"U8","shape":[1000000,512,512,3],"data_offsets":[0,48]}}'
    (tmp_path / "x.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(48))
    with pytest.raises(BadInput, match="is no safetensors file, or is cut off or damaged"):
        open_images(tmp_path / "x.safetensors")


def test_bfloat16_in_safetensors_is_refused_with_a_cure(tmp_path: Path) -> None:
    from safetensors.torch import save_file as save_torch

    save_torch({"x": torch.zeros(2, 3, 4, 4, dtype=torch.bfloat16)}, tmp_path / "x.safetensors")
    with pytest.raises(BadInput, match=r"\[x\] holds BF16; wanted U8, F16, F32 or F64\. Convert it"):
        open_images(tmp_path / "x.safetensors")


# batches of a training loop


def test_images_of_a_batch() -> None:
    batch = RGB.transpose(0, 3, 1, 2)
    images = images_of_batch(batch, start=10, value_range=None)
    assert [image.index for image in images] == [10, 11, 12, 13]
    assert images[0].name == "images[10]"
    np.testing.assert_array_equal(np.stack([image.pixels for image in images]), batch)
    again = images_of_batch((batch / 127.5 - 1).astype(np.float32), start=10, value_range=(-1, 1))
    assert [image.digest for image in again] == [image.digest for image in images]


def test_a_batch_keeps_channels_first_even_where_the_width_is_three() -> None:
    batch = RNG.integers(0, 256, (2, 3, 5, 3), dtype=np.uint8)
    images = images_of_batch(batch, start=0, value_range=None)
    np.testing.assert_array_equal(np.stack([image.pixels for image in images]), batch)


def test_a_batch_of_other_numbers_is_refused() -> None:
    with pytest.raises(BadInput, match="The batch holds int64; wanted uint8"):
        images_of_batch(np.zeros((1, 3, 2, 2), np.int64), start=0, value_range=None)
    with pytest.raises(BadInput, match=r"The batch\[0\] holds values from -1 to -1; wanted 0 to 1"):
        images_of_batch(np.full((1, 3, 2, 2), -1.0), start=0, value_range=None)
