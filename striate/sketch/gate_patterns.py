"""Activations recognised that are written as a product of x and a gate, or as a clipped line."""

from __future__ import annotations

from striate import ops
from striate.sketch.sketch import Draft, Sketch

GATES: dict[type[ops.Op], ops.Op] = {ops.Sigmoid: ops.SiLU(), ops.HardSigmoid: ops.HardSwish()}


def gated(sketch: Sketch, key: str, last: Draft) -> bool:
    """x * sigmoid(x), x * hardsigmoid(x), and x * sigmoid(1.702 x)."""
    if not isinstance(last.op, ops.Multiply):
        return False
    for value, other in (last.inputs, last.inputs[::-1]):
        gate = sketch.producer(other)
        if gate is None or type(gate.op) not in GATES:
            continue
        if gate.inputs == (value,):
            sketch.redraft(key, GATES[type(gate.op)], value)
            return True
        if isinstance(gate.op, ops.Sigmoid) and _times(sketch, gate.inputs[0]) == (value, 1.702):
            sketch.redraft(key, ops.GELU("sigmoid"), value)
            return True
    return False


def hard_gate(sketch: Sketch, key: str, last: Draft) -> bool:
    """relu6(x + 3) / 6, as it was written before torch had hardsigmoid; also x times that."""
    scaled = _divided(sketch, last)
    step = sketch.producer(scaled[0]) if scaled and scaled[1] == 6 else None
    if step is None:
        return False
    if isinstance(step.op, ops.Multiply):  # x * relu6(x + 3) / 6
        for value, other in (step.inputs, step.inputs[::-1]):
            if _shifted_relu6(sketch, other) == value:
                sketch.redraft(key, ops.HardSwish(), value)
                return True
    inner = _shifted_relu6(sketch, scaled[0]) if scaled else None
    if inner is not None:
        sketch.redraft(key, ops.HardSigmoid(), inner)
    return inner is not None


def _shifted_relu6(sketch: Sketch, value: str) -> str | None:
    """x, where ``value`` is relu6(x + 3)."""
    step = sketch.producer(value)
    plus = sketch.producer(step.inputs[0]) if step and isinstance(step.op, ops.ReLU6) else None
    if plus is None or not isinstance(plus.op, ops.Add):
        return None
    found = [a for a, b in (plus.inputs, plus.inputs[::-1]) if sketch.scalar(b) == 3]
    return found[0] if found else None


def _divided(sketch: Sketch, draft: Draft) -> tuple[str, float] | None:
    """(x, c), where the draft is x / c, or x times a number that single precision knows as 1 / c."""
    if isinstance(draft.op, ops.Divide):
        number = sketch.scalar(draft.inputs[1])
        return None if number is None else (draft.inputs[0], number)
    if isinstance(draft.op, ops.Multiply):
        for value, other in (draft.inputs, draft.inputs[::-1]):
            factor = sketch.scalar(other)
            if factor and abs(round(1 / factor) * factor - 1) < 1e-6:
                return value, float(round(1 / factor))
    return None


def _times(sketch: Sketch, value: str) -> tuple[str, float] | None:
    """(x, c), where ``value`` is c * x."""
    draft = sketch.producer(value)
    if draft is None or not isinstance(draft.op, ops.Multiply):
        return None
    for factor, other in (draft.inputs, draft.inputs[::-1]):
        number = sketch.scalar(other)
        if number is not None:
            return factor, number
    return None
