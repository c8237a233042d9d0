"""From a file to the model in it: read whole, parsed, its version checked. Nothing is executed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.message import DecodeError
from onnx import GraphProto, ModelProto, defs

from striate.errors import GraphError, UnsupportedError
from striate.onnx.limits import MOST_DEPTH, MOST_FILE_BYTES

OLDEST, NEWEST = 11, 28  # opsets; each operator's own version is checked as well
STANDARD = ("", "ai.onnx")


@dataclass(frozen=True)
class Model:
    """``path``: where it was read; tensors in files of their own lie in the same folder."""

    graph: GraphProto
    opset: int
    path: Path


def open_model(path: Path) -> Model:
    """Read and parse ``path``.

    Raises GraphError for what is no ONNX file (missing, empty, cut, larger than protobuf allows),
    UnsupportedError for an opset or a feature that is not read.
    """
    if not path.is_file():
        raise GraphError(f"{path} must be an existing ONNX file, it is not: check the path.")
    try:
        size = path.stat().st_size
        if size > MOST_FILE_BYTES:
            raise GraphError(
                f"{path} must have at most {MOST_FILE_BYTES} bytes, as protobuf demands, got {size}: "
                "save its tensors as external data."
            )
        content = path.read_bytes()
    except OSError as error:
        raise GraphError(f"{path} cannot be read ({error.strerror or error}): check the file.") from None
    return parse_model(content, path)


def parse_model(content: bytes, path: Path) -> Model:
    """The model in these bytes; ``path`` is where they were read."""
    try:
        proto = ModelProto.FromString(content)
    except (DecodeError, ValueError, RecursionError):
        raise GraphError(f"{path} is damaged, or no ONNX file: export the network again.") from None
    if not proto.HasField("graph") or not proto.opset_import:
        raise GraphError(
            f"{path} must hold a graph and its opset, it does not: it is damaged, or no ONNX file; export "
            f"the "
            "network again."
        )
    if proto.functions:
        raise UnsupportedError(
            f"{path} defines functions of its own ({proto.functions[0].name}): inline them with "
            "onnx.inliner.inline_local_functions, and save the file again."
        )
    if not all(isinstance(text, str) for text in _texts(proto.graph)):
        raise GraphError(f"{path} is damaged, its names are no text: export the network again.")
    return Model(proto.graph, _opset(proto, path), path)


def _texts(graph: GraphProto, depth: int = MOST_DEPTH) -> Iterator[str]:
    """Every name in a graph; where the bytes are no UTF-8, protobuf gives the bytes."""
    for info in (*graph.input, *graph.output):
        yield info.name
        yield from (dim.dim_param for dim in info.type.tensor_type.shape.dim)
    for tensor in graph.initializer:
        yield tensor.name
        yield from (text for entry in tensor.external_data for text in (entry.key, entry.value))
    for node in graph.node:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        yield from (text for entry in node.metadata_props for text in (entry.key, entry.value))
        for attribute in node.attribute:
            yield from (attribute.name, attribute.ref_attr_name, attribute.t.name)
            if depth:
                yield from _texts(attribute.g, depth - 1)


def _opset(proto: ModelProto, path: Path) -> int:
    versions = {entry.version for entry in proto.opset_import if entry.domain in STANDARD}
    if len(versions) != 1:
        raise GraphError(
            f"{path} must name one opset of ONNX, got {sorted(versions)}: export the network again."
        )
    (opset,) = versions
    newest = min(NEWEST, defs.onnx_opset_version())  # the package onnx knows what each opset changed
    if not OLDEST <= opset <= newest:
        raise UnsupportedError(
            f"{path}: opset must be between {OLDEST} and {newest}, got {opset}: export with "
            f"opset_version=18, "
            "or convert the file with onnx.version_converter."
        )
    return int(opset)
