"""What exporters took apart, put together again: a bias added after its layer, padding before a convolution.

Each rewrites the last step in place, as the patterns of ``sketch`` do, and never changes a result.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from striate import ops
from striate.sketch import Draft, Sketch, Weight


def tidy(sketch: Sketch) -> None:
    """Apply all of them, from the first node to the last."""
    readers = Counter(value for key in sketch.alive() for value in sketch.drafts[key].inputs)
    readers.update(sketch.outputs)
    for key in list(sketch.drafts):
        last = sketch.drafts[key]
        if not padded(sketch, key, last) and not biased(sketch, key, last, readers):
            shifted(sketch, key, last)


def padded(sketch: Sketch, key: str, last: Draft) -> bool:
    """A convolution of a map that was padded with zeros pads for itself."""
    pad = sketch.producer(last.inputs[0]) if isinstance(last.op, ops.Conv) else None
    if pad is None or not isinstance(pad.op, ops.Pad) or not isinstance(last.op, ops.Conv):
        return False
    own, before = last.op.pads, pad.op.padding
    plain = pad.op.mode == "zeros" == last.op.padding_mode and pad.op.value == 0
    if not plain or len(before) != last.op.axes or min(min(pair) for pair in before) < 0:
        return False
    together = tuple((a + c, b + d) for (a, b), (c, d) in zip(own, before, strict=True))
    sketch.redraft(key, replace(last.op, padding=together), *pad.inputs, **last.weights)
    return True


def biased(sketch: Sketch, key: str, last: Draft, readers: Counter[str]) -> bool:
    """A constant for each channel, added to a convolution or a linear map that nobody else reads."""
    if not isinstance(last.op, ops.Add):
        return False
    for value, other in (last.inputs, last.inputs[::-1]):
        layer = sketch.producer(value)
        if layer is None or not isinstance(layer.op, (ops.Conv, ops.Linear)) or layer.op.bias:
            continue
        if readers[value] > 1:
            continue
        axis = -1 if isinstance(layer.op, ops.Linear) else 1
        bias = _vector(sketch, key, value, other, axis)
        if bias is not None:
            sketch.redraft(key, replace(layer.op, bias=True), *layer.inputs, **layer.weights, bias=bias)
            return True
    return False


def shifted(sketch: Sketch, key: str, last: Draft) -> bool:
    """x + b with one summand for each channel: a Scale by 1, which folds into the layer before it."""
    if not isinstance(last.op, ops.Add):
        return False
    for value, other in (last.inputs, last.inputs[::-1]):
        bias = _vector(sketch, key, value, other, 1)
        if bias is not None and bias.array.size > 1 and len(sketch.shapes[value]) > 2:
            ones = Weight(None, np.ones_like(bias.array))
            sketch.redraft(key, ops.Scale(bias.array.size), value, weight=ones, bias=bias)
            return True
    return False


def _vector(sketch: Sketch, key: str, value: str, other: str, axis: int) -> Weight | None:
    """The constant ``other`` as one number for each entry of that axis of ``value``."""
    weight, shape = sketch.constant(other), sketch.shapes[value]
    if weight is None or sketch.shapes[key] != shape or len(shape) < 2:
        return None
    axis %= len(shape)
    spread = (1,) * (len(shape) - weight.array.ndim) + weight.array.shape
    wanted = tuple(size if i == axis else 1 for i, size in enumerate(shape))
    if spread != wanted or (weight.array.ndim == 0 and shape[axis] != 1):
        return None
    return Weight(weight.name, np.ascontiguousarray(weight.array.reshape(-1)))
