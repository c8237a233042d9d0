"""The inverted residual block with timm's names: EfficientNet-Lite, EfficientNet v2 B0 to B3."""

from __future__ import annotations

from torch import nn

from striate.layers.residual import Residual
from striate.layers.style import Style


class InvertedResidual(Residual):
    """Widen ``expansion`` times, convolve each map alone, [squeeze and excite], narrow without activation.

    (N, in_channels, H, W) to (N, out_channels, H / stride, W / stride). Sandler et al. 2018,
    arXiv 1801.04381, section 3. ``MBConv`` is the same block under torchvision's names.
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
        excite: nn.Module | None = None,
        drop: float = 0.0,
    ) -> None:
        expanded = in_channels * expansion
        parts: dict[str, nn.Module] = {
            "conv_pw": style.convolution(in_channels, expanded, 1),
            "bn1": style.norm(expanded),
            "act1": style.activation(),
            "conv_dw": style.convolution(expanded, expanded, kernel_size, stride, expanded),
            "bn2": style.norm(expanded),
            "act2": style.activation(),
        }
        if excite is not None:
            parts["se"] = excite
        parts |= {"conv_pwl": style.convolution(expanded, out_channels, 1), "bn3": style.norm(out_channels)}
        super().__init__(parts, skip=stride == 1 and in_channels == out_channels, drop=drop)
