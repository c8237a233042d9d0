"""For every word: instances from its argument space, inputs, weights, and what PyTorch computes from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from hypothesis import strategies as st

from striate import ops
from striate.ops.weights import weight_shapes

Draw = Callable[[st.SearchStrategy[Any]], Any]


@dataclass
class Example:
    """``oracle`` gets torch tensors: the inputs in order, the weights by role."""

    op: ops.Op
    inputs: list[np.ndarray]
    oracle: Callable[..., Any]
    positive_weights: tuple[str, ...] = ()

    def weights(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        made = {role: rng.normal(size=shape) for role, shape in weight_shapes(self.op).items()}
        return {role: np.abs(w) + 0.1 if role in self.positive_weights else w for role, w in made.items()}


EXAMPLES: dict[str, Callable[[Draw, type, np.random.Generator], Example]] = {}


def example_of(*words: type[ops.Op]) -> Callable[[Any], Any]:
    def enter(function: Any) -> Any:
        EXAMPLES.update(dict.fromkeys((word.__name__ for word in words), function))
        return function

    return enter


def flag(draw: Draw) -> bool:
    return draw(st.booleans())


def per_axis(draw: Draw, axes: int, low: int, high: int) -> tuple[int, ...]:
    return tuple(draw(st.integers(low, high)) for _ in range(axes))


def sides(draw: Draw, axes: int, high: int) -> tuple[tuple[int, int], ...]:
    return tuple((draw(st.integers(0, high)), draw(st.integers(0, high))) for _ in range(axes))


def picture(draw: Draw, rng: np.random.Generator, channels: int, axes: int, least: int = 1) -> np.ndarray:
    """(N, channels, sizes); integers often, so that there are ties."""
    shape = (draw(st.integers(1, 3)), channels, *per_axis(draw, axes, least, 9 if axes < 3 else 6))
    return rng.integers(-3, 4, shape).astype(float) if flag(draw) else rng.normal(size=shape)


def torch_pads(pads: Any) -> list[int]:
    """((top, bottom), (left, right)) in torch's order: last axis first."""
    return [side for pair in reversed(pads) for side in pair]


# --- windows ------------------------------------------------------------------------------------------------


@example_of(ops.Conv1d, ops.Conv2d, ops.Conv3d)
def conv(draw: Draw, word: type, rng: np.random.Generator) -> Example:
    axes, groups = word.axes, draw(st.integers(1, 3))
    stride = per_axis(draw, axes, 1, 3)
    padding = draw(st.sampled_from([0, "valid", "same", "numbers", "sides"]))
    if padding == "numbers":
        padding = per_axis(draw, axes, 0, 3)
    elif padding == "sides":
        padding = sides(draw, axes, 3)
    elif padding == "same":
        stride = 1
    mode = draw(st.sampled_from(ops.PADDING_MODES))
    arguments = {
        "in_channels": groups * draw(st.integers(1, 2)),
        "out_channels": groups * draw(st.integers(1, 3)),
        "kernel_size": per_axis(draw, axes, 1, 4),
        "stride": stride,
        "padding": padding,
        "dilation": per_axis(draw, axes, 1, 2),
        "groups": groups,
        "bias": flag(draw),
        "padding_mode": mode,
    }
    op = word(**arguments)

    def oracle(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        if isinstance(padding, tuple) and isinstance(padding[0], tuple):  # torch's module has no sides
            x = F.pad(x, torch_pads(op.pads), mode="constant" if mode == "zeros" else mode)
            arguments["padding"] = 0
        module = getattr(torch.nn, word.__name__)(**arguments, dtype=torch.float64)
        state = {"weight": weight} if bias is None else {"weight": weight, "bias": bias}
        return torch.func.functional_call(module, state, (x,))

    return Example(op, [picture(draw, rng, op.in_channels, axes)], oracle)


@example_of(ops.ConvTranspose1d, ops.ConvTranspose2d, ops.ConvTranspose3d)
def conv_transpose(draw: Draw, word: type, rng: np.random.Generator) -> Example:
    axes, groups = word.axes, draw(st.integers(1, 3))
    stride, dilation = per_axis(draw, axes, 1, 3), per_axis(draw, axes, 1, 3)
    extra = tuple(draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True))
    arguments = {
        "in_channels": groups * draw(st.integers(1, 2)),
        "out_channels": groups * draw(st.integers(1, 3)),
        "kernel_size": per_axis(draw, axes, 1, 4),
        "stride": stride,
        "padding": per_axis(draw, axes, 0, 3),
        "output_padding": extra,
        "groups": groups,
        "bias": flag(draw),
        "dilation": dilation,
    }
    op = word(**arguments)

    def oracle(x: torch.Tensor, **weights: torch.Tensor) -> torch.Tensor:
        module = getattr(torch.nn, word.__name__)(**arguments, dtype=torch.float64)
        return torch.func.functional_call(module, weights, (x,))

    return Example(op, [picture(draw, rng, op.in_channels, axes)], oracle)


def pool_arguments(draw: Draw, axes: int, dilated: bool) -> dict[str, Any]:
    kernel = per_axis(draw, axes, 1, 4)
    dilation = per_axis(draw, axes, 1, 2) if dilated else (1,) * axes
    half = [k // 2 for k in kernel]  # torch's own limit, dilation apart
    return {
        "kernel_size": kernel,
        "stride": draw(st.none() | st.tuples(*[st.integers(1, 3)] * axes)),
        "padding": tuple(draw(st.integers(0, limit)) for limit in half),
        "ceil_mode": flag(draw),
    } | ({"dilation": dilation} if dilated else {})


@example_of(ops.MaxPool1d, ops.MaxPool2d, ops.MaxPool3d, ops.MinPool1d, ops.MinPool2d, ops.MinPool3d)
def extreme_pool(draw: Draw, word: type, rng: np.random.Generator) -> Example:
    arguments = pool_arguments(draw, word.axes, dilated=True) | {"return_indices": flag(draw)}
    name = word.__name__

    def oracle(x: torch.Tensor) -> Any:
        module = getattr(torch.nn, name.replace("Min", "Max"))(**arguments)
        if name.startswith("Max"):
            return module(x)
        y = module(-x)
        return (-y[0], y[1]) if isinstance(y, tuple) else -y

    return Example(word(**arguments), [picture(draw, rng, 2, word.axes)], oracle)


@example_of(ops.AvgPool1d, ops.AvgPool2d, ops.AvgPool3d)
def average_pool(draw: Draw, word: type, rng: np.random.Generator) -> Example:
    arguments = pool_arguments(draw, word.axes, dilated=False) | {"count_include_pad": flag(draw)}
    if word.axes > 1:  # torch's 1-d pool has no such argument
        arguments["divisor_override"] = draw(st.none() | st.integers(1, 9))
    oracle = getattr(torch.nn, word.__name__)(**arguments)
    return Example(word(**arguments), [picture(draw, rng, 2, word.axes)], oracle)


@example_of(
    ops.AdaptiveAvgPool1d, ops.AdaptiveAvgPool2d, ops.AdaptiveAvgPool3d,
    ops.AdaptiveMaxPool1d, ops.AdaptiveMaxPool2d, ops.AdaptiveMaxPool3d,
)  # fmt: skip
def adaptive_pool(draw: Draw, word: type, rng: np.random.Generator) -> Example:
    whole = st.integers(1, 7)
    size = tuple(draw(whole if word.axes == 1 else whole | st.none()) for _ in range(word.axes))
    more = {"return_indices": flag(draw)} if "Max" in word.__name__ else {}
    oracle = getattr(torch.nn, word.__name__)(size if word.axes > 1 else size[0], **more)
    return Example(word(size, **more), [picture(draw, rng, 2, word.axes)], oracle)


@example_of(ops.MaxUnpool1d, ops.MaxUnpool2d, ops.MaxUnpool3d)
def unpool(draw: Draw, word: type, rng: np.random.Generator) -> Example:
    axes = word.axes
    kernel = per_axis(draw, axes, 1, 3)
    arguments = {
        "kernel_size": kernel,
        "stride": draw(st.none() | st.tuples(*[st.integers(1, 3)] * axes)),
        "padding": tuple(draw(st.integers(0, k // 2)) for k in kernel),
    }
    x = picture(draw, rng, 2, axes, least=3)
    pool = getattr(torch.nn, f"MaxPool{axes}d")(**arguments, return_indices=True)
    values, places = pool(torch.tensor(x))
    unpool_module = getattr(torch.nn, word.__name__)(**arguments)
    given = x.shape[2:] if flag(draw) else None
    op = word(**arguments, output_size=given)

    def oracle(values: torch.Tensor, indices: torch.Tensor) -> torch.Tensor:
        return unpool_module(values, indices, output_size=given)

    return Example(op, [values.numpy(), places.numpy()], oracle)


@example_of(ops.Pad)
def pad(draw: Draw, word: type, rng: np.random.Generator) -> Example:
    axes, mode = draw(st.integers(1, 3)), draw(st.sampled_from(ops.PADDING_MODES))
    low = -2 if mode == "zeros" else 0
    pads = tuple((draw(st.integers(low, 4)), draw(st.integers(low, 4))) for _ in range(axes))
    value = draw(st.sampled_from([0.0, 1.5, float("-inf")])) if mode == "zeros" else 0.0

    def oracle(x: torch.Tensor) -> torch.Tensor:
        if mode == "zeros":
            return F.pad(x, torch_pads(pads), value=value)
        return F.pad(x, torch_pads(pads), mode=mode)

    return Example(word(pads, mode, value), [picture(draw, rng, 2, axes)], oracle)


# --- dense and normalisation --------------------------------------------------------------------------------


@example_of(ops.Linear, ops.RBF)
def dense(draw: Draw, word: type, rng: np.random.Generator) -> Example:
    sizes, features = per_axis(draw, draw(st.integers(1, 3)), 1, 4), draw(st.integers(1, 6))
    x = rng.normal(size=(*sizes, features))
    if word is ops.RBF:
        return Example(
            word(features, draw(st.integers(1, 5))),
            [x],
            lambda x, weight: (x.unsqueeze(-2) - weight).pow(2).sum(-1),
        )
    return Example(word(features, draw(st.integers(1, 5)), bias=flag(draw)), [x], F.linear)


@example_of(ops.BatchNorm)
def batch_norm(draw: Draw, word: type, rng: np.random.Generator) -> Example:
    x = picture(draw, rng, draw(st.integers(1, 4)), draw(st.integers(0, 3)))
    op = word(x.shape[1], draw(st.floats(1e-6, 0.1)), flag(draw))

    def oracle(x: torch.Tensor, running_mean: Any, running_var: Any, **affine: Any) -> torch.Tensor:
        return F.batch_norm(x, running_mean, running_var, **affine, eps=op.eps)

    return Example(op, [x], oracle, positive_weights=("running_var",))


@example_of(ops.LayerNorm)
def layer_norm(draw: Draw, word: type, rng: np.random.Generator) -> Example:
    channels, dim = draw(st.integers(1, 5)), draw(st.sampled_from([1, -1]))
    x = np.moveaxis(rng.normal(size=(2, *per_axis(draw, draw(st.integers(0, 2)), 1, 4), channels)), -1, dim)
    op = word(channels, draw(st.floats(1e-6, 0.1)), flag(draw), flag(draw), dim)

    def oracle(x: torch.Tensor, **affine: Any) -> torch.Tensor:
        y = F.layer_norm(x.movedim(dim, -1), (channels,), **affine, eps=op.eps)
        return y.movedim(-1, dim)

    return Example(op, [x], oracle)


@example_of(ops.LocalResponseNorm)
def local_response_norm(draw: Draw, word: type, rng: np.random.Generator) -> Example:
    number = st.floats(0.01, 2)
    op = word(draw(st.integers(1, 6)), draw(number), draw(number), draw(number))
    x = picture(draw, rng, draw(st.integers(1, 7)), draw(st.integers(1, 3)))
    return Example(op, [x], torch.nn.LocalResponseNorm(op.size, op.alpha, op.beta, op.k))


@example_of(ops.GlobalResponseNorm)
def global_response_norm(draw: Draw, word: type, rng: np.random.Generator) -> Example:
    channels, dim = draw(st.integers(1, 4)), draw(st.sampled_from([1, -1]))
    x = np.moveaxis(picture(draw, rng, channels, 2), 1, dim)
    op = word(channels, draw(st.floats(1e-6, 0.1)), dim)

    def oracle(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        x = x.movedim(dim, -1)  # as in the authors' code: channels last
        g = x.norm(p=2, dim=(1, 2), keepdim=True)
        n = g / (g.mean(dim=-1, keepdim=True) + op.eps)
        return (weight * (x * n) + bias + x).movedim(-1, dim)

    return Example(op, [x], oracle)


# --- value by value -----------------------------------------------------------------------------------------


def of_any_shape(draw: Draw, rng: np.random.Generator) -> np.ndarray:
    shape = per_axis(draw, draw(st.integers(1, 4)), 1, 5)
    return rng.normal(size=shape) * draw(st.sampled_from([0.1, 1.0, 4.0, 30.0]))


PLAIN: dict[type[ops.Op], Any] = {
    ops.Sigmoid: torch.sigmoid,
    ops.Tanh: torch.tanh,
    ops.ReLU: F.relu,
    ops.ReLU6: F.relu6,
    ops.SELU: F.selu,
    ops.SiLU: F.silu,
    ops.HardSigmoid: F.hardsigmoid,
    ops.HardSwish: F.hardswish,
    ops.Identity: torch.nn.Identity(),
    ops.Negate: torch.neg,
    ops.Absolute: torch.abs,
    ops.SquareRoot: torch.sqrt,
    ops.Exponential: torch.exp,
    ops.Logarithm: torch.log,
}


@example_of(*PLAIN)
def plain(draw: Draw, word: type, rng: np.random.Generator) -> Example:
    return Example(word(), [of_any_shape(draw, rng)], PLAIN[word])


@example_of(ops.Dropout)
def dropout(draw: Draw, word: type, rng: np.random.Generator) -> Example:
    p = draw(st.floats(0, 1))
    return Example(word(p, flag(draw)), [of_any_shape(draw, rng)], torch.nn.Dropout(p).eval())


@example_of(ops.Clamp)
def clamp(draw: Draw, word: type, rng: np.random.Generator) -> Example:
    low, high = draw(st.none() | st.floats(-2, 0)), draw(st.floats(0, 2))
    return Example(word(low, high), [of_any_shape(draw, rng)], lambda x: torch.clamp(x, low, high))


@example_of(ops.LeakyReLU)
def leaky_relu(draw: Draw, word: type, rng: np.random.Generator) -> Example:
    slope = draw(st.floats(-1, 2))
    return Example(word(slope), [of_any_shape(draw, rng)], lambda x: F.leaky_relu(x, slope))


@example_of(ops.PReLU)
def prelu(draw: Draw, word: type, rng: np.random.Generator) -> Example:
    x = picture(draw, rng, draw(st.integers(1, 4)), draw(st.integers(0, 2)))
    return Example(word(draw(st.sampled_from([1, x.shape[1]]))), [x], F.prelu)


@example_of(ops.ELU)
def elu(draw: Draw, word: type, rng: np.random.Generator) -> Example:
    alpha = draw(st.floats(0.1, 3))
    return Example(word(alpha), [of_any_shape(draw, rng)], lambda x: F.elu(x, alpha))


@example_of(ops.GELU)
def gelu(draw: Draw, word: type, rng: np.random.Generator) -> Example:
    form = draw(st.sampled_from(["none", "tanh", "sigmoid"]))

    def oracle(x: torch.Tensor) -> torch.Tensor:
        return x * torch.sigmoid(1.702 * x) if form == "sigmoid" else F.gelu(x, approximate=form)

    return Example(word(form), [of_any_shape(draw, rng)], oracle)


@example_of(ops.Softmax, ops.LogSoftmax)
def softmax(draw: Draw, word: type, rng: np.random.Generator) -> Example:
    x = of_any_shape(draw, rng) * 40  # so large that the plain formula overflows
    dim = draw(st.integers(-x.ndim, x.ndim - 1))
    function = torch.softmax if word is ops.Softmax else torch.log_softmax
    return Example(word(dim), [x], lambda x: function(x, dim))


@example_of(ops.Constant)
def constant(draw: Draw, word: type, rng: np.random.Generator) -> Example:
    return Example(word(per_axis(draw, draw(st.integers(0, 3)), 0, 3)), [], lambda value: value)


@example_of(ops.Scale)
def scale(draw: Draw, word: type, rng: np.random.Generator) -> Example:
    x, dim = picture(draw, rng, 3, draw(st.integers(0, 2))), draw(st.sampled_from([1, -1]))
    op = word(x.shape[dim], flag(draw), dim)

    def oracle(x: torch.Tensor, weight: torch.Tensor, bias: Any = 0.0) -> torch.Tensor:
        return (x.movedim(dim, -1) * weight + bias).movedim(-1, dim)

    return Example(op, [x], oracle)


# --- joins and moves ----------------------------------------------------------------------------------------

JOINS: dict[type[ops.Op], Any] = {
    ops.Add: torch.add,
    ops.Subtract: torch.sub,
    ops.Multiply: torch.mul,
    ops.Divide: torch.div,
    ops.Power: torch.pow,
    ops.Maximum: torch.maximum,
    ops.Minimum: torch.minimum,
}


@example_of(*JOINS)
def join(draw: Draw, word: type, rng: np.random.Generator) -> Example:
    x = of_any_shape(draw, rng).clip(-4, 4)
    shape = [draw(st.sampled_from([size, size, 1, size + 1])) for size in x.shape][draw(st.integers(0, 1)) :]
    return Example(word(), [x, rng.normal(size=shape)], JOINS[word])


@example_of(ops.Concat)
def concat(draw: Draw, word: type, rng: np.random.Generator) -> Example:
    x = of_any_shape(draw, rng)
    dim = draw(st.integers(-x.ndim, x.ndim - 1))
    branches = [x]
    for _ in range(draw(st.integers(0, 3))):
        shape = list(x.shape)
        shape[dim] = draw(st.integers(1, 4))
        shape[0] += draw(st.sampled_from([0, 0, 0, 1]))
        branches.append(rng.normal(size=shape))
    return Example(word(dim), branches, lambda *xs: torch.cat(xs, dim))


@example_of(ops.FakeQuantize)
def fake_quantize(draw: Draw, word: type, rng: np.random.Generator) -> Example:
    x = of_any_shape(draw, rng)
    dim = draw(st.integers(-x.ndim, x.ndim - 1))
    op = word(draw(st.sampled_from([-8, 0])), draw(st.sampled_from([7, 15])), x.shape[dim], dim)

    def oracle(x: torch.Tensor, scale: torch.Tensor, zero_point: torch.Tensor) -> torch.Tensor:
        """The formula, rounding straight through; torch's own has no gradient for scales of its caller."""
        laid = [-1 if axis == dim % x.ndim else 1 for axis in range(x.ndim)]
        s, z = scale.reshape(laid), zero_point.reshape(laid)
        place = x / s + (torch.round(x / s) - x / s).detach() + z
        return (place.clamp(op.quant_min, op.quant_max) - z) * s

    return Example(op, [x], oracle, positive_weights=("scale",))


@example_of(ops.Flatten)
def flatten(draw: Draw, word: type, rng: np.random.Generator) -> Example:
    x, any_dim = of_any_shape(draw, rng), st.integers(-5, 4)
    op = word(draw(any_dim), draw(any_dim))
    return Example(op, [x], lambda x: torch.flatten(x, op.start_dim, op.end_dim))


@example_of(ops.Reshape)
def reshape(draw: Draw, word: type, rng: np.random.Generator) -> Example:
    x = of_any_shape(draw, rng)
    op = word(draw(st.sampled_from([(-1,), (2, -1), (-1, 3), (x[0].size,), (1, x[0].size, 1), (7,), ()])))
    return Example(op, [x], lambda x: x.reshape(x.shape[0], *op.shape))


@example_of(ops.Permute)
def permute(draw: Draw, word: type, rng: np.random.Generator) -> Example:
    x = of_any_shape(draw, rng)
    dims = draw(st.permutations(range(x.ndim)))
    return Example(word(tuple(dims)), [x], lambda x: x.permute(dims))


@example_of(ops.Mean, ops.Sum)
def mean(draw: Draw, word: type, rng: np.random.Generator) -> Example:
    x = of_any_shape(draw, rng)
    op = word(tuple(draw(st.sets(st.integers(-x.ndim, -1)))), flag(draw))
    return Example(op, [x], lambda x: getattr(x, word.__name__.lower())(op.dim, op.keepdim))


@example_of(ops.Slice)
def entries(draw: Draw, word: type, rng: np.random.Generator) -> Example:
    x, place = of_any_shape(draw, rng), st.integers(-7, 7)
    dim = draw(st.integers(-x.ndim, x.ndim - 1))
    op = word(dim, draw(place), draw(st.none() | place), draw(st.integers(1, 3)))
    return Example(op, [x], lambda x: torch.ops.aten.slice.Tensor(x, dim, op.start, op.end, op.step))


@example_of(ops.ChannelShuffle)
def channel_shuffle(draw: Draw, word: type, rng: np.random.Generator) -> Example:
    groups, extra = draw(st.integers(1, 4)), draw(st.sampled_from([0, 0, 1]))
    x = picture(draw, rng, groups * draw(st.integers(1, 4)) + extra, draw(st.integers(1, 2)))
    return Example(word(groups), [x], torch.nn.ChannelShuffle(groups))


@example_of(ops.Upsample)
def upsample(draw: Draw, word: type, rng: np.random.Generator) -> Example:
    kinds = [("nearest", 1), ("nearest", 2), ("nearest", 3), ("linear", 1), ("bilinear", 2), ("bilinear", 2)]
    mode, axes = draw(st.sampled_from(kinds))
    size = factor = None
    if flag(draw):
        size = per_axis(draw, axes, 1, 30)
    else:
        factor = tuple(draw(st.sampled_from([1.0, 2.0, 3.0, 1.5, 0.5, 0.7, 2.3])) for _ in range(axes))
    align = mode != "nearest" and flag(draw)
    x = picture(draw, rng, 2, axes).astype(np.float32).astype(np.float64)

    def oracle(x: torch.Tensor) -> torch.Tensor:
        if mode == "nearest":  # torch rounds otherwise in double precision, which no network runs in
            return F.interpolate(x.float(), size, factor, mode).double()
        return F.interpolate(x, size, factor, mode, align_corners=align)

    return Example(word(size, factor, mode, align), [x], oracle)
