"""Images are float RGB in [0, 1], NCHW, everywhere in dgn. Reading, writing, resizing and tiling happen here only.

Only `Features` knows the preprocessing of a network (mean, standard deviation, BGR, 0-255, size).
"""

import math
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo
from torch import Tensor
from torch.nn import functional as F

from dgn.base.errors import UserError
from dgn.base.files import whole

GAP = 2  # pixels between two images of a grid
CHANNELS = "channels"  # the note in a PNG whose image is shown as several
CAFFE_MEAN_BGR = (104.0, 117.0, 123.0)
SUFFIXES = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".dib", ".webp", ".tif", ".tiff", ".gif"}
FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF", "GIF")  # by content, not suffix; EPS would run a program
MOST_PIXELS = 89_478_485  # 256 MiB as RGB: PIL warns from here on and refuses twice as many


def sides(size: int | Sequence[int]) -> tuple[int, int]:
    """Height and width of images of a size in pixels: one number for a square, or [height, width]."""
    height, width = (size, size) if isinstance(size, int) else size
    return height, width


def px(size: int | Sequence[int]) -> str:
    """A size for people: "64 px", or "32x64 px", height by width."""
    return f"{size} px" if isinstance(size, int) else "x".join(map(str, size)) + " px"


class Unreadable(Exception):
    """The file is not a usable image; the message says why."""


def load(path: Path | str, least: int) -> Image.Image:
    """Read a file as 8-bit RGB: the first frame, upright by its EXIF tag, alpha laid on white, 16 bits brought to 8.

    JPEGs are decoded at the smallest multiple of 1/8 scale that leaves both sides `least` pixels (PIL's draft mode),
    which saves most of the time. Raises Unreadable; an image of more than MOST_PIXELS is refused before decoding.
    """
    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise Image.DecompressionBombError
            image.draft("RGB", (least, least))
            image.load()
            if "exif" in image.info:  # asking without need costs 7 % of the time at 64 px
                with suppress(Exception):  # an unreadable tag gives no orientation
                    ImageOps.exif_transpose(image, in_place=True)
            return _rgb(image)
    except Image.DecompressionBombError:
        raise Unreadable(f"it has more than {MOST_PIXELS / 1e6:.0f} million pixels") from None
    except UnidentifiedImageError:
        raise Unreadable("it is not an image") from None
    except Exception as error:  # PIL's decoders raise a dozen kinds of errors for broken bytes
        raise Unreadable(getattr(error, "strerror", None) or str(error) or type(error).__name__) from None


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):  # PIL's own conversion clips at 255, which leaves white
        return Image.fromarray(((np.asarray(image).astype(np.uint32) + 128) // 257).astype(np.uint8)).convert("RGB")
    if image.mode in {"I", "F"}:
        raise ValueError(f"its mode {image.mode} has no defined white")
    if image.has_transparency_data:  # drawings expect a white page: black lines on black would vanish
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")  # convert always copies


def load_centre(path: Path | str, size: int | Sequence[int]) -> np.ndarray:
    """Read a file as RGB uint8 (height, width, 3) of a size: the largest central part of that shape, resized.

    Raises Unreadable.
    """
    height, width = sides(size)
    rgb = load(path, max(height, width))
    scale = min(rgb.height / height, rgb.width / width)
    high, wide = (min(side, round(part * scale)) for side, part in ((rgb.height, height), (rgb.width, width)))
    left, top = (rgb.width - wide) // 2, (rgb.height - high) // 2
    box = (left, top, left + wide, top + high)
    if (high, wide) == (height, width):
        return np.asarray(rgb.crop(box))
    resample = Image.Resampling.BICUBIC if scale < 1 else Image.Resampling.BOX
    return np.asarray(rgb.resize((width, height), resample, box))


def read(path: Path | str, size: int | Sequence[int]) -> Tensor:
    """Read one file as (1, 3, height, width) of a size, in [0, 1]; UserError if it cannot be read."""
    try:
        return from_uint8(load_centre(path, size)[None])
    except Unreadable as error:
        raise UserError(f"cannot read the image {path} ({error}): choose another file") from None


def from_uint8(images: np.ndarray | Tensor) -> Tensor:
    """(N, H, W, C) uint8 to (N, C, H, W) float in [0, 1], channels last in memory."""
    values = np.asarray(images).astype(np.float32)  # NumPy, because torch's threads are slow on a busy machine
    values /= 255
    return torch.from_numpy(values).permute(0, 3, 1, 2)


def to_uint8(images: Tensor) -> Tensor:
    """(N, C, H, W) in [0, 1] to (N, H, W, C) uint8, rounded; values outside [0, 1] are clipped."""
    return images.detach().float().clamp(0, 1).mul(255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu()


def shown(image: Tensor) -> np.ndarray:
    """One image (C, H, W) as uint8 (H, W, 1 or 3); channels other than 1 or 3 in grey, side by side."""
    if image.shape[0] not in {1, 3}:
        image = grid(image[:, None], columns=len(image))
    return to_uint8(image[None])[0].numpy()


def save(path: Path | str, image: Tensor) -> None:
    """Write one image (C, H, W) as PNG, as `shown`, atomically. The file records C if it is not 1 or 3."""
    array, notes = shown(image), PngInfo()
    if image.shape[0] not in {1, 3}:
        notes.add_text(CHANNELS, str(image.shape[0]))
    with whole(path) as part:
        Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array).save(part, format="PNG", pnginfo=notes)


def saved(path: Path) -> Tensor:
    """One image (C, H, W) in [0, 1] from a file that `save` wrote."""
    with Image.open(path) as file:
        array, count = np.array(file), getattr(file, "text", {}).get(CHANNELS)
    image = from_uint8(torch.from_numpy(array if array.ndim == 3 else array[..., None])[None])[0]
    if count is None:
        return image
    width = (image.shape[2] + GAP) // int(count)  # of one channel and the gap behind it
    return torch.cat([image[:, :, i * width : (i + 1) * width - GAP] for i in range(int(count))])


def resize(images: Tensor, size: int | Sequence[int], interpolation: str = "bilinear") -> Tensor:
    """Resize (N, C, H, W) to `size` with antialiasing; images of that size are returned unchanged."""
    wanted = sides(size)
    if images.shape[-2:] == wanted:
        return images
    smooth = interpolation in {"bilinear", "bicubic"}
    kwargs = {"align_corners": False, "antialias": True} if smooth else {}
    return F.interpolate(images, wanted, mode=interpolation, **kwargs)


def channels(images: Tensor, count: int) -> Tensor:
    """Grey or RGB (N, 1 or 3, H, W) with `count` channels: the mean for one, r, g, b, r, … for more.

    UserError for images of other channels than these or `count`.
    """
    channels = images.shape[1]
    if channels == count:
        return images
    if channels not in {1, 3}:
        raise UserError(f"images of {channels} channels do not fit a network of {count}: use a generator that gives "
                        f"1, 3 or {count} channels")  # fmt: skip
    return images.mean(1, keepdim=True) if count == 1 else images[:, [i % channels for i in range(count)]]


@cache
def constant(values: tuple[float, ...], device: torch.device, dtype: torch.dtype) -> Tensor:
    """One number per channel, (1, C, 1, 1), copied to the device once: on a GPU every copy would be a sync."""
    with torch.inference_mode(False):  # the first caller may be in inference mode; a later one may need gradients
        return torch.tensor(values, device=device, dtype=dtype).view(1, -1, 1, 1)


def to_caffe(images: Tensor) -> Tensor:
    """RGB in [0, 1] to Caffe's input: BGR in 0-255 minus the mean."""
    return images.flip(1) * 255 - constant(CAFFE_MEAN_BGR, images.device, images.dtype)


def from_caffe(images: Tensor) -> Tensor:
    """The inverse of `to_caffe`, without clipping."""
    return (images + constant(CAFFE_MEAN_BGR, images.device, images.dtype)).flip(1) / 255


def crop_centre(images: Tensor, size: int | Sequence[int]) -> Tensor:
    """The central part of (N, C, H, W) of a size; offsets are floored, as in the released code (14 for 227 of 256)."""
    height, width = sides(size)
    top, left = (images.shape[-2] - height) // 2, (images.shape[-1] - width) // 2
    return images[..., top : top + height, left : left + width]


def grid(images: Tensor, columns: int | None = None, gap: int = GAP) -> Tensor:
    """Tile (N, C, H, W) row by row on white as one (C, H', W'); nearly square if `columns` is None."""
    from torchvision.utils import make_grid  # slow to import, and most runs tile nothing

    sheet = make_grid(images, nrow=columns or math.ceil(math.sqrt(len(images))), padding=gap, pad_value=1)
    border = gap if len(images) > 1 else 0  # make_grid adds an outer border and repeats a grey channel
    return sheet[: images.shape[1], border : sheet.shape[1] - border, border : sheet.shape[2] - border]
