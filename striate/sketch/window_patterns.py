"""Window words recognised: minimum pools, convolutions with their own padding mode, 1-d unpooling."""

from __future__ import annotations

from striate import ops
from striate.sketch.sketch import Draft, Sketch

MINIMA: dict[type[ops.Op], type[ops.ExtremePool]] = {
    ops.MaxPool1d: ops.MinPool1d,
    ops.MaxPool2d: ops.MinPool2d,
    ops.MaxPool3d: ops.MinPool3d,
}
WINDOW = ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")


def minimum_pool(sketch: Sketch, key: str, last: Draft) -> bool:
    """-maxpool(-x). Padding is right as well: minus infinity, negated, never is the minimum.

    A pool that gives indices becomes the minimum pool itself, whose indices they are; that is possible where
    nobody but the last step reads its values.
    """
    if not isinstance(last.op, ops.Negate):
        return False
    pool = sketch.producer(last.inputs[0])
    first = sketch.producer(pool.inputs[0]) if pool else None
    if pool is None or first is None or not isinstance(first.op, ops.Negate) or type(pool.op) not in MINIMA:
        return False
    op = MINIMA[type(pool.op)](**{name: getattr(pool.op, name) for name in WINDOW})
    if op.outputs == 1:
        sketch.redraft(key, op, *first.inputs)
        return True
    if sketch.readers(last.inputs[0]) != [key]:
        return False
    sketch.redraft(last.inputs[0], op, *first.inputs)
    sketch.replace(key, last.inputs[0])
    return True


def padded_convolution(sketch: Sketch, key: str, last: Draft) -> bool:
    """nn.ConvNd with a padding mode other than zeros: torch pads first and then convolves without padding."""
    if not isinstance(last.op, ops.Conv) or any(pair != (0, 0) for pair in last.op.pads):
        return False
    pad = sketch.producer(last.inputs[0])
    same_module = pad is not None and last.place.builtin and pad.place.call == last.place.call
    if pad is None or not isinstance(pad.op, ops.Pad) or pad.op.mode == "zeros" or not same_module:
        return False
    if len(pad.op.padding) != last.op.axes:
        return False
    names = ("in_channels", "out_channels", "kernel_size", "stride", "dilation", "groups", "bias")
    fields = {name: getattr(last.op, name) for name in names}
    op = type(last.op)(**fields, padding=pad.op.padding, padding_mode=pad.op.mode)
    sketch.redraft(key, op, *pad.inputs, **last.weights)
    return True


def unpool_1d(sketch: Sketch, key: str, last: Draft) -> bool:
    """nn.MaxUnpool1d: torch adds an axis of size 1, unpools in two axes, and drops the axis."""
    unpool = sketch.producer(last.inputs[0]) if isinstance(last.op, ops.Reshape) else None
    if unpool is None or not isinstance(unpool.op, ops.MaxUnpool2d) or len(sketch.shapes[key]) != 3:
        return False
    values, indices = (sketch.producer(value) for value in unpool.inputs)
    if not all(part and isinstance(part.op, ops.Reshape) for part in (values, indices)):
        return False
    op, size = unpool.op, unpool.op.output_size
    if values is None or indices is None or size is None or size[1] != 1:
        return False
    word = ops.MaxUnpool1d(op.kernel_size[:1], op.stride[:1], op.padding[:1], output_size=size[:1])
    sketch.redraft(key, word, values.inputs[0], indices.inputs[0])
    return True
