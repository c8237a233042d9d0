"""What all sliding windows share: a kernel, its stride, its padding and its dilation, over n spatial axes.

Axes are in the order of the tensor: (D, H, W), (H, W) or (W,).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from striate.ops.word import Op, integer, per_axis, require

Pads = tuple[tuple[int, int], ...]  # (before, after) for each axis
Padding = int | str | Sequence[int | Sequence[int]]  # what a caller may write
CanonicalPadding = str | tuple[int | tuple[int, int], ...]  # what a word holds


class Window(Op):
    """Base of every word that slides a window. ``axes`` is the number of spatial axes."""

    axes: ClassVar[int]

    @property
    def span(self) -> tuple[int, ...]:
        """Pixels from the first to the last tap, dilation included: d * (k - 1) + 1."""
        kernel: tuple[int, ...] = getattr(self, "kernel_size")  # noqa: B009  a field of every subclass
        dilation: tuple[int, ...] = getattr(self, "dilation", (1,) * self.axes)
        return tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))

    @property
    def pads(self) -> Pads:
        """Pixels added before and after each axis. 'same': d * (k - 1), the odd one after, as in torch."""
        padding: CanonicalPadding = getattr(self, "padding")  # noqa: B009
        if padding == "valid":
            return ((0, 0),) * self.axes
        if padding == "same":
            return tuple(((span - 1) // 2, span - 1 - (span - 1) // 2) for span in self.span)
        return tuple((p, p) if isinstance(p, int) else p for p in padding)  # type: ignore[misc]


def canonical(op: Window, **values: object) -> None:
    """Store normalised field values in a frozen word; only ``__post_init__`` may call this."""
    for name, value in values.items():
        object.__setattr__(op, name, value)


def padding_entries(value: object, axes: int, *, words: bool) -> CanonicalPadding:
    """Check a padding: an integer, one entry an axis, each an integer or (before, after), or a string.

    Entries with equal sides become one integer, so that equal words compare equal.
    """
    if isinstance(value, str):
        allowed = "'same', 'valid', " if words else ""
        remedy = f"write {allowed}an integer or one entry for each axis"
        require(words and value in ("same", "valid"), "padding", "be a known padding", value, remedy)
        return value
    if not isinstance(value, (tuple, list)):
        return (integer("padding", value, 0),) * axes
    require(
        len(value) == axes,
        "padding",
        f"have one entry for each of the {axes} axes",
        value,
        f"give one integer, or {axes} entries that are integers or (before, after)",
    )
    return tuple(_side_pair(entry) for entry in value)


def _side_pair(entry: object) -> int | tuple[int, int]:
    if not isinstance(entry, (tuple, list)):
        return integer("padding", entry, 0)
    before, after = per_axis("padding", entry, 2, 0)
    return before if before == after else (before, after)
