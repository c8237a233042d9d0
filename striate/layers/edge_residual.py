"""The fused inverted residual block with timm's names: EfficientNet v2 B0 to B3, MobileNet v4."""

from __future__ import annotations

from striate.layers.residual import Residual
from striate.layers.style import Style


class EdgeResidual(Residual):
    """Widen ``expansion`` times by a full convolution, narrow by a 1x1 convolution without activation.

    (N, in_channels, H, W) to (N, out_channels, H / stride, W / stride). More multiply-adds than a depthwise
    convolution and yet faster where maps are large and channels few, as accelerators do full convolutions
    at a higher rate (EfficientNet-EdgeTPU, Gupta and Tan 2019; EfficientNet v2, arXiv 2104.00298, section 3).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int,
        expansion: int,
        *,
        style: Style,
        drop: float = 0.0,
    ) -> None:
        expanded = in_channels * expansion
        parts = {
            "conv_exp": style.convolution(in_channels, expanded, kernel_size, stride),
            "bn1": style.norm(expanded),
            "act1": style.activation(),
            "conv_pwl": style.convolution(expanded, out_channels, 1),
            "bn2": style.norm(out_channels),
        }
        super().__init__(parts, skip=stride == 1 and in_channels == out_channels, drop=drop)
