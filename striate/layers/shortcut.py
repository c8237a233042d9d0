"""The ways around a residual block whose output has another size than its input.

He et al. 2015, "Deep residual learning for image recognition", arXiv 1512.03385, section 3.3 and table 3.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class Projection(nn.Sequential):
    """Option B: a 1x1 convolution with the block's stride, and a batch norm."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 1, stride, bias=False),
            nn.BatchNorm2d(out_channels),
        )


class PaddedShortcut(nn.Module):
    """Option A, without parameters: every ``stride``-th pixel, and zeros for the channels that are new.

    Half of the zeros stand before the maps and half behind, as in the CIFAR networks of Yerlan Idelbayev,
    https://github.com/akamaster/pytorch_resnet_cifar10. The paper leaves the place open.
    Captured as Slice, Slice, Pad.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        added = out_channels - in_channels
        self.stride, self.before, self.behind = stride, added // 2, added - added // 2

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.before, self.behind))


def shortcut(
    kind: type[Projection | PaddedShortcut], in_channels: int, out_channels: int, stride: int
) -> nn.Module | None:
    """None, for the identity, wherever the sizes allow it."""
    if stride == 1 and in_channels == out_channels:
        return None
    return kind(in_channels, out_channels, stride)
