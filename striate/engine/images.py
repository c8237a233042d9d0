"""What images a network takes: arrays of floats or bytes, files, pixels; and what it says of others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from striate.bundle import Bundle
from striate.errors import ArgumentError, ShapeError, UnsupportedError
from striate.graph.graph import Shape

if TYPE_CHECKING:
    from striate.data.preprocess import Preprocessing

Image = str | Path | bytes | NDArray[np.uint8]


def check_images(x: NDArray[Any], shape: Shape, pixels: tuple[int, ...] | None) -> None:
    """Raise ArgumentError or ShapeError unless ``x`` is a batch that the network takes.

    ``shape``: of its input. ``pixels``: (H, W, C) of an image of bytes; None: it takes none.
    """
    images, wanted = "float", [shape]
    if x.dtype == np.uint8 and pixels is not None:
        *size, channels = pixels
        images, wanted = "uint8", [("N", *pixels), ("N", channels, *size)]
    elif x.dtype.kind != "f":
        accepted = "float32 or uint8" if pixels is not None else "float32"
        raise ArgumentError(f"images must be {accepted}, got {x.dtype}: convert them with x.astype.")
    if not any(_fits(x.shape, one) for one in wanted):
        shapes = " or ".join(f"({', '.join(map(str, one))})" for one in wanted)
        raise ShapeError(
            f"{images} images must have shape {shapes}, got {x.shape}: resize or transpose them, or give "
            "them or their files to predict."
        )


def image_shape(bundle: Bundle) -> Shape:
    """The shape of the one input. Raises UnsupportedError for other kinds of network."""
    inputs = len(bundle.graph.inputs)
    if inputs != 1:
        raise UnsupportedError(
            f"a network must have one input, got {inputs}: run its graph with striate.reference.run."
        )
    (shape,) = bundle.graph.inputs.values()
    return ("N", *shape[1:])


def _fits(actual: tuple[int, ...], wanted: Shape) -> bool:
    return len(actual) == len(wanted) and all(
        isinstance(want, str) or got == want for got, want in zip(actual, wanted, strict=True)
    )


def key_of(source: Image, number: int) -> str:
    return str(source) if isinstance(source, (str, Path)) else f"image {number}"


def pixels_of(source: Image, key: str, how: Preprocessing) -> NDArray[np.uint8]:
    """An image, cut and resized as the network takes it, uint8 (H, W, C)."""
    if isinstance(source, (str, Path)):
        return how.decode_one(Path(source), key)
    if isinstance(source, bytes):
        return how.decode_one(source, key)
    image = np.asarray(source) if hasattr(source, "__array__") else np.empty(0, object)
    if image.ndim == 3 and image.shape[2] != how.channels == image.shape[0]:
        image = image.transpose(1, 2, 0)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != how.channels or not image.size:
        raise ArgumentError(
            f"{key} must be a file, its bytes, or uint8 pixels (rows, columns, {how.channels}), got "
            f"{type(source).__name__} of {image.dtype} {image.shape}: convert it, or call the network with "
            "what it was trained on."
        )
    return how.fit(np.ascontiguousarray(image))
