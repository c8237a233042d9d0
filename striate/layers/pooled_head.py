"""From maps of any size to class scores: the mean of each map, then a linear layer."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn


class PooledHead(nn.Sequential):
    """(N, in_channels, H, W) to (N, classes) for any H and W of at least 1.

    Global average pooling (Lin et al. 2013, arXiv 1312.4400): no weights depend on the image's size, and
    each map can be read as "how much of my feature is anywhere in the image".
    Captured as AdaptiveAvgPool2d((1, 1)), Flatten, Linear.
    """

    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__(
            OrderedDict(
                pool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(), linear=nn.Linear(in_channels, classes)
            )
        )
