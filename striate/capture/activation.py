"""Readers of activations."""

from __future__ import annotations

from striate import ops
from striate.capture.call import Call
from striate.capture.registry import reads

PLAIN: dict[str, ops.Op] = {
    "aten.sigmoid.default": ops.Sigmoid(),
    "aten.tanh.default": ops.Tanh(),
    "aten.relu.default": ops.ReLU(),
    "aten.relu6.default": ops.ReLU6(),
    "aten.selu.default": ops.SELU(),
    "aten.silu.default": ops.SiLU(),
    "aten.hardsigmoid.default": ops.HardSigmoid(),
    "aten.hardswish.default": ops.HardSwish(),
    "aten.neg.default": ops.Negate(),
    "aten.abs.default": ops.Absolute(),
    "aten.sqrt.default": ops.SquareRoot(),
    "aten.exp.default": ops.Exponential(),
    "aten.log.default": ops.Logarithm(),
}


@reads(*PLAIN)
def plain(call: Call) -> str:
    """Those without arguments; a name in place stands for the same word."""
    op = PLAIN.get(call.operation) or PLAIN[call.operation.replace("_.", ".")]
    return call.emit(op, call.value("self"))


@reads("aten.hardtanh.default")
def hardtanh(call: Call) -> str:
    return call.emit(_clamp(call["min_val"], call["max_val"]), call.value("self"))


@reads("aten.clamp.default", "aten.clip.default", "aten.clamp_min.default", "aten.clamp_max.default")
def clamp(call: Call) -> str:
    low = call["min"] if "max." not in call.operation else None
    high = call["max"] if "min." not in call.operation else None
    return call.emit(_clamp(low, high), call.value("self"))


def _clamp(low: float | None, high: float | None) -> ops.Op:
    """torch.nn.ReLU6 arrives as hardtanh between 0 and 6."""
    return ops.ReLU6() if (low, high) == (0, 6) else ops.Clamp(low, high)


@reads("aten.leaky_relu.default")
def leaky_relu(call: Call) -> str:
    return call.emit(ops.LeakyReLU(call["negative_slope"]), call.value("self"))


@reads("aten.prelu.default")
def prelu(call: Call) -> str:
    weight = call.fixed("weight")
    count = weight.tensor.numel() if weight else 1
    return call.emit(ops.PReLU(count), call.value("self"), weight=weight)


@reads("aten.elu.default")
def elu(call: Call) -> str:
    if call["scale"] != 1 or call["input_scale"] != 1:
        call.refuse("ELU has a slope alpha, no other scales")
    return call.emit(ops.ELU(call["alpha"]), call.value("self"))


@reads("aten.celu.default")
def celu(call: Call) -> str:
    if call["alpha"] != 1:
        call.refuse(f"CELU has a word, ELU, only where alpha is 1, got {call['alpha']}")
    return call.emit(ops.ELU(1.0), call.value("self"))


@reads("aten.gelu.default")
def gelu(call: Call) -> str:
    return call.emit(ops.GELU(call["approximate"]), call.value("self"))


@reads("aten.softmax.int", "aten.log_softmax.int")
def softmax(call: Call) -> str:
    if call["dtype"] is not None and not call["dtype"].is_floating_point:
        call.refuse("its result is not floating point")
    word = ops.LogSoftmax if "log" in call.operation else ops.Softmax
    return call.emit(word(call.axis("dim", len(call.shape("self")))), call.value("self"))
