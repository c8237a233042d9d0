"""``capture``: any torch module as a graph of words and its tensors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor, nn

from striate.capture import (  # noqa: F401  each fills its part of the registry
    activation,
    convolution,
    dense,
    join,
    normalisation,
    parts,
    passing,
    pooling,
    quantisation,
    resample,
    reshape,
)
from striate.capture.chain import chained
from striate.capture.program import as_tensors, export
from striate.capture.reading import Reading
from striate.graph import Graph
from striate.sketch import named_graph, recognise


def capture(
    module: nn.Module, example: Tensor | Sequence[Tensor] | Sequence[int | str], *, dynamic_batch: bool = True
) -> tuple[Graph, dict[str, np.ndarray]]:
    """The network as it acts in evaluation mode, functional calls and additions included.

    ``example`` is an input (N, C, H, W), a tensor or array, a tuple of inputs, or a shape such as
    (1, 3, 32, 32); its values do not matter. The batch becomes "N" in the graph's input shapes; where the
    module fixes it, the example's batch stands there and StaticBatchWarning says why. The module itself is
    left as it was.

    Returns the graph and its tensors under the module's own names (state_dict); tied tensors once. Numbers in
    the forward are float64 constants "constant.0" ... Half precision is widened to float32. On the meta
    device, tensors are all NaN and take no memory.

    ShapeError: the module fails on the example. UnsupportedError: an operation that striate has no word for,
    named with module path and source line. ArgumentError: no such example.
    """
    tensors = as_tensors(module, example)
    sketch = chained(module, tensors) if dynamic_batch else None
    if sketch is None:
        sketch = Reading(module, export(module, tensors, dynamic_batch=dynamic_batch)).read()
    recognise(sketch)
    return named_graph(sketch)
