"""PARTS: what torch.nn lacks, or what two papers share. One block a file."""

from striate.layers.conv_block import ConvBlock
from striate.layers.pooled_head import PooledHead
from striate.layers.whitening import WhitenedStem, whiten_, whitening_filters

__all__ = ["ConvBlock", "PooledHead", "WhitenedStem", "whiten_", "whitening_filters"]
