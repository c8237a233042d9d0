"""The sizes of a value as a constant: where shape arithmetic begins."""

from __future__ import annotations

from typing import Any

import numpy as np

from striate.onnx.batch import BATCH, Batch
from striate.onnx.call import Call
from striate.onnx.registry import reads
from striate.onnx.value import Fixed


@reads("Shape", 1, 13, 15, 19, 21, 23, 24, 25)
def shape(call: Call) -> Fixed:
    """The only way from an image's value to a constant; the first size is the batch."""
    whole = [Batch() if size == BATCH else size for size in call.shape()]
    start, end = call.integer("start", 0), call.integer("end", len(whole))
    sizes = np.empty(len(whole), object)
    sizes[:] = whole
    return call.result(sizes[start:end])


@reads("Size", 1, 13, 19, 21, 23, 24, 25)
def size(call: Call) -> Fixed:
    count: Any = 1
    for entry in call.shape():
        count = (Batch() if entry == BATCH else entry) * count
    found = np.empty((), object)
    found[()] = count
    return call.result(found)
