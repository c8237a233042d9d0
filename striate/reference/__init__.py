"""MEANING: what every word computes, in NumPy, written as the formula: the oracle of this project.

meaning        the register: word -> function        run            a whole graph
convolution    windows times kernels                 pooling        the extreme or mean of windows
activation     (erf)    normalisation    dense    pointwise    join    reshape    padding (window)
"""

from striate.reference import (
    activation,
    convolution,
    dense,
    join,
    normalisation,
    padding,
    pointwise,
    pooling,
    reshape,
)
from striate.reference.meaning import MEANINGS, forward, meaning
from striate.reference.run import run

__all__ = [
    "MEANINGS",
    "activation",
    "convolution",
    "dense",
    "forward",
    "join",
    "meaning",
    "normalisation",
    "padding",
    "pointwise",
    "pooling",
    "reshape",
    "run",
]
