"""The inverted residual block with torchvision's names: MobileNet v3, EfficientNet, EfficientNet v2."""

from __future__ import annotations

from torch import nn

from striate.layers.conv_norm import ConvNorm
from striate.layers.residual import Residual
from striate.layers.style import Style


class MBConv(Residual):
    """Widen by a 1x1 convolution, convolve each map alone, [squeeze and excite], narrow without activation.

    (N, in_channels, H, W) to (N, out_channels, H / stride, W / stride), ``expanded`` channels in between;
    where that is ``in_channels`` the first convolution is left out. Sandler et al. 2018, arXiv 1801.04381,
    section 3; the excitation on the expanded maps from MnasNet, arXiv 1807.11626.
    """

    def __init__(
        self,
        in_channels: int,
        expanded: int,
        out_channels: int,
        kernel_size: int,
        stride: int,
        *,
        style: Style,
        excite: nn.Module | None = None,
        drop: float = 0.0,
    ) -> None:
        block = nn.Sequential()
        if expanded != in_channels:
            block.append(ConvNorm(in_channels, expanded, 1, style=style))
        block.append(ConvNorm(expanded, expanded, kernel_size, stride, groups=expanded, style=style))
        if excite is not None:
            block.append(excite)
        block.append(ConvNorm(expanded, out_channels, 1, style=style, activate=False))
        skip = stride == 1 and in_channels == out_channels
        super().__init__({"block": block}, skip=skip, drop=drop)
