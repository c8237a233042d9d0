"""Convolution and transposed convolution over one, two or three spatial axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from striate.ops.window import CanonicalPadding, Window, canonical, padding_entries
from striate.ops.word import choice, flag, integer, per_axis, require, word

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


@dataclass(frozen=True)
class Conv(Window):
    """y[k] = b[k] + sum over c, u of w[k, c, u] * x[c, s*i + d*u - p], as in torch.nn.ConvNd.

    Input (N, in_channels, *sizes), weight (out_channels, in_channels / groups, *kernel_size),
    bias (out_channels,). ``padding`` may also name different sides: ``((1, 0), (1, 0))``.
    """

    in_channels: int
    out_channels: int
    kernel_size: tuple[int, ...]
    stride: tuple[int, ...] = 1  # type: ignore[assignment]  # an int is accepted, a tuple is stored
    padding: CanonicalPadding = 0  # type: ignore[assignment]
    dilation: tuple[int, ...] = 1  # type: ignore[assignment]
    groups: int = 1
    bias: bool = True
    padding_mode: str = "zeros"

    def __post_init__(self) -> None:
        _check_channels(self)
        canonical(
            self,
            kernel_size=per_axis("kernel_size", self.kernel_size, self.axes),
            stride=per_axis("stride", self.stride, self.axes),
            dilation=per_axis("dilation", self.dilation, self.axes),
            padding=padding_entries(self.padding, self.axes, words=True),
        )
        choice("padding_mode", self.padding_mode, PADDING_MODES)
        require(
            self.padding != "same" or set(self.stride) == {1},
            "padding",
            "be a number where stride is over 1, as in PyTorch",
            "same",
            f"write padding={tuple(span // 2 for span in self.span)} for an output of size ceil(W / stride)",
        )

    @property
    def roles(self) -> tuple[str, ...]:
        return ("weight", "bias") if self.bias else ("weight",)

    @property
    def weight_shape(self) -> tuple[int, ...]:
        return (self.out_channels, self.in_channels // self.groups, *self.kernel_size)


@dataclass(frozen=True)
class ConvTranspose(Window):
    """The adjoint of a convolution: every input pixel paints a kernel; torch.nn.ConvTransposeNd.

    Weight (in_channels, out_channels / groups, *kernel_size). ``padding`` pixels are cut from each side of
    the result, ``output_padding`` pixels are computed beyond its end.
    """

    in_channels: int
    out_channels: int
    kernel_size: tuple[int, ...]
    stride: tuple[int, ...] = 1  # type: ignore[assignment]
    padding: tuple[int, ...] = 0  # type: ignore[assignment]
    output_padding: tuple[int, ...] = 0  # type: ignore[assignment]
    groups: int = 1
    bias: bool = True
    dilation: tuple[int, ...] = 1  # type: ignore[assignment]
    padding_mode: str = "zeros"

    def __post_init__(self) -> None:
        _check_channels(self)
        canonical(
            self,
            kernel_size=per_axis("kernel_size", self.kernel_size, self.axes),
            stride=per_axis("stride", self.stride, self.axes),
            padding=per_axis("padding", self.padding, self.axes, 0),
            output_padding=per_axis("output_padding", self.output_padding, self.axes, 0),
            dilation=per_axis("dilation", self.dilation, self.axes),
        )
        choice("padding_mode", self.padding_mode, ("zeros",))
        for extra, stride, dilation in zip(self.output_padding, self.stride, self.dilation, strict=True):
            require(
                extra < max(stride, dilation),
                "output_padding",
                f"be smaller than stride or dilation ({max(stride, dilation)})",
                extra,
                "raise the stride or lower output_padding",
            )

    @property
    def roles(self) -> tuple[str, ...]:
        return ("weight", "bias") if self.bias else ("weight",)

    @property
    def weight_shape(self) -> tuple[int, ...]:
        return (self.in_channels, self.out_channels // self.groups, *self.kernel_size)


def _check_channels(op: Conv | ConvTranspose) -> None:
    groups = integer("groups", op.groups)
    for argument in ("in_channels", "out_channels"):
        count = integer(argument, getattr(op, argument))
        near = max(groups, count // groups * groups)
        require(
            count % groups == 0,
            argument,
            f"be divisible by groups={groups}",
            count,
            f"write {argument}={near}, or choose groups that divide {count}",
        )
        canonical(op, **{argument: count})
    canonical(op, groups=groups)
    flag("bias", op.bias)


@word
class Conv1d(Conv):
    axes: ClassVar[int] = 1


@word
class Conv2d(Conv):
    axes: ClassVar[int] = 2


@word
class Conv3d(Conv):
    axes: ClassVar[int] = 3


@word
class ConvTranspose1d(ConvTranspose):
    axes: ClassVar[int] = 1


@word
class ConvTranspose2d(ConvTranspose):
    axes: ClassVar[int] = 2


@word
class ConvTranspose3d(ConvTranspose):
    axes: ClassVar[int] = 3
