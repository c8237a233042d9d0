"""Every way of storing pixels gives the picture that a person sees, and every broken file a sentence."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from striate.data.decode import decode_image, is_grey, open_image
from striate.errors import ArgumentError, ImageError

RED_AND_BLUE = np.zeros((4, 6, 3), np.uint8)
RED_AND_BLUE[:, :3, 0] = 255
RED_AND_BLUE[:, 3:, 2] = 255


def saved(image: Image.Image, format_: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format_, **options)
    return file.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG of any size whose pixels are missing: cheap to write, dear to decode."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


def test_colour_comes_through_unchanged() -> None:
    pixels = decode_image(saved(Image.fromarray(RED_AND_BLUE)), 3)
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, RED_AND_BLUE)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_is_undone(orientation: int) -> None:
    undo = {  # how the stored picture must be turned to be upright, from the EXIF standard
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a),
    }
    stored = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = decode_image(saved(Image.fromarray(stored), exif=exif), 3)
    np.testing.assert_array_equal(pixels, undo[orientation](stored))


def test_a_palette_is_looked_up() -> None:
    pixels = decode_image(saved(Image.fromarray(RED_AND_BLUE).quantize(2)), 3)
    np.testing.assert_array_equal(pixels, RED_AND_BLUE)


def test_a_transparent_palette_colour_becomes_white() -> None:
    image = Image.fromarray(RED_AND_BLUE).quantize(2)
    red = image.getpixel((0, 0))
    pixels = decode_image(saved(image, transparency=red), 3)
    assert (pixels[:, :3] == 255).all()
    np.testing.assert_array_equal(pixels[:, 3:], RED_AND_BLUE[:, 3:])


def test_sixteen_bits_become_eight_by_value() -> None:
    stored = np.array([[0, 257, 128 * 257], [255 * 257, 1000, 65535]], np.uint16)
    pixels = decode_image(saved(Image.fromarray(stored)), 1)
    np.testing.assert_array_equal(pixels[..., 0], [[0, 1, 128], [255, 4, 255]])


def test_cmyk_becomes_rgb() -> None:
    cmyk = Image.fromarray(RED_AND_BLUE).convert("CMYK")
    pixels = decode_image(saved(cmyk, "TIFF"), 3)
    np.testing.assert_array_equal(pixels, RED_AND_BLUE)
    jpeg = decode_image(saved(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95), 3)
    assert np.abs(jpeg.astype(int) - [255, 0, 0]).max() < 12  # red survives the inverted inks of a JPEG


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_is_transparent_is_laid_over_white(mode: str) -> None:
    black = (0,) * (len(mode) - 1)
    image = Image.new(mode, (4, 4), (*black, 255))
    image.putpixel((1, 0), (*black, 0))
    image.putpixel((2, 0), (*black, 128))
    grey = decode_image(saved(image), 1)[0, :, 0]
    assert grey.tolist() == [0, 255, 127, 0]


def test_grey_and_colour_are_exchanged_as_asked() -> None:
    grey = saved(Image.fromarray(RED_AND_BLUE[..., 0]))
    np.testing.assert_array_equal(decode_image(grey, 3), np.repeat(RED_AND_BLUE[..., :1], 3, axis=2))
    luma = decode_image(saved(Image.fromarray(RED_AND_BLUE)), 1)
    assert luma.shape == (4, 6, 1)
    assert luma[0, 0, 0] == 76 and luma[0, 5, 0] == 29  # 0.299 and 0.114 of 255 (ITU-R BT.601)
    assert (decode_image(saved(Image.fromarray(RED_AND_BLUE[..., 0] > 0)), 1)[:, :3] == 255).all()


def test_grey_is_recognised_by_mode_and_palette() -> None:
    colour = Image.fromarray(RED_AND_BLUE)
    for image, grey in [
        (colour, False),
        (colour.quantize(2), False),
        (colour.convert("L"), True),
        (colour.convert("L").quantize(4), True),
        (Image.fromarray(RED_AND_BLUE[..., 0].astype(np.uint16)), True),
    ]:
        assert is_grey(open_image(saved(image))) is grey


def test_a_large_jpeg_is_decoded_small_but_not_too_small() -> None:
    ramp = np.tile(np.linspace(0, 255, 1600).astype(np.uint8), (1200, 1))
    pixels = decode_image(saved(Image.fromarray(ramp), "JPEG"), 1, at_least=(300, 300))
    assert pixels.shape == (300, 400, 1)
    assert np.abs(pixels[:, :, 0].astype(int) - ramp[::4, ::4]).max() < 6


def test_a_picture_too_large_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    path.write_bytes(png_header(30_000, 30_000))
    with pytest.raises(
        ImageError, match=r"huge\.png has 900,000,000 pixels, the limit is 80,000,000 pixels an image: scale"
    ):
        decode_image(path, 3)
    path.write_bytes(png_header(10_000, 8_001))
    with pytest.raises(ImageError, match=r"huge\.png has 10,000 x 8,001 pixels, the limit is 80,000,000"):
        decode_image(path, 3)


def test_one_pixel_is_refused() -> None:
    with pytest.raises(
        ImageError, match=r"dot\.png has 1 x 1 pixels, an image needs at least 2 on each side"
    ):
        decode_image(saved(Image.new("RGB", (1, 1))), 3, name="dot.png")


def test_a_truncated_jpeg_is_named(tmp_path: Path) -> None:
    path = tmp_path / "half.jpg"
    whole = saved(
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)), "JPEG"
    )
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ImageError, match=r"half\.jpg is cut short .*: copy it again, or leave it out"):
        decode_image(path, 3)


def test_a_text_called_jpg_is_named(tmp_path: Path) -> None:
    path = tmp_path / "list.jpg"
    path.write_text("cat, dog, dog, cat")
    with pytest.raises(ImageError, match=r"list\.jpg holds no image of a known format: replace it"):
        decode_image(path, 3)


def test_a_format_that_other_programs_would_have_to_read_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostScript under the name of a picture would start Ghostscript."""
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", lambda *_: pytest.fail("a program was started"))
    page = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n%%EOF\n"
    with pytest.raises(ImageError, match=r"cat\.png holds no image of a known format"):
        decode_image(page, 3, name="cat.png")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"nowhere\.png does not exist: check the path"):
        decode_image(tmp_path / "nowhere.png", 3)


@pytest.mark.parametrize("seed", range(40))
def test_damaged_bytes_give_pixels_or_an_image_error(seed: int) -> None:
    random = np.random.default_rng(seed)
    format_ = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")[seed % 7]
    content = bytearray(saved(Image.fromarray(RED_AND_BLUE.repeat(8, 0).repeat(8, 1)), format_))
    for place in random.integers(0, len(content), 6):
        content[place] = random.integers(0, 256)
    try:
        pixels = decode_image(bytes(content), 3, name="damaged")
    except ImageError as error:
        assert "damaged" in str(error)
    else:
        assert pixels.ndim == 3 and pixels.shape[2] == 3


def test_pixels_without_a_known_range_are_refused() -> None:
    floats = saved(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF")
    with pytest.raises(ImageError, match=r"floating-point pixels, whose range no rule fixes"):
        decode_image(floats, 1)
    wide = saved(Image.fromarray(np.full((4, 4), 70_000, np.int32)), "TIFF")
    with pytest.raises(ImageError, match=r"32-bit pixels, whose range no rule fixes"):
        decode_image(wide, 1)


def test_other_channels_are_refused() -> None:
    with pytest.raises(ArgumentError, match=r"channels must be 1 \(grey\) or 3 \(RGB\), got 4: give 1 or 3"):
        decode_image(b"", 4)
