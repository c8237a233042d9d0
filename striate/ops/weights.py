"""The shape of every tensor a word needs: what a bundle checks its weights against."""

from __future__ import annotations

from striate.errors import UnsupportedError
from striate.ops.activation import PReLU
from striate.ops.convolution import Conv, ConvTranspose
from striate.ops.dense import RBF, Linear
from striate.ops.normalisation import BatchNorm, GlobalResponseNorm, LayerNorm
from striate.ops.pointwise import Constant, FakeQuantize, Scale
from striate.ops.word import Op


def weight_shapes(op: Op) -> dict[str, tuple[int, ...]]:
    """Role -> shape, for exactly the roles in use. UnsupportedError for a word that is not known here."""
    return {role: _shape(op, role) for role in op.roles}


def _shape(op: Op, role: str) -> tuple[int, ...]:
    match op:
        case Conv() | ConvTranspose():
            return op.weight_shape if role == "weight" else (op.out_channels,)
        case Linear() | RBF():
            return (op.out_features, op.in_features) if role == "weight" else (op.out_features,)
        case BatchNorm():
            return (op.num_features,)
        case LayerNorm() | GlobalResponseNorm() | Scale() | FakeQuantize():
            return (op.num_channels,)
        case PReLU():
            return (op.num_parameters,)
        case Constant():
            return op.shape
    word = type(op).__name__
    raise UnsupportedError(f"the shape of {role} is not written down for {word}: add it in ops/weights.py.")
