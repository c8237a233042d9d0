"""Local response normalisation, which torch writes as seven steps.

x / (k + alpha * avg_pool(pad(x * x)))^beta,  the pool running over the channels, made a spatial axis
"""

from __future__ import annotations

from striate import ops
from striate.sketch.sketch import Draft, Sketch


def local_response(sketch: Sketch, key: str, last: Draft) -> bool:
    """Rewrite the last step, the division, as LocalResponseNorm."""
    if not isinstance(last.op, ops.Divide):
        return False
    value = last.inputs[0]
    power = _with_number(sketch, last.inputs[1], ops.Power)
    total = _with_number(sketch, power[0], ops.Add) if power else None
    scaled = _with_number(sketch, total[0], ops.Multiply) if total else None
    if power is None or total is None or scaled is None:
        return False
    size = _neighbours(sketch, scaled[0], value)
    if size is None:
        return False
    sketch.redraft(key, ops.LocalResponseNorm(size, alpha=scaled[1], beta=power[1], k=total[1]), value)
    return True


def _with_number(sketch: Sketch, value: str, word: type[ops.Op]) -> tuple[str, float] | None:
    """(x, c), where ``value`` is ``word(x, c)``."""
    draft = sketch.producer(value)
    number = sketch.scalar(draft.inputs[1]) if draft and isinstance(draft.op, word) else None
    return (draft.inputs[0], number) if draft and number is not None else None


def _neighbours(sketch: Sketch, mean: str, value: str) -> int | None:
    """The size n, where ``mean`` is the mean of the squares of ``value`` over n neighbouring channels."""
    pool = _before_reshapes(sketch, mean)
    pad = sketch.producer(pool.inputs[0]) if pool and isinstance(pool.op, ops.AvgPool) else None
    squares = _before_reshapes(sketch, pad.inputs[0]) if pad and isinstance(pad.op, ops.Pad) else None
    if pool is None or pad is None or squares is None or not isinstance(squares.op, ops.Multiply):
        return None
    shape = sketch.shapes[value]
    stacked = sketch.shapes[pad.inputs[0]]  # (N, 1, C, ...): channels where the pool runs
    size = getattr(pool.op, "kernel_size", (0,))[0]
    axes = len(stacked) - 2
    expected_pool = type(pool.op)((size, *(1,) * (axes - 1)), stride=1)  # type: ignore[call-arg]
    expected_pad = ops.Pad(((size // 2, (size - 1) // 2), *((0, 0),) * (axes - 1)))
    same = (
        squares.inputs == (value, value)
        and stacked[:3] == (shape[0], 1, shape[1])
        and sketch.shapes[mean] == shape
        and pool.op == expected_pool
        and pad.op == expected_pad
    )
    return size if same else None


def _before_reshapes(sketch: Sketch, value: str) -> Draft | None:
    draft = sketch.producer(value)
    while draft is not None and isinstance(draft.op, ops.Reshape):
        draft = sketch.producer(draft.inputs[0])
    return draft
