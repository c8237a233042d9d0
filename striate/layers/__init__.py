"""PARTS: what torch.nn lacks, or what two papers share. One block a file."""

from striate.layers.auxiliary import Scores, cross_entropy, logits_of
from striate.layers.blur_pool import BlurPool2d
from striate.layers.branches import Branches
from striate.layers.c_cells import CCells
from striate.layers.conv_block import ConvBlock
from striate.layers.conv_bn_relu import ConvBNReLU
from striate.layers.conv_norm import ConvNorm
from striate.layers.depthwise_separable import DepthwiseSeparable
from striate.layers.edge_residual import EdgeResidual
from striate.layers.gabor import gabor_filters
from striate.layers.global_response_norm import GlobalResponseNorm
from striate.layers.he_normal import he_normal_
from striate.layers.inverted_residual import InvertedResidual
from striate.layers.layer_norm_2d import LayerNorm2d
from striate.layers.locally_connected import LocallyConnected2d
from striate.layers.make_divisible import make_divisible
from striate.layers.mb_conv import MBConv
from striate.layers.min_pool import MinPool2d
from striate.layers.permute import Permute
from striate.layers.pooled_head import PooledHead
from striate.layers.preact_block import PreActBasic, PreActBottleneck
from striate.layers.rbf import RBF
from striate.layers.residual import Residual
from striate.layers.residual_block import BasicBlock, BlockOf, Bottleneck, ResidualBlock, Stage
from striate.layers.s_cells import SCells
from striate.layers.same_conv import SameConv2d
from striate.layers.scaled_tanh import ScaledTanh
from striate.layers.shortcut import PaddedShortcut, Projection, shortcut
from striate.layers.squeeze_excite import SqueezeExcite
from striate.layers.stochastic_depth import StochasticDepth
from striate.layers.style import Style, convolution, same_convolution
from striate.layers.subsampling import Subsampling
from striate.layers.table_conv import TableConv2d
from striate.layers.visual_cells import ComplexCells, SimpleCells
from striate.layers.whitening import WhitenedStem, whiten_, whitening_filters

__all__ = [
    "RBF",
    "BasicBlock",
    "BlockOf",
    "BlurPool2d",
    "Bottleneck",
    "Branches",
    "CCells",
    "ComplexCells",
    "ConvBNReLU",
    "ConvBlock",
    "ConvNorm",
    "DepthwiseSeparable",
    "EdgeResidual",
    "GlobalResponseNorm",
    "InvertedResidual",
    "LayerNorm2d",
    "LocallyConnected2d",
    "MBConv",
    "MinPool2d",
    "PaddedShortcut",
    "Permute",
    "PooledHead",
    "PreActBasic",
    "PreActBottleneck",
    "Projection",
    "Residual",
    "ResidualBlock",
    "SCells",
    "SameConv2d",
    "ScaledTanh",
    "Scores",
    "SimpleCells",
    "SqueezeExcite",
    "Stage",
    "StochasticDepth",
    "Style",
    "Subsampling",
    "TableConv2d",
    "WhitenedStem",
    "convolution",
    "cross_entropy",
    "gabor_filters",
    "he_normal_",
    "logits_of",
    "make_divisible",
    "same_convolution",
    "shortcut",
    "whiten_",
    "whitening_filters",
]
