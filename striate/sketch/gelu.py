"""GELU recognised (arXiv 1606.08415) in the steps in which exporters and authors write it.

x * 0.5 * (1 + erf(x / sqrt 2)),  x * 0.5 * (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))),  the factors in any
order. What stands inside erf and tanh is compared as a polynomial in x, however it is multiplied out.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import isclose, pi, sqrt

from striate import ops
from striate.sketch.sketch import Draft, Sketch

Polynomial = dict[int, float]  # exponent -> coefficient
INSIDE: dict[str, Polynomial] = {
    "none": {1: sqrt(0.5)},
    "tanh": {1: sqrt(2 / pi), 3: sqrt(2 / pi) * 0.044715},
}
_DEEPEST = 8  # steps that are followed back
_CLOSE = 1e-5  # constants are written with 6 to 8 digits


@dataclass(frozen=True)
class ErrorFunction(ops.Op):
    """erf: a step on the way to GELU, and no word. A network in which it stays is refused."""


def gelu(sketch: Sketch, key: str, last: Draft) -> bool:
    """Rewrite the last of the products."""
    if not isinstance(last.op, ops.Multiply):
        return False
    number, factors = _factors(sketch, key, 3)
    if len(factors) != 2 or not isclose(number, 0.5, rel_tol=_CLOSE):
        return False
    for x, gate in (factors, factors[::-1]):
        form = _form(sketch, gate, x)
        if form is not None:
            sketch.redraft(key, ops.GELU(form), x)
            return True
    return False


def _factors(sketch: Sketch, value: str, depth: int) -> tuple[float, list[str]]:
    """``value`` as a number times some values."""
    number = sketch.scalar(value)
    if number is not None:
        return number, []
    draft = sketch.producer(value)
    if depth == 0 or draft is None or not isinstance(draft.op, (ops.Multiply, ops.Divide)):
        return 1.0, [value]
    first, second = (_factors(sketch, part, depth - 1) for part in draft.inputs)
    if isinstance(draft.op, ops.Divide):
        divisor = sketch.scalar(draft.inputs[1])
        return (first[0] / divisor, first[1]) if divisor else (1.0, [value])
    return first[0] * second[0], first[1] + second[1]


def _form(sketch: Sketch, gate: str, x: str) -> str | None:
    """The form of which ``gate`` is 1 + erf(...) or 1 + tanh(...) of ``x``."""
    plus = sketch.producer(gate)
    if plus is None or not isinstance(plus.op, ops.Add):
        return None
    for value, other in (plus.inputs, plus.inputs[::-1]):
        step = sketch.producer(value)
        if sketch.scalar(other) != 1 or step is None:
            continue
        form = {ErrorFunction: "none", ops.Tanh: "tanh"}.get(type(step.op))
        if form is not None and _same(polynomial(sketch, step.inputs[0], x), INSIDE[form]):
            return form
    return None


def _same(found: Polynomial | None, wanted: Polynomial) -> bool:
    return (
        found is not None
        and found.keys() == wanted.keys()
        and all(isclose(found[power], wanted[power], rel_tol=_CLOSE) for power in wanted)
    )


def polynomial(sketch: Sketch, value: str, x: str, depth: int = _DEEPEST) -> Polynomial | None:
    """``value`` as a polynomial in ``x`` of at most third degree; None where it is none."""
    if value == x:
        return {1: 1.0}
    number = sketch.scalar(value)
    if number is not None:
        return {0: number}
    draft = sketch.producer(value)
    if draft is None or depth == 0 or len(draft.inputs) != 2:
        return None
    first, second = (polynomial(sketch, part, x, depth - 1) for part in draft.inputs)
    if first is None or second is None:
        return None
    match draft.op:
        case ops.Add():
            return _clean([*first.items(), *second.items()])
        case ops.Multiply():
            return _clean([(p + q, a * b) for p, a in first.items() for q, b in second.items()])
        case ops.Divide() if second.keys() == {0} and second[0]:
            return {power: a / second[0] for power, a in first.items()}
        case ops.Power() if first == {1: 1.0} and second.get(0) in (2, 3) and len(second) == 1:
            return {int(second[0]): 1.0}
    return None


def _clean(terms: list[tuple[int, float]]) -> Polynomial | None:
    found: defaultdict[int, float] = defaultdict(float)
    for power, coefficient in terms:
        found[power] += coefficient
    kept = {power: coefficient for power, coefficient in found.items() if coefficient}
    return kept if max(kept, default=0) <= 3 else None
