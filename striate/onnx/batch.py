"""The number of images, which shape arithmetic carries along without knowing it.

Arrays of sizes are NumPy arrays of objects: integers, and ``Batch`` where a size depends on the number of
images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.errors import UnsupportedError

BATCH = "N"


@dataclass(frozen=True, eq=False)
class Batch:
    """``count`` times the number of images. What is more than a multiple is refused."""

    count: int = 1

    def __mul__(self, other: Any) -> Batch:
        if isinstance(other, Batch) or other != int(other) or other < 1:
            raise _unknown("a product with the batch")
        return Batch(self.count * int(other))

    __rmul__ = __mul__

    def __floordiv__(self, other: Any) -> Batch | int:
        if isinstance(other, Batch):
            if self.count % other.count == 0:
                return self.count // other.count
        elif other == int(other) and other >= 1 and self.count % int(other) == 0:
            return Batch(self.count // int(other))
        raise _unknown("a quotient of the batch")

    def __rfloordiv__(self, other: Any) -> Batch:
        raise _unknown("a quotient by the batch")

    def __eq__(self, other: Any) -> bool:
        if isinstance(other, Batch):
            return self.count == other.count
        if other <= 0:
            return False  # there is at least one image
        raise _unknown("whether the batch is a certain number")

    __hash__ = None  # type: ignore[assignment]

    def _refuse(self, other: Any) -> Any:
        raise _unknown("more than a multiple of the batch")

    __add__ = __radd__ = __sub__ = __rsub__ = __mod__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse
    __pow__ = __rpow__ = __truediv__ = __rtruediv__ = _refuse

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return "N" if self.count == 1 else f"{self.count}*N"


@dataclass(frozen=True, eq=False)
class Image:
    """A place that depends on which image it is for: its number times ``stride``, plus ``offset``.

    An array of these has one entry on its first axis, which stands for all images.
    """

    stride: int = 1
    offset: int = 0

    def __mul__(self, other: Any) -> Image:
        return Image(self.stride * int(other), self.offset * int(other))

    def __add__(self, other: Any) -> Image:
        return Image(self.stride, self.offset + int(other))

    __rmul__, __radd__ = __mul__, __add__


IMAGE_ARITHMETIC = ("Add", "Mul", "Cast", "Identity", "Unsqueeze", "Gather")  # what keeps that first axis


def of_images(array: NDArray[Any]) -> bool:
    return array.dtype == object and any(isinstance(entry, Image) for entry in array.flat)


def _unknown(what: str) -> UnsupportedError:
    return UnsupportedError(f"{what} cannot be known before the images are there")


def settled(array: NDArray[Any]) -> NDArray[Any]:
    """Plain integers again, as soon as nothing in the array depends on the batch."""
    if array.dtype != object or any(isinstance(entry, (Batch, Image)) for entry in array.flat):
        return array
    return array.astype(np.int64)


def depends(array: NDArray[Any]) -> bool:
    return array.dtype == object
