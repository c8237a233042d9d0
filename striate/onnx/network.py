"""``read_onnx``: an ONNX file as a graph of words and its tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from pathlib import Path

import numpy as np
from onnx import ValueInfoProto

from striate.errors import ArgumentError, GraphError, StriateError, UnsupportedError
from striate.graph import Graph, Shape
from striate.onnx import readers  # noqa: F401  it fills the registry
from striate.onnx.batch import BATCH
from striate.onnx.file import Model, open_model
from striate.onnx.limits import MOST_VALUES
from striate.onnx.reading import Reading, inputs_of
from striate.onnx.tidy import tidy
from striate.ops import Constant
from striate.sketch import named_graph, recognise
from striate.sketch.gelu import ErrorFunction

PROBES = ((224, 288, 320), (257, 331, 193))  # sizes that have no divisor but 1 in common, axis by axis
Sizes = tuple[int, ...]


def read_onnx(path: str | Path, size: Sequence[int] | None = None) -> tuple[Graph, dict[str, np.ndarray]]:
    """The network of an ONNX file, opset 11 to 28, in words, and its tensors, named after their layers.

    ``size`` of the input without the batch, (3, 224, 224): needed only where the file leaves sizes open and
    its words depend on them. The batch is always "N": whatever number the file states, every word gives one
    result for each image. An open size stays open (a name in the graph's input shape) where the words do not
    depend on it. Half precision is widened to single.

    Raises GraphError for a damaged file, UnsupportedError naming operator and node for what has no word,
    ArgumentError for a size that the file does not allow. Tensors in files of their own are read from the
    model's folder only.
    """
    return words_of(open_model(Path(path)), size)


def words_of(model: Model, size: Sequence[int] | None = None) -> tuple[Graph, dict[str, np.ndarray]]:
    """The same for a model that has been parsed."""
    stated = {info.name: _stated(info, model) for info in inputs_of(model.graph)}
    if size is not None:
        return _read(model, _chosen(stated, tuple(size), model))
    if all(isinstance(entry, int) for shape in stated.values() for entry in shape):
        return _read(model, stated)  # type: ignore[arg-type]
    return _open_sizes(model, stated)


def _read(model: Model, sizes: dict[str, Sizes]) -> tuple[Graph, dict[str, np.ndarray]]:
    sketch = Reading(model, sizes).read()
    recognise(sketch)
    tidy(sketch)
    for key in sketch.alive():
        draft = sketch.drafts[key]
        if isinstance(draft.op, ErrorFunction):
            raise UnsupportedError(
                f"{model.path}: Erf (node {draft.place.path!r}) cannot be read: it has a word only inside "
                f"GELU, "
                "0.5 x (1 + erf(x / sqrt 2)); write that."
            )
    return _called_by_layers(*named_graph(sketch))


def _called_by_layers(graph: Graph, arrays: dict[str, np.ndarray]) -> tuple[Graph, dict[str, np.ndarray]]:
    """Tensors named after the first layer that uses them, "conv1.weight": files have "onnx::Conv_193"."""
    names: dict[str, str] = {}
    for node in graph:
        for role, tensor in node.weights.items():
            names.setdefault(tensor, tensor if isinstance(node.op, Constant) else f"{node.name}.{role}")
    nodes = [replace(node, weights={role: names[t] for role, t in node.weights.items()}) for node in graph]
    found = {names[tensor]: array for tensor, array in arrays.items()}
    return (
        (Graph(graph.inputs, tuple(nodes), graph.outputs), found)
        if len(found) == len(arrays)
        else (graph, arrays)
    )


# --- sizes ------------------------------------------------------------------------------------------------


def _stated(info: ValueInfoProto, model: Model) -> Shape:
    """Sizes of an input without the batch; open ones by name."""
    if not info.type.HasField("tensor_type") or not info.type.tensor_type.HasField("shape"):
        raise UnsupportedError(
            f"{model.path}: input {info.name!r} must be a tensor with a number of axes: export it with its "
            f"shape."
        )
    dims = list(info.type.tensor_type.shape.dim)
    if not dims:
        raise UnsupportedError(f"{model.path}: input {info.name!r} must have a batch axis, it is one number.")
    sizes: list[int | str] = []
    for axis, dim in enumerate(dims):
        name = dim.dim_param if dim.dim_param.isidentifier() and dim.dim_param != BATCH else f"size{axis}"
        sizes.append(dim.dim_value if dim.HasField("dim_value") else name)
    numbers = [entry for entry in sizes if isinstance(entry, int)]
    if min(numbers, default=1) < 1 or prod(numbers) > MOST_VALUES:
        raise GraphError(
            f"{model.path}: input {info.name!r} must have sizes of at least 1, {MOST_VALUES} values at "
            f"most, got "
            f"{sizes}: export it again."
        )
    return tuple(sizes[1:])


def _chosen(stated: dict[str, Shape], size: Sizes, model: Model) -> dict[str, Sizes]:
    """The caller's size, which may fill what is open and nothing else."""
    if len(stated) != 1:
        raise ArgumentError(f"input must be left out for a network of {len(stated)} inputs, got {size}.")
    ((name, shape),) = stated.items()
    fits = len(size) == len(shape) and all(
        isinstance(open_, str) or open_ == chosen for open_, chosen in zip(shape, size, strict=True)
    )
    if not fits or prod(size) > MOST_VALUES:
        wanted, got = (" x ".join(map(str, sizes)) for sizes in (shape, size))
        raise ArgumentError(
            f"input must be {wanted} for {model.path}, got {got}: give that size, or export the network anew."
        )
    return {name: size}


def _open_sizes(model: Model, stated: dict[str, Shape]) -> tuple[Graph, dict[str, np.ndarray]]:
    """Read for two very different sizes; if the words are the same, they do not depend on it."""
    try:
        first, second = (
            _read(model, {name: _filled(shape, probe) for name, shape in stated.items()}) for probe in PROBES
        )
        same = _words(first[0]) == _words(second[0]) and first[1].keys() == second[1].keys()
        same = same and all(
            np.array_equal(first[1][name], second[1][name], equal_nan=True) for name in first[1]
        )
        reason = "its layers depend on them"
    except StriateError as error:
        same, reason = False, str(error)
    if not same:
        sizes = "; ".join(" x ".join(map(str, shape)) for shape in stated.values())
        raise ArgumentError(
            f"{model.path} leaves sizes of its input open ({sizes}), and input must be given, such as "
            f"3x224x224: "
            f"{reason}."
        )
    graph, weights = first
    shapes = {name: (BATCH, *stated_) for name, stated_ in zip(graph.inputs, stated.values(), strict=True)}
    return Graph(shapes, graph.nodes, graph.outputs), weights


def _words(graph: Graph) -> list[object]:
    return [(node.name, node.op, node.inputs, dict(node.weights)) for node in graph]


def _filled(shape: Shape, probe: Sizes) -> Sizes:
    values = iter(probe)
    return tuple(entry if isinstance(entry, int) else next(values, 17) for entry in shape)
