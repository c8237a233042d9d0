"""One image file becomes uint8 pixels, whatever the file's own way of storing them.

EXIF orientation is applied, palettes are looked up, 16 bits become 8, CMYK becomes RGB, and what is
transparent is laid over white. The first frame of an animation counts.
"""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from striate.data.jpeg import decode_plain, plain_size
from striate.errors import ArgumentError, ImageError

PIXEL_LIMIT = 80_000_000  # below the size at which Pillow itself begins to warn
LEAST_SIDE = 2  # one pixel has no neighbour: there is nothing to convolve

_USUAL = ("JPEG", "PNG", "BMP", "GIF", "PPM")  # what Pillow knows before it looks for its other readers
_FURTHER = ("TIFF", "WEBP", "AVIF", "MPO", "DIB", "JPEG2000", "TGA", "ICO", "QOI")
_ORIENTATION = 0x0112  # the EXIF tag; 5 to 8 lie on their side
_GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N"})


def open_image(source: Path | bytes, name: str | None = None) -> Image.Image:
    """The header of an image, its pixels not yet decoded.

    ``name`` stands in messages in place of the path. Raises ImageError: not an image, more than
    PIXEL_LIMIT pixels, fewer than LEAST_SIDE pixels on a side.
    """
    name = name or (str(source) if isinstance(source, Path) else "The image")
    try:
        image = _identified(io.BytesIO(source) if isinstance(source, bytes) else source)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        count = re.search(r"\d+", str(error))
        raise _too_many_pixels(name, f"{int(count[0]):,} pixels" if count else "more") from None
    except UnidentifiedImageError:
        raise ImageError(f"{name} holds no image of a known format: replace it, or leave it out.") from None
    except FileNotFoundError:
        raise ImageError(f"{name} does not exist: check the path.") from None
    except Exception as error:  # Pillow's readers raise almost every type on a broken header
        raise _broken(name, error) from None
    width, height = image.size
    if width * height > PIXEL_LIMIT:
        raise _too_many_pixels(name, f"{width:,} x {height:,} pixels")
    if min(width, height) < LEAST_SIDE:
        raise ImageError(
            f"{name} has {width} x {height} pixels, an image needs at least {LEAST_SIDE} on each side: "
            "replace it, or leave it out."
        )
    return image


def _identified(source: Path | io.BytesIO) -> Image.Image:
    """Pillow's ``open`` for formats of pictures alone: for others it may start a program, Ghostscript."""
    try:
        return Image.open(source, formats=_USUAL)
    except UnidentifiedImageError:
        Image.init()
        return Image.open(source, formats=[name for name in _FURTHER if name in Image.OPEN])


def decode_image(
    source: Path | bytes,
    channels: int,
    *,
    name: str | None = None,
    at_least: tuple[int, int] | None = None,
) -> NDArray[np.uint8]:
    """The pixels of an image, uint8 of shape (H, W, channels); see ``decode_picture``, which this outruns."""
    if isinstance(source, bytes):
        plain = decode_plain(source, channels, at_least, LEAST_SIDE, PIXEL_LIMIT)
        if plain is not None:
            return plain
    return pixels_of(decode_picture(source, channels, name=name, at_least=at_least))


def pixels_of(picture: Image.Image) -> NDArray[np.uint8]:
    """A grey or RGB picture as uint8 (H, W, 1 or 3)."""
    return np.asarray(picture, dtype=np.uint8).reshape(picture.height, picture.width, -1)


def decode_picture(
    source: Path | bytes,
    channels: int,
    *,
    name: str | None = None,
    at_least: tuple[int, int] | None = None,
) -> Image.Image:
    """An image as it is seen, upright, its mode "L" for 1 channel or "RGB" for 3.

    A JPEG much larger than ``at_least`` (height, width) is decoded at a half, a quarter or an eighth
    of its size, never below ``at_least``: far quicker, and what is scaled down anyway loses nothing.
    Raises ImageError, which names the file.
    """
    if channels not in (1, 3):
        raise ArgumentError(f"channels must be 1 (grey) or 3 (RGB), got {channels}: give 1 or 3.")
    name = name or (str(source) if isinstance(source, Path) else "The image")
    with open_image(source, name) as image:
        if at_least is not None and image.format == "JPEG":
            side = max(at_least)  # a square, because EXIF may exchange height and width later
            image.draft(None, (side, side))
        try:
            image.load()
            ImageOps.exif_transpose(image, in_place=True)
            plain = _eight_bits(_without_alpha(image), name)
            mode = "L" if channels == 1 else "RGB"
            return plain if plain.mode == mode else plain.convert(mode)
        except ImageError:
            raise
        except Exception as error:  # Pillow's decoders raise almost every type on broken content
            raise _broken(name, error) from None


def look_at(content: bytes, name: str) -> tuple[tuple[int, int], bool]:
    """Height and width of an encoded image as seen upright, and ``is_grey``. Raises as ``open_image``."""
    plain = plain_size(content, LEAST_SIDE, PIXEL_LIMIT)
    if plain is not None:
        return plain
    with open_image(content, name) as image:
        return _size_and_greyness(image, name)


def _size_and_greyness(image: Image.Image, name: str) -> tuple[tuple[int, int], bool]:
    """Raises ImageError where the file is broken."""
    width, height = image.size
    try:
        lies_on_its_side = image.getexif().get(_ORIENTATION, 1) >= 5
        grey = is_grey(image)
    except Exception as error:  # for this Pillow decodes a PNG's or a GIF's pixels, which may fail in any way
        raise _broken(name, error) from None
    return ((width, height) if lies_on_its_side else (height, width)), grey


def is_grey(image: Image.Image) -> bool:
    """Whether the file says that it holds no colour; its pixels are not looked at."""
    if image.mode == "P":
        palette = np.array(image.getpalette() or [], dtype=np.uint8).reshape(-1, 3)
        return bool((palette == palette[:, :1]).all())
    return image.mode in _GREY_MODES


def _without_alpha(image: Image.Image) -> Image.Image:
    """The image laid over white where it is transparent."""
    if not image.has_transparency_data or image.mode.startswith("I"):
        return image
    picture = image.convert("RGBA")
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture).convert("RGB")


def _eight_bits(image: Image.Image, name: str) -> Image.Image:
    """16-bit grey to 8 bits by value; Pillow's own convert would cut everything above 255 to white."""
    if image.mode == "F":
        raise ImageError(
            f"{name} holds floating-point pixels, whose range no rule fixes: save it with 8 or 16 bits."
        )
    if not image.mode.startswith("I"):
        return image
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise ImageError(f"{name} holds 32-bit pixels, whose range no rule fixes: save it with 8 or 16 bits.")
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))


def _too_many_pixels(name: str, size: str) -> ImageError:
    return ImageError(
        f"{name} has {size}, the limit is {PIXEL_LIMIT:,} pixels an image: scale it down, or leave it out."
    )


def _broken(name: str, error: Exception) -> ImageError:
    reason = str(error) or type(error).__name__
    if "truncated" in reason.lower():
        return ImageError(f"{name} is cut short ({reason}): copy it again, or leave it out.")
    return ImageError(f"{name} cannot be decoded ({reason}): replace it, or leave it out.")
