"""The quick way for plain JPEGs gives what Pillow gives, to the byte, and leaves the rest to Pillow."""

import io

import numpy as np
import pytest
from PIL import Image
from skimage import data

from striate.data import jpeg
from striate.data.decode import decode_image, decode_picture, look_at, pixels_of
from striate.data.likeness import hash_of, hashes_of_frames
from striate.errors import ImageError

CAT = Image.fromarray(data.chelsea())


def saved(image: Image.Image, **how) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", **how)
    return file.getvalue()


def plain(content: bytes, channels: int = 3, at_least: tuple[int, int] | None = None):
    return jpeg.decode_plain(content, channels, at_least, 2, 80_000_000)


@pytest.mark.parametrize(
    "how", [{}, {"subsampling": 0}, {"progressive": True}, {"quality": 30}, {"keep_rgb": True}]
)
def test_colour_is_pillows_to_the_byte(how):
    content = saved(CAT, **how)
    np.testing.assert_array_equal(plain(content), pixels_of(decode_picture(content, 3)))


def test_grey_is_pillows_to_the_byte():
    content = saved(CAT.convert("L"))
    np.testing.assert_array_equal(plain(content, 1), pixels_of(decode_picture(content, 1)))


@pytest.mark.parametrize(
    "content, channels",
    [
        (saved(CAT), 1),
        (saved(CAT.convert("L")), 3),
        (saved(CAT.convert("CMYK")), 3),
        (saved(Image.new("RGB", (1, 40))), 3),
        (b"\xff\xd8 no picture", 3),
        (b"", 3),
    ],
)
def test_what_is_out_of_the_ordinary_is_left_to_pillow(content, channels):
    assert plain(content, channels) is None


def test_what_is_decoded_small_is_left_to_pillow():
    assert plain(saved(CAT), at_least=(150, 150)) is None
    assert plain(saved(CAT), at_least=(151, 151)) is not None


def test_a_picture_on_its_side_is_turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    content = saved(CAT, exif=exif)
    assert plain(content) is None
    assert decode_image(content, 3).shape == (CAT.width, CAT.height, 3)


def test_a_file_that_is_cut_short_is_refused_as_pillow_refuses_it():
    with pytest.raises(ImageError, match=r"cat\.jpg is cut short"):
        decode_image(saved(CAT)[:9000], 3, name="cat.jpg")


def test_without_simplejpeg_pillow_decodes(monkeypatch):
    quick = decode_image(saved(CAT), 3)
    monkeypatch.setattr(jpeg, "simplejpeg", lambda: None)
    np.testing.assert_array_equal(decode_image(saved(CAT), 3), quick)


@pytest.mark.parametrize("size", [(256, 256), (160, 96)])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_the_hash_of_a_frame_is_that_of_its_picture(size, mode):
    picture = CAT.resize(size).convert(mode)
    pixels = np.asarray(picture).reshape(*size[::-1], -1)
    bits = np.unpackbits(
        np.frombuffer(hash_of(picture) + hashes_of_frames(pixels[None])[0], np.uint8)
    ).reshape(2, -1)
    assert (bits[0] != bits[1]).sum() <= 4  # a value on the median may fall to either side


@pytest.mark.parametrize("image", [CAT, CAT.convert("L"), CAT.convert("CMYK")])
@pytest.mark.parametrize("turned", [False, True])
def test_size_and_greyness_are_pillows(image, turned, monkeypatch):
    exif = Image.Exif()
    exif[0x0112] = 6
    content = saved(image, **({"exif": exif} if turned else {}))
    found = look_at(content, "cat.jpg")
    assert found[0] == ((451, 300) if turned else (300, 451)) and found[1] == (image.mode == "L")
    monkeypatch.setattr(jpeg, "simplejpeg", lambda: None)
    assert look_at(content, "cat.jpg") == found


def test_marks_count_before_the_first_scan_only():
    content = saved(CAT)
    assert plain(content + b"Exif\0") is not None
    app1 = b"\xff\xe1" + (2 + 6).to_bytes(2, "big") + b"Exif\0\0"
    for filled in (app1, b"\xff" + app1):
        assert plain(content[:2] + filled + content[2:]) is None
