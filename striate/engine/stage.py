"""What a network is to the engine: stages, each one or more words that run as one.

A value's ``dims`` are the (C, H, W) in which it is stored. A reshape that moves nothing is only another name
for the same storage, with another logical shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

import numpy as np

from striate import ops
from striate.ops import Op

Dims = tuple[int, int, int]


class NotLowerableError(Exception):
    """The whole graph runs in NumPy: its values are not one for each image."""


@dataclass(frozen=True)
class Value:
    """``root``: the value whose storage this is. ``shape``: logical, without the batch."""

    root: str
    shape: tuple[int, ...]
    dims: Dims

    @property
    def natural(self) -> bool:
        """Whether rows and columns mean what they say."""
        return self.dims == natural_dims(self.shape)


def natural_dims(shape: tuple[int, ...]) -> Dims:
    """Features become channels of one pixel, a sequence (C, L) becomes a map of one row."""
    match shape:
        case (channels, height, width):
            return channels, height, width
        case (channels, width):
            return channels, 1, width
        case _:
            return prod(shape), 1, 1


@dataclass(frozen=True)
class Stage:
    """``op`` on ``inputs``, then ``words`` on each value (an Add adds ``added``), giving ``output``.

    ``covers``: the names of all nodes that it stands for. ``tensors``: role -> array. ``sums``: the sum of
    each row of ``output``, (C, H, 1), which is written beside it.
    """

    op: Op
    inputs: tuple[Value, ...]
    output: Value
    tensors: Mapping[str, np.ndarray] = field(default_factory=dict)
    words: tuple[Op, ...] = ()
    added: Value | None = None
    covers: tuple[str, ...] = ()
    sums: Value | None = None

    @property
    def name(self) -> str:
        return self.covers[0]


@dataclass(frozen=True)
class Move(Op):
    """Channels put together from several maps: output channel c is channel ``places[c][1]`` of input
    ``places[c][0]``. Not a word of the vocabulary: Concat, Slice and ChannelShuffle in a row become one.
    """

    places: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Pair(Op):
    """A 1x1 convolution, ``words`` on each value, and the depthwise convolution that alone reads it.

    Not a word of the vocabulary. Roles are those of both; the second's begin with "second.".
    """

    first: ops.Conv2d
    words: tuple[Op, ...]
    second: ops.Conv2d


@dataclass(frozen=True)
class Pooled(Op):
    """A convolution, ``words`` on each value, and the largest of 2 x 2, side by side, which alone reads it.

    Not a word of the vocabulary. Roles are those of the convolution.
    """

    first: ops.Conv2d
    words: tuple[Op, ...]
    pool: ops.MaxPool2d


@dataclass(frozen=True)
class Opening(Op):
    """A network's first convolution, ``words`` on each value, and the convolution that alone reads it, pooled
    or not.

    Not a word of the vocabulary. Roles are those of both; the second's begin with "second.".
    """

    first: ops.Conv2d
    words: tuple[Op, ...]
    second: ops.Conv2d | Pooled


@dataclass(frozen=True)
class Gated(Op):
    """A 1x1 convolution of a map whose every channel is first multiplied by one of the second input's values.

    Not a word of the vocabulary. Roles are those of the convolution.
    """

    convolution: ops.Conv2d


@dataclass(frozen=True)
class MeanOfRows(Op):
    """The mean over a map of ``pixels``, of which the input has the sums of rows. Not a word of the
    vocabulary.
    """

    pixels: int


@dataclass(frozen=True)
class Affine(Op):
    """factor * x + shift: a join with a number. Not a word of the vocabulary."""

    factor: float
    shift: float


@dataclass(frozen=True)
class Raised(Op):
    """x ** exponent, for a number. Not a word of the vocabulary."""

    exponent: float


@dataclass(frozen=True)
class Gather:
    """A value made of channels of others: channel c is channel ``channels[c][1]`` of ``channels[c][0]``."""

    channels: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Outside:
    """A word that runs in NumPy, by its definition in striate.reference. ``results``: one or two values."""

    name: str
    op: Op
    inputs: tuple[str, ...]
    results: tuple[str, ...]
    tensors: Mapping[str, np.ndarray]
