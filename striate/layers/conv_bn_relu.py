"""Convolution, batch norm, ReLU, as the Inception family writes them."""

from __future__ import annotations

from torch import Tensor, nn

OneOrTwo = int | tuple[int, int]


class ConvBNReLU(nn.Module):
    """(N, in_channels, H, W) to (N, out_channels, H', W'): conv without bias -> batch norm -> ReLU.

    Called BasicConv2d in torchvision and ConvNormAct in timm; the parts ``conv`` and ``bn`` have their names
    there. The norm's epsilon is 0.001 as in TensorFlow's Inception, from which both took their weights.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: OneOrTwo = 1,
        stride: int = 1,
        padding: OneOrTwo = 0,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(out_channels, eps=1e-3)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        activity: Tensor = self.relu(self.bn(self.conv(x)))
        return activity
