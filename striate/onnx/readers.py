"""All readers and folds: importing this file enters them."""

from striate.onnx import (
    activation,
    convolution,
    dense,
    folding,
    folding_move,
    join,
    move,
    normalisation,
    part,
    passing,
    pooling,
    quantisation,
    reduction,
    resampling,
    sizes,
)

__all__ = [
    "activation",
    "convolution",
    "dense",
    "folding",
    "folding_move",
    "join",
    "move",
    "normalisation",
    "part",
    "passing",
    "pooling",
    "quantisation",
    "reduction",
    "resampling",
    "sizes",
]
