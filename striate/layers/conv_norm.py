"""Convolution, batch norm, activation: the unit that mobile networks are made of."""

from __future__ import annotations

from torch import nn

from striate.layers.style import Style


class ConvNorm(nn.Sequential):
    """(N, in_channels, H, W) to (N, out_channels, ceil(H / stride), ceil(W / stride)).

    The parts are called 0, 1 and 2, as in torchvision's Conv2dNormActivation, whose weights fit. Without
    ``activate`` the unit ends with the norm.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        stride: int = 1,
        groups: int = 1,
        *,
        style: Style,
        activate: bool = True,
    ) -> None:
        conv = style.convolution(in_channels, out_channels, kernel_size, stride, groups)
        super().__init__(conv, style.norm(out_channels))
        if activate:
            self.append(style.activation())
