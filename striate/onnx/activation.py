"""Readers of activations; those without a word of their own are written in several."""

from __future__ import annotations

from math import inf

from striate import ops
from striate.onnx.call import Call
from striate.onnx.convolution import channel_vector
from striate.onnx.registry import reads
from striate.sketch.gelu import ErrorFunction

SELU_ALPHA, SELU_GAMMA = 1.67326319217681884765625, 1.05070102214813232421875  # ONNX's defaults
PLAIN: dict[str, tuple[type[ops.Op], tuple[int, ...]]] = {
    "Relu": (ops.ReLU, (6, 13, 14)),
    "Sigmoid": (ops.Sigmoid, (6, 13)),
    "Tanh": (ops.Tanh, (6, 13)),
    "HardSwish": (ops.HardSwish, (14, 22)),
    "Neg": (ops.Negate, (6, 13)),
    "Abs": (ops.Absolute, (6, 13)),
    "Sqrt": (ops.SquareRoot, (6, 13)),
    "Exp": (ops.Exponential, (6, 13)),
    "Log": (ops.Logarithm, (6, 13)),
}


def plain(call: Call) -> str:
    """Those without arguments."""
    return call.emit(PLAIN[call.node.op_type][0](), call.value())


for _operator, (_, _versions) in PLAIN.items():
    reads(_operator, *_versions)(plain)


@reads("Clip", 11, 12, 13)
def clip(call: Call) -> str:
    """A clip between 0 and 6 is ReLU6. A bound that is computed is a join."""
    x = call.value()
    bounds = [call.any(index) if call.given(index) else None for index in (1, 2)]
    for bound, word in zip(bounds, (ops.Maximum, ops.Minimum), strict=True):
        if isinstance(bound, str):
            x = call.emit(word(), x, bound)
    low, high = (
        None if isinstance(bound, str) or bound is None else float(call.scalar(index, "bound"))
        for index, bound in enumerate(bounds, start=1)
    )
    low, high = None if low == -inf else low, None if high == inf else high
    if low is None and high is None:
        return x
    return call.emit(ops.ReLU6() if (low, high) == (0, 6) else ops.Clamp(low, high), x)


@reads("LeakyRelu", 6, 16)
def leaky(call: Call) -> str:
    return call.emit(ops.LeakyReLU(call.real("alpha", 0.01)), call.value())


@reads("PRelu", 9, 16)
def parametric(call: Call) -> str:
    x, slope = call.value(), call.fixed(1, "slope")
    count, rank = slope.array.size, call.rank()
    channels = call.sizes(x)[0] if rank > 1 else 1
    spread = (1,) * (rank - slope.array.ndim) + slope.array.shape
    if count > 1 and spread != tuple(channels if axis == 1 else 1 for axis in range(rank)):
        call.refuse(f"its slope must be one number, or one for each channel, got shape {slope.array.shape}")
    return call.emit(ops.PReLU(count), x, weight=channel_vector(call, slope, count, "slope"))


@reads("Elu", 6, 22)
def exponential_linear(call: Call) -> str:
    return call.emit(ops.ELU(call.real("alpha", 1.0)), call.value())


@reads("Celu", 12, 28)
def continuous_exponential_linear(call: Call) -> str:
    """max(0, x) + min(0, a (e^(x/a) - 1)) = a * elu(x / a) for a over 0. arXiv 1704.07483."""
    alpha = call.real("alpha", 1.0)
    if alpha <= 0:
        call.refuse(f"its alpha must be over 0, got {alpha}")
    x = call.value()
    if alpha == 1:
        return call.emit(ops.ELU(1.0), x)
    inner = call.emit(ops.ELU(1.0), call.emit(ops.Divide(), x, call.number(alpha)))
    return call.emit(ops.Multiply(), inner, call.number(alpha))


@reads("Selu", 6, 22)
def scaled_exponential_linear(call: Call) -> str:
    """gamma * elu(x, alpha); the paper's constants are the word SELU, which has them with more digits."""
    alpha, gamma = call.real("alpha", SELU_ALPHA), call.real("gamma", SELU_GAMMA)
    x = call.value()
    if abs(alpha - SELU_ALPHA) < 1e-6 and abs(gamma - SELU_GAMMA) < 1e-6:
        return call.emit(ops.SELU(), x)
    return call.emit(ops.Multiply(), call.emit(ops.ELU(alpha), x), call.number(gamma))


@reads("HardSigmoid", 6, 22)
def hard_sigmoid(call: Call) -> str:
    """max(0, min(1, alpha x + beta)); the word is that of MobileNetV3, alpha 1/6 and beta 1/2."""
    alpha, beta = call.real("alpha", 0.2), call.real("beta", 0.5)
    x = call.value()
    if abs(alpha - 1 / 6) < 1e-7 and beta == 0.5:
        return call.emit(ops.HardSigmoid(), x)
    line = call.emit(ops.Add(), call.emit(ops.Multiply(), x, call.number(alpha)), call.number(beta))
    return call.emit(ops.Clamp(0.0, 1.0), line)


@reads("Gelu", 20)
def gelu(call: Call) -> str:
    return call.emit(ops.GELU(call.text("approximate", "none")), call.value())


@reads("Erf", 9, 13)
def error_function(call: Call) -> str:
    """No word: part of GELU, which is recognised when the whole network has been read."""
    return call.emit_step(ErrorFunction(), call.value())


@reads("Swish", 24)
def swish(call: Call) -> str:
    """x * sigmoid(alpha x)."""
    alpha = call.real("alpha", 1.0)
    x = call.value()
    if alpha == 1:
        return call.emit(ops.SiLU(), x)
    if alpha == 1.702:
        return call.emit(ops.GELU("sigmoid"), x)
    gate = call.emit(ops.Sigmoid(), call.emit(ops.Multiply(), x, call.number(alpha)))
    return call.emit(ops.Multiply(), x, gate)


def softplus_of(call: Call, x: str) -> str:
    """log(1 + e^x), written so that no e^x overflows: max(x, 0) + log(1 + e^-|x|)."""
    small = call.emit(ops.Exponential(), call.emit(ops.Negate(), call.emit(ops.Absolute(), x)))
    rest = call.emit(ops.Logarithm(), call.emit(ops.Add(), small, call.number(1.0)))
    return call.emit(ops.Add(), call.emit(ops.ReLU(), x), rest)


@reads("Softplus", 1, 22)
def softplus(call: Call) -> str:
    return softplus_of(call, call.value())


@reads("Mish", 18, 22)
def mish(call: Call) -> str:
    """x * tanh(softplus(x)). arXiv 1908.08681."""
    x = call.value()
    return call.emit(ops.Multiply(), x, call.emit(ops.Tanh(), softplus_of(call, x)))


@reads("Softsign", 1, 22)
def softsign(call: Call) -> str:
    """x / (1 + |x|)."""
    x = call.value()
    size = call.emit(ops.Add(), call.emit(ops.Absolute(), x), call.number(1.0))
    return call.emit(ops.Divide(), x, size)


@reads("Softmax", 11, 13)
def softmax(call: Call) -> str:
    return _softmax(call, ops.Softmax)


@reads("LogSoftmax", 11, 13)
def log_softmax(call: Call) -> str:
    return _softmax(call, ops.LogSoftmax)


def _softmax(call: Call, word: type[ops.Softmax] | type[ops.LogSoftmax]) -> str:
    """Before opset 13 everything from ``axis`` on is one axis."""
    rank, x = call.rank(), call.value()
    axis = call.axis(call.integer("axis", 1 if call.version < 13 else -1), rank)
    if axis == 0:
        call.refuse("it mixes the images of a batch: its axis is 0")
    sizes = call.sizes(x)
    if call.version >= 13 or axis == rank - 1:
        return call.emit(word(axis), x)
    flat = call.reshape(x, *sizes[: axis - 1], -1)
    return call.emit(ops.Reshape(sizes), call.emit(word(axis), flat))
