"""Convolution, an optional maximum pool, batch norm, ReLU: the block of modern small networks."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn


class ConvBlock(nn.Sequential):
    """conv -> [max pool] -> batch norm -> ReLU, from (N, in_channels, H, W) to (N, out_channels, H', W').

    The pool stands before the norm, so that norm and ReLU work on a quarter of the values (Keller Jordan,
    airbench, arXiv 2404.00498). The convolution has no bias: the norm subtracts it again. Its weights are
    drawn as in He et al. 2015, arXiv 1502.01852. ``momentum`` is the share of each batch in the running
    statistics; 0.2 follows runs of a few hundred steps. Without ``activation`` the block ends with the norm.
    """

    conv: nn.Conv2d  # the first part, under the name that the sequence keeps it by

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        stride: int = 1,
        padding: int = 1,
        *,
        pool: int | None = None,
        activation: bool = True,
        momentum: float = 0.2,
    ) -> None:
        conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, bias=False)
        nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
        parts: OrderedDict[str, nn.Module] = OrderedDict(conv=conv)
        if pool is not None:
            parts["pool"] = nn.MaxPool2d(pool)
        parts["norm"] = nn.BatchNorm2d(out_channels, momentum=momentum)
        if activation:
            parts["relu"] = nn.ReLU()
        super().__init__(parts)
