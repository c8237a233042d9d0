"""From maps of any size to class scores: the mean of each map, then a linear layer."""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn
from torch.nn import functional as F


class PooledHead(nn.Sequential):
    """(N, in_channels, H, W) to (N, classes) for any H and W of at least 1.

    Global average pooling (Lin et al. 2013, arXiv 1312.4400): no weights depend on the image's size, and
    each map can be read as "how much of my feature is anywhere in the image".
    Captured as AdaptiveAvgPool2d((1, 1)), Flatten, Linear.
    """

    linear: nn.Linear

    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__(
            OrderedDict(
                pool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(), linear=nn.Linear(in_channels, classes)
            )
        )

    def class_activation_maps(self, x: Tensor) -> Tensor:
        """Where each class was seen: (N, in_channels, H, W) to (N, classes, H, W).

        The linear layer applied at every position, its bias left out (Zhou et al. 2015, arXiv 1512.04150).
        Exact, because a mean and a linear layer may change places: the mean of a map over its positions is
        the class's score minus its bias.
        """
        return F.conv2d(x, self.linear.weight[:, :, None, None])
