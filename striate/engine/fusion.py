"""Which words run in one pass, beside activations and additions: what is asked of a graph's neighbours."""

from __future__ import annotations

from dataclasses import replace

from striate import ops
from striate.engine.stage import Gated, Opening, Pair, Pooled, Stage, Value
from striate.ops import Op


def merged(stage: Stage, reader: ops.Op, *, opens: bool) -> Op | None:
    """The word for ``stage`` and the ``reader`` that alone reads it; None: they run one after the other.

    ``opens``: the stage reads the network's input.
    """
    match stage.op, reader:
        case ops.Conv2d() as first, ops.Conv2d() if pairs(first, reader):
            return Pair(first, stage.words, reader)
        case ops.Conv2d() as first, ops.Conv2d() if opens:
            return Opening(first, stage.words, reader)
        case ops.Conv2d() as first, ops.MaxPool2d() if pools(first, reader, stage.output):
            return Pooled(first, stage.words, reader)
        case Opening(second=ops.Conv2d() as second) as both, ops.MaxPool2d() if pools(
            second, reader, stage.output
        ):
            return replace(both, second=Pooled(second, stage.words, reader))
        case ops.Multiply(), ops.Conv2d() if gates(stage, reader):
            return Gated(reader)
    return None


def pairs(first: ops.Conv2d, second: ops.Conv2d) -> bool:
    """Whether ``first`` works on each pixel alone, and ``second`` on each channel alone."""
    pointwise = first.kernel_size == (1, 1) and first.stride == (1, 1) and first.groups == 1
    unpadded = all(pair == (0, 0) for pair in first.pads)
    depthwise = second.groups == second.in_channels == second.out_channels
    return pointwise and unpadded and depthwise and second.padding_mode == "zeros"


def pools(first: ops.Conv2d, pool: ops.MaxPool2d, between: Value) -> bool:
    """Whether ``pool`` is of 2 x 2 side by side, and ``first`` a convolution that might take it over."""
    plain = not pool.return_indices and not any(map(any, pool.pads)) and pool.dilation == (1, 1)
    beside = pool.kernel_size == pool.stride == (2, 2)
    whole = not pool.ceil_mode or not (between.dims[1] % 2 or between.dims[2] % 2)
    return plain and beside and whole and between.natural and first.groups == 1


def gates(stage: Stage, reader: ops.Conv2d) -> bool:
    """Whether ``stage`` multiplies each channel of a map by a value, ``reader`` takes each pixel alone."""
    wide, lone = [value.dims[1:] != (1, 1) for value in stage.inputs], reader.kernel_size == (1, 1)
    plain = reader.groups == 1 and not any(map(any, reader.pads)) and not stage.words
    return sorted(wide) == [False, True] and lone and plain and stage.inputs[wide.index(True)].natural


def keeps_sums(stage: Stage) -> bool:
    """Whether a pass over each channel alone can say what its rows add up to."""
    last = stage.op.second if isinstance(stage.op, Pair) else stage.op
    if not isinstance(last, ops.Conv2d) or not stage.output.natural or stage.output.dims[1:] == (1, 1):
        return False
    return last.groups == last.in_channels == last.out_channels > 1


def averages(op: ops.Op) -> bool:
    """Whether it is the mean of each channel over its map."""
    if isinstance(op, ops.AdaptiveAvgPool2d):
        return op.output_size in (1, (1, 1))
    return isinstance(op, ops.Mean) and {dim % 4 for dim in op.dim} == {2, 3}
