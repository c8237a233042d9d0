"""What the name of a value in an ONNX file can mean, and how a node is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from striate.errors import UnsupportedError


@dataclass(frozen=True)
class Fixed:
    """An array that no image changes, with ``Batch`` in it for the batch. ``name``: in the file."""

    name: str | None
    array: NDArray[Any]


@dataclass(frozen=True)
class Quantised:
    """What QuantizeLinear gives: ``value`` is the same in floats, ``scale`` and ``zero_point`` undo it."""

    value: str
    scale: NDArray[Any]
    zero_point: NDArray[Any]
    dim: int


@dataclass(frozen=True)
class Flat:
    """All values of all images in one row: only a gather with each image's own places leads back from it."""

    value: str


Value: TypeAlias = str | Fixed | Quantised | Flat  # str: a key of the sketch

FLAT = "it mixes the images of a batch: all their values are laid in one row"


def refusal(node: NodeProto, file: Any, reason: str) -> UnsupportedError:
    """The error that names operator, node and file."""
    name = node.name or next(iter(node.output), "")
    operator = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
    return UnsupportedError(f"{file}: {operator} (node {name!r}) cannot be read: {reason}.")


def shortest(number: float) -> float:
    """The shortest decimal that is this single-precision number: 0.1 for 0.10000000149011612."""
    return float(str(np.float32(number)))
