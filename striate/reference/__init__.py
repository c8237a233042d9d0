"""MEANING: what every word computes, and its gradient, in NumPy, as the formula: the oracle of this project.

    meaning      the register: word -> function          run    a whole graph
    gradient     the register of the way back            chain  the chain rule over a whole graph

Each meaning has its gradient below it:

    convolution  windows times kernels    pooling, adaptive_pooling, unpooling    (window, padding, place)
    activation   smooth; gelu (erf)       rectifier   of straight pieces          softmax
    dense        normalisation            pointwise   join                        reshape, upsample
"""

from striate.reference import (  # noqa: F401  importing them enters their meanings
    activation,
    adaptive_pooling,
    convolution,
    dense,
    gelu,
    join,
    normalisation,
    padding,
    pointwise,
    pooling,
    rectifier,
    reshape,
    softmax,
    unpooling,
    upsample,
)
from striate.reference.chain import GraphGradients, gradients
from striate.reference.gelu import gelu_error
from striate.reference.gradient import GRADIENTS, Gradients, backward, derivative, gradient
from striate.reference.meaning import MEANINGS, forward, meaning
from striate.reference.run import run

__all__ = [
    "GRADIENTS",
    "MEANINGS",
    "Gradients",
    "GraphGradients",
    "backward",
    "derivative",
    "forward",
    "gelu_error",
    "gradient",
    "gradients",
    "meaning",
    "run",
]
