"""Pooling: maximum, minimum, average, their adaptive forms, and the way back up. No parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from striate.ops.window import CanonicalPadding, Window, canonical, padding_entries
from striate.ops.word import Op, flag, integer, per_axis, require, word


def _window(op: Window, stride: object, **more: object) -> None:
    """Kernel, stride (the kernel, where none is given) and padding of a pool, checked and stored."""
    kernel = per_axis("kernel_size", getattr(op, "kernel_size"), op.axes)  # noqa: B009
    padding = padding_entries(getattr(op, "padding"), op.axes, words=False)  # noqa: B009
    canonical(
        op,
        kernel_size=kernel,
        stride=kernel if stride is None else per_axis("stride", stride, op.axes),
        padding=padding,
        **more,
    )
    for size, (before, after) in zip(kernel, op.pads, strict=True):
        require(
            max(before, after) <= size // 2,
            "padding",
            f"be at most half of the window ({size} taps, dilation not counted), as in PyTorch",
            max(before, after),
            f"write padding={size // 2} or less",
        )


@dataclass(frozen=True)
class ExtremePool(Window):
    """Largest (or smallest) value in each window, as in torch.nn.MaxPoolNd.

    Padding never wins: it counts as minus infinity (plus infinity for the minimum), not as zero.
    With ``return_indices`` the second output is the position of the winner in the flattened input plane.
    """

    kernel_size: tuple[int, ...]
    stride: tuple[int, ...] = None  # type: ignore[assignment]  # None is accepted: the kernel size is stored
    padding: CanonicalPadding = 0  # type: ignore[assignment]
    dilation: tuple[int, ...] = 1  # type: ignore[assignment]
    return_indices: bool = False
    ceil_mode: bool = False

    def __post_init__(self) -> None:
        _window(self, self.stride, dilation=per_axis("dilation", self.dilation, self.axes))
        flag("return_indices", self.return_indices)
        flag("ceil_mode", self.ceil_mode)

    @property
    def outputs(self) -> int:
        return 2 if self.return_indices else 1


@dataclass(frozen=True)
class AvgPool(Window):
    """Mean of each window, as in torch.nn.AvgPoolNd.

    ``count_include_pad`` divides by the pixels of the padded window instead of the real ones;
    ``divisor_override`` (2-d and 3-d in torch) divides by a fixed number.
    """

    kernel_size: tuple[int, ...]
    stride: tuple[int, ...] = None  # type: ignore[assignment]
    padding: CanonicalPadding = 0  # type: ignore[assignment]
    ceil_mode: bool = False
    count_include_pad: bool = True
    divisor_override: int | None = None

    def __post_init__(self) -> None:
        _window(self, self.stride)
        flag("ceil_mode", self.ceil_mode)
        flag("count_include_pad", self.count_include_pad)
        if self.divisor_override is not None:
            canonical(self, divisor_override=integer("divisor_override", self.divisor_override))


@dataclass(frozen=True)
class AdaptivePool(Op):
    """Pools to ``output_size``; window i covers floor(i*W/N) to ceil((i+1)*W/N). None keeps the size."""

    axes: ClassVar[int]
    output_size: tuple[int | None, ...]

    def __post_init__(self) -> None:
        sizes = (
            self.output_size
            if isinstance(self.output_size, (tuple, list))
            else [self.output_size] * self.axes
        )
        remedy = f"give one integer, or {self.axes} entries that are integers or None"
        rule = f"have one entry for each of the {self.axes} axes"
        require(len(sizes) == self.axes, "output_size", rule, self.output_size, remedy)
        checked = tuple(size if size is None else integer("output_size", size) for size in sizes)
        object.__setattr__(self, "output_size", checked)


@dataclass(frozen=True)
class AdaptiveMaxPool(AdaptivePool):
    return_indices: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        flag("return_indices", self.return_indices)

    @property
    def outputs(self) -> int:
        return 2 if self.return_indices else 1


@dataclass(frozen=True)
class MaxUnpool(Window):
    """Puts each value back where its maximum stood, zeros elsewhere, as in torch.nn.MaxUnpoolNd.

    Inputs: the values and the indices. ``output_size`` (spatial) settles what the floor threw away.
    """

    arity: ClassVar[int | None] = 2
    kernel_size: tuple[int, ...]
    stride: tuple[int, ...] = None  # type: ignore[assignment]
    padding: CanonicalPadding = 0  # type: ignore[assignment]
    output_size: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        _window(self, self.stride)
        if self.output_size is not None:
            canonical(self, output_size=per_axis("output_size", self.output_size, self.axes))


@word
class MaxPool1d(ExtremePool):
    axes: ClassVar[int] = 1


@word
class MaxPool2d(ExtremePool):
    axes: ClassVar[int] = 2


@word
class MaxPool3d(ExtremePool):
    axes: ClassVar[int] = 3


@word
class MinPool1d(ExtremePool):
    axes: ClassVar[int] = 1


@word
class MinPool2d(ExtremePool):
    axes: ClassVar[int] = 2


@word
class MinPool3d(ExtremePool):
    axes: ClassVar[int] = 3


@word
class AvgPool1d(AvgPool):
    axes: ClassVar[int] = 1


@word
class AvgPool2d(AvgPool):
    axes: ClassVar[int] = 2


@word
class AvgPool3d(AvgPool):
    axes: ClassVar[int] = 3


@word
class AdaptiveAvgPool1d(AdaptivePool):
    axes: ClassVar[int] = 1


@word
class AdaptiveAvgPool2d(AdaptivePool):
    axes: ClassVar[int] = 2


@word
class AdaptiveAvgPool3d(AdaptivePool):
    axes: ClassVar[int] = 3


@word
class AdaptiveMaxPool1d(AdaptiveMaxPool):
    axes: ClassVar[int] = 1


@word
class AdaptiveMaxPool2d(AdaptiveMaxPool):
    axes: ClassVar[int] = 2


@word
class AdaptiveMaxPool3d(AdaptiveMaxPool):
    axes: ClassVar[int] = 3


@word
class MaxUnpool1d(MaxUnpool):
    axes: ClassVar[int] = 1


@word
class MaxUnpool2d(MaxUnpool):
    axes: ClassVar[int] = 2


@word
class MaxUnpool3d(MaxUnpool):
    axes: ClassVar[int] = 3
