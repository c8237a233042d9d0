"""A convolution in two steps, space and channels apart: MobileNet v1, EfficientNet-Lite."""

from __future__ import annotations

from torch import nn

from striate.layers.residual import Residual
from striate.layers.style import Style


class DepthwiseSeparable(Residual):
    """Convolve each map alone, then mix the maps by a 1x1 convolution; each step has its batch norm.

    (N, in_channels, H, W) to (N, out_channels, H / stride, W / stride). Howard et al. 2017,
    arXiv 1704.04861, section 3.1: of k^2 * in * out multiply-adds a pixel, k^2 * in + in * out are left.
    MobileNet v1 activates the mixture and has no shortcut (``activate``); as the first block of inverted
    residual networks it is not activated and may have one. Names are timm's.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int,
        *,
        style: Style,
        activate: bool,
    ) -> None:
        parts: dict[str, nn.Module] = {
            "conv_dw": style.convolution(in_channels, in_channels, kernel_size, stride, in_channels),
            "bn1": style.norm(in_channels),
            "act1": style.activation(),
            "conv_pw": style.convolution(in_channels, out_channels, 1),
            "bn2": style.norm(out_channels),
        }
        if activate:
            parts["act2"] = style.activation()
        skip = not activate and stride == 1 and in_channels == out_channels
        super().__init__(parts, skip=skip)
