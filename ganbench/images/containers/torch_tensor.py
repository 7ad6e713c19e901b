"""A .pt or .pth file with one tensor of images, mapped into memory."""

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ganbench.errors import BadInput
from ganbench.images.arrays import WANTED, Layout
from ganbench.images.containers._tensors import the_images
from ganbench.images.containers.zip_archive import directory
from ganbench.images.indexed import IndexedSource
from ganbench.images.source import Container, ImageSource, Pixels

if TYPE_CHECKING:
    from torch import Tensor


class TorchTensor(Container):
    """Images in a tensor, or in a dict with one tensor of images, saved by torch.save. Code in it is never run."""

    priority: ClassVar[int] = 10

    @classmethod
    def accepts(cls, path: Path) -> bool:
        """Whether the file is named .pt or .pth."""
        return path.suffix.lower() in (".pt", ".pth")

    @classmethod
    def open(cls, path: Path, *, value_range: tuple[float, float] | None) -> ImageSource:
        """Maps the tensor. Raises BadInput where it is damaged, carries code, or holds no images."""
        import torch

        images, where = _chosen(_loaded(path), path)
        _check(images, where, path)
        layout = Layout.of(tuple(images.shape), where)

        def read(index: int) -> Pixels:
            row = images[index].detach()
            row = row.float() if row.dtype == torch.bfloat16 else row
            return layout.pixels(row.numpy(), index, value_range)

        return IndexedSource(str(path), layout.n, read=read)


def _loaded(path: Path) -> object:
    import torch

    if not zipfile.is_zipfile(path):
        raise BadInput(f"{path} is no file of torch.save as of torch 1.6, or is cut off. Copy or save it again.")
    if any(info.filename.endswith("/constants.pkl") for info in directory(path)):
        raise BadInput(
            f"{path} is a TorchScript program; wanted one tensor of {WANTED}. "
            f"Save the images: torch.save(images, path)."
        )
    try:
        loaded: object = torch.load(path, weights_only=True, mmap=True, map_location="cpu")
    except OSError:
        raise
    except Exception as error:  # the restricted unpickler raises nearly anything on hostile bytes
        raise BadInput(
            f"{path} holds Python objects other than tensors, or is damaged. Code in it is never run. "
            f"Save the plain tensor: torch.save(images, path)."
        ) from error
    return loaded


def _chosen(loaded: object, path: Path) -> tuple["Tensor", str]:
    import torch

    if isinstance(loaded, torch.Tensor):
        return loaded, str(path)
    if not isinstance(loaded, dict):
        raise BadInput(f"{path} holds a {type(loaded).__name__}; wanted one tensor of {WANTED}.")
    tensors: dict[str, Any] = {str(key): value for key, value in loaded.items() if isinstance(value, torch.Tensor)}
    key = the_images({key: tuple(value.shape) for key, value in tensors.items()}, str(path))
    return tensors[key], f"{path}[{key}]"


def _check(images: "Tensor", where: str, path: Path) -> None:
    import torch

    wanted = (torch.uint8, torch.float16, torch.bfloat16, torch.float32, torch.float64)
    if images.dtype not in wanted or images.layout != torch.strided or images.device.type != "cpu":
        kind = str(images.dtype).removeprefix("torch.")
        raise BadInput(
            f"{where} holds {kind} ({images.layout}, {images.device}); wanted {WANTED}. Convert it, for instance "
            f"x.to(torch.uint8), or to floats and say their --value-range."
        )
    announced = images.numel() * images.element_size()
    if announced > path.stat().st_size:
        raise BadInput(
            f"{where} announces the shape {tuple(images.shape)}, {announced:,} bytes, in a file of "
            f"{path.stat().st_size:,}. Save it again as images.contiguous()."
        )
