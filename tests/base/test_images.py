"""The one convention for images."""

import io
import struct
import zlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dgn.base import images
from dgn.base.errors import UserError


def test_uint8_and_back():
    x = torch.randint(0, 256, (2, 5, 4, 3), dtype=torch.uint8)
    assert torch.equal(images.to_uint8(images.from_uint8(x)), x)


def test_caffe_and_back():
    x = torch.rand(2, 3, 4, 4, dtype=torch.float64)
    blue = images.to_caffe(torch.tensor([0.0, 0.0, 1.0]).view(1, 3, 1, 1)).flatten()
    assert blue.tolist() == [255 - 104, -117, -123]
    torch.testing.assert_close(images.from_caffe(images.to_caffe(x)), x)


@given(st.integers(1, 12), st.integers(12, 30))
def test_the_crop_is_central_and_its_offset_floored(size, side):
    x = torch.arange(side * side).view(1, 1, side, side)
    crop = images.crop_centre(x, size)
    offset = (side - size) // 2
    assert crop.shape[-2:] == (size, size) and crop[0, 0, 0, 0] == offset * side + offset


def test_resize_leaves_the_same_size_alone_and_averages_when_shrinking():
    x = torch.rand(1, 3, 8, 8)
    assert images.resize(x, 8) is x
    torch.testing.assert_close(images.resize(x, 4).mean(), x.mean(), atol=0.02, rtol=0)


@pytest.mark.parametrize("columns", [None, 1, 3])
def test_a_grid_shows_every_image(columns):
    x = torch.stack([torch.full((3, 4, 4), i / 10) for i in range(5)])
    sheet = images.grid(x, columns)
    assert all((sheet == value).any() for value in x[:, 0, 0, 0])
    wide = columns or 3
    high = -(-5 // wide)
    assert sheet.shape == (3, high * 6 - 2, min(wide, 5) * 6 - 2)


@pytest.mark.parametrize(("count", "channels"), [(1, 3), (1, 1), (4, 1), (2, 2)])
def test_a_grid_keeps_the_channels_and_has_no_border(count, channels):
    sheet = images.grid(torch.zeros(count, channels, 4, 5), columns=count)
    assert sheet.shape == (channels, 4, count * 7 - 2)
    assert not sheet[:, :, :5].any() and (count == 1 or (sheet[:, :, 5:7] == 1).all())


def test_a_file_is_read_as_its_central_square(tmp_path):
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = 255
    Image.fromarray(wide).save(tmp_path / "x.png")
    assert images.load_centre(tmp_path / "x.png", 10).min() == 255
    with pytest.raises(UserError, match="cannot read the image"):
        images.read(tmp_path / "none.png", 10)


RED = (200, 30, 60)


def png(width, height):
    """A PNG of this size with no pixels worth mentioning."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def encoded(image, kind, **more):
    file = io.BytesIO()
    image.save(file, kind, **more)
    return file.getvalue()


def plain(colour=RED, mode="RGB", size=(20, 12)):
    return Image.new("RGB", size, colour).convert(mode)


def sixteen(dtype):
    return Image.fromarray(np.full((12, 20), 0x8000, np.uint16).astype(dtype))


def no_adobe_marker(jpeg):
    at = jpeg.index(b"\xff\xee")
    return jpeg[:at] + jpeg[at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big") :]


def frames():
    return {"save_all": True, "append_images": [plain("blue")]}


def strip():
    image = Image.new("RGB", (1, 30_001), "blue")
    image.paste(RED, (0, 14_900, 1, 15_100))
    return image


ODD = {  # what is in the file, and what is to be seen
    "jpeg": (lambda: encoded(plain(), "JPEG"), RED),
    "progressive": (lambda: encoded(plain(), "JPEG", progressive=True), RED),
    "cmyk": (lambda: encoded(plain(mode="CMYK"), "JPEG"), RED),
    "cmyk without Adobe's marker": (lambda: no_adobe_marker(encoded(plain(mode="CMYK"), "JPEG")), RED),
    "grey": (lambda: encoded(plain((90, 90, 90), "L"), "JPEG"), (90, 90, 90)),
    "several pictures": (lambda: encoded(plain(), "MPO", **frames()), RED),
    "one bit": (lambda: encoded(plain("white", "1"), "PNG"), (255, 255, 255)),
    "palette": (lambda: encoded(plain().quantize(4), "PNG"), RED),
    "palette with alpha": (lambda: encoded(plain().quantize(4), "PNG", transparency=bytes(4)), (255, 255, 255)),
    "half seen through": (lambda: encoded(Image.new("RGBA", (9, 9), (*RED, 128)), "PNG"), (227, 142, 157)),
    "grey seen through": (lambda: encoded(Image.new("LA", (9, 9), (0, 51)), "PNG"), (204, 204, 204)),
    "16-bit png": (lambda: encoded(sixteen("<u2"), "PNG"), (128, 128, 128)),
    "16-bit tiff": (lambda: encoded(sixteen("<u2"), "TIFF"), (128, 128, 128)),
    "16-bit tiff, big end first": (lambda: encoded(sixteen(">u2"), "TIFF"), (128, 128, 128)),
    "animated gif": (lambda: encoded(plain(), "GIF", **frames()), RED),
    "animated webp": (lambda: encoded(plain(), "WEBP", lossless=True, **frames()), RED),
    "animated png": (lambda: encoded(plain(), "PNG", **frames()), RED),
    "one pixel": (lambda: encoded(plain(size=(1, 1)), "PNG"), RED),
    "a strip": (lambda: encoded(strip(), "PNG"), RED),
}
NOT_IMAGES = {
    "truncated jpeg": (lambda: encoded(plain(size=(99, 99)), "JPEG")[:-20], "truncated"),
    "truncated png": (lambda: encoded(plain(size=(99, 99)), "PNG")[:-30], "truncated"),
    "nothing": (lambda: b"", "not an image"),
    "text": (lambda: b"<html>404 Not Found</html>", "not an image"),
    "a program for a printer": (lambda: encoded(plain(), "EPS"), "not an image"),
    "no known white": (lambda: encoded(Image.new("F", (9, 9), 0.5), "TIFF"), "mode F"),
    "a bomb": (lambda: png(20_000, 20_000), "more than 89 million pixels"),
    "a small bomb": (lambda: png(9_460, 9_460), "more than 89 million pixels"),  # PIL would only warn
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("size", [4, 40])
def test_an_odd_image_is_read_as_it_is_meant(name, size, tmp_path):
    write, colour = ODD[name]
    (tmp_path / "x.jpg").write_bytes(write())  # by its content, whatever it is called
    found = images.load_centre(tmp_path / "x.jpg", size)
    assert found.shape == (size, size, 3) and found.dtype == np.uint8
    np.testing.assert_allclose(found.reshape(-1, 3), np.broadcast_to(colour, (size * size, 3)), atol=3)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("name", NOT_IMAGES)
def test_what_is_no_usable_image_is_unreadable(name, tmp_path):
    write, reason = NOT_IMAGES[name]
    (tmp_path / "x.png").write_bytes(write())
    with pytest.raises(images.Unreadable, match=reason):
        images.load_centre(tmp_path / "x.png", 8)
    with pytest.raises(UserError, match="cannot read the image"):
        images.read(tmp_path / "x.png", 8)


def test_sixteen_bits_are_rounded_to_eight(tmp_path):
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    Image.fromarray(values).save(tmp_path / "x.png")
    np.testing.assert_array_equal(images.load_centre(tmp_path / "x.png", 256)[..., 0], np.round(values / 257))


def held(image, orientation):
    """EXIF that says how the camera was held, and the image as it is stored then."""
    exif = Image.Exif()
    exif[0x112] = orientation
    turns = {1: None, 3: "ROTATE_180", 5: "TRANSPOSE", 6: "ROTATE_90", 8: "ROTATE_270"}  # what undoes it
    turn = turns[orientation]
    return {"exif": exif}, image.transpose(Image.Transpose[turn]) if turn else image


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", [1, 3, 5, 6, 8])
def test_an_image_held_sideways_is_upright(kind, orientation, tmp_path):
    upright = plain("blue", size=(48, 32))
    upright.paste(RED, (0, 0, 24, 16))
    more, stored = held(upright, orientation)
    stored.save(tmp_path / "x", kind, quality=95, **more)
    found = images.load(tmp_path / "x", 16)
    assert found.size in {(48, 32), (24, 16)}  # a JPEG at half its scale
    corners = [found.getpixel((x, y)) for x in (4, found.width - 5) for y in (4, found.height - 5)]
    np.testing.assert_allclose(corners, [RED, (0, 0, 255), (0, 0, 255), (0, 0, 255)], atol=12)


def test_exif_that_cannot_be_read_is_passed_over(tmp_path):
    plain().save(tmp_path / "x.jpg", exif=b"Exif\0\0neither end first")
    assert images.load(tmp_path / "x.jpg", 8).size == (20, 12)


SOUND = [encoded(plain(size=(30, 20)), kind) for kind in ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP")]


@pytest.mark.filterwarnings("ignore")
@settings(deadline=None)  # what claims to be large takes its time to be found out
@given(st.sampled_from(SOUND), st.data())
def test_no_bytes_give_anything_but_an_image_or_unreadable(sound, data):
    broken = bytearray(sound[: data.draw(st.integers(0, len(sound)))])
    for _ in range(data.draw(st.integers(0, 5)) if broken else 0):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert images.load_centre(io.BytesIO(broken), 8).shape == (8, 8, 3)
    except images.Unreadable as error:
        assert str(error)


def test_save_and_read(tmp_path):
    x = torch.rand(3, 6, 6)
    images.save(tmp_path / "x.png", x)
    torch.testing.assert_close(images.read(tmp_path / "x.png", 6)[0], x, atol=0.003, rtol=0)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_an_image_of_any_number_of_channels_comes_back_from_its_file(tmp_path, count):
    image = torch.randint(0, 256, (count, 6, 8), generator=torch.Generator().manual_seed(0)) / 255
    images.save(tmp_path / "x.png", image)
    torch.testing.assert_close(images.saved(tmp_path / "x.png"), image)
