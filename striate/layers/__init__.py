"""PARTS: what torch.nn lacks, or what two papers share. One block a file."""

from striate.layers.conv_block import ConvBlock
from striate.layers.min_pool import MinPool2d
from striate.layers.pooled_head import PooledHead
from striate.layers.rbf import RBF
from striate.layers.scaled_tanh import ScaledTanh
from striate.layers.subsampling import Subsampling
from striate.layers.table_conv import TableConv2d
from striate.layers.whitening import WhitenedStem, whiten_, whitening_filters

__all__ = [
    "RBF",
    "ConvBlock",
    "MinPool2d",
    "PooledHead",
    "ScaledTanh",
    "Subsampling",
    "TableConv2d",
    "WhitenedStem",
    "whiten_",
    "whitening_filters",
]
