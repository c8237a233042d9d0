"""Padding as a word of its own: any number of pixels on any side, in four modes."""

from __future__ import annotations

from dataclasses import dataclass

from striate.ops.convolution import PADDING_MODES
from striate.ops.word import Op, choice, integer, real, require, word


@word
@dataclass(frozen=True)
class Pad(Op):
    """Grow (negative numbers: crop, as torch.nn.functional.pad does) the last axes of a tensor.

    ``padding``: one (before, after) for each padded axis, in the order of the tensor, the last axis last.
    ``mode``: zeros (filled with ``value``), reflect, replicate or circular.
    """

    padding: tuple[tuple[int, int], ...]
    mode: str = "zeros"
    value: float = 0.0

    def __post_init__(self) -> None:
        choice("mode", self.mode, PADDING_MODES)
        remedy = "write padding=((top, bottom), (left, right))"
        pairs = self.padding
        whole = isinstance(pairs, (tuple, list)) and all(
            isinstance(pair, (tuple, list)) and len(pair) == 2 for pair in pairs
        )
        require(whole and len(pairs) > 0, "padding", "be one (before, after) for each axis", pairs, remedy)
        smallest = 0 if self.mode != "zeros" else -(2**31)  # only zeros may crop
        sides = tuple((integer("padding", a, smallest), integer("padding", b, smallest)) for a, b in pairs)
        object.__setattr__(self, "padding", sides)
        infinite = self.value in (float("inf"), float("-inf"))  # what padding before a maximum needs
        if not infinite:
            object.__setattr__(self, "value", real("value", self.value, lambda _: True, "finite or infinite"))
