"""Readers of convolution and transposed convolution."""

from __future__ import annotations

from striate import ops
from striate.capture.call import Call
from striate.capture.registry import reads

CONVOLUTIONS: dict[int, type[ops.Conv]] = {1: ops.Conv1d, 2: ops.Conv2d, 3: ops.Conv3d}
TRANSPOSED: dict[int, type[ops.ConvTranspose]] = {
    1: ops.ConvTranspose1d,
    2: ops.ConvTranspose2d,
    3: ops.ConvTranspose3d,
}


@reads(
    *(f"aten.conv{axes}d.{overload}" for axes in CONVOLUTIONS for overload in ("default", "padding")),
)
def convolution(call: Call) -> str:
    weight, bias = call.fixed("weight"), call.fixed("bias")
    if weight is None or len(call.shape("input")) != len(weight.shape):
        call.refuse("its input has no batch axis; add one")
    out_channels, in_channels, *kernel_size = weight.shape
    groups = int(call["groups"])
    padding = call["padding"]
    op = CONVOLUTIONS[len(kernel_size)](
        in_channels=in_channels * groups,
        out_channels=out_channels,
        kernel_size=tuple(kernel_size),
        stride=call.numbers("stride"),  # type: ignore[arg-type]  # an int is accepted
        padding=padding if isinstance(padding, str) else call.numbers("padding"),  # type: ignore[arg-type]
        dilation=call.numbers("dilation"),  # type: ignore[arg-type]
        groups=groups,
        bias=bias is not None,
    )
    return call.emit(op, call.value("input"), weight=weight, bias=bias)


@reads("aten.conv_transpose1d.default", "aten.conv_transpose2d.input", "aten.conv_transpose3d.input")
def transposed_convolution(call: Call) -> str:
    weight, bias = call.fixed("weight"), call.fixed("bias")
    if weight is None or len(call.shape("input")) != len(weight.shape):
        call.refuse("its input has no batch axis; add one")
    in_channels, out_channels, *kernel_size = weight.shape
    groups = int(call["groups"])
    op = TRANSPOSED[len(kernel_size)](
        in_channels=in_channels,
        out_channels=out_channels * groups,
        kernel_size=tuple(kernel_size),
        stride=call.numbers("stride"),  # type: ignore[arg-type]
        padding=call.numbers("padding"),  # type: ignore[arg-type]
        output_padding=call.numbers("output_padding"),  # type: ignore[arg-type]
        groups=groups,
        bias=bias is not None,
        dilation=call.numbers("dilation"),  # type: ignore[arg-type]
    )
    return call.emit(op, call.value("input"), weight=weight, bias=bias)
