"""The name of a node as a path of modules, where its exporter wrote one down."""

from __future__ import annotations

import ast
import re

from onnx import NodeProto

SCOPES = "pkg.torch.onnx.name_scopes"  # what torch's newer exporter notes beside each node
_ENDING = re.compile(r"(_\d+)?$")


def path_of(node: NodeProto) -> str:
    """ "layer1.0.conv1" from torch's scopes or from "/layer1/layer1.0/conv1/Conv"; else the name with dots.

    Empty for what stands in no module.
    """
    for entry in node.metadata_props:
        if entry.key == SCOPES and len(entry.value) < 2000:
            scopes = _scopes(entry.value)
            if scopes:
                return scopes
    name = node.name or next(iter(node.output), "") or node.op_type
    parts = [part for part in name.split("/") if part]
    if _ENDING.sub("", parts[-1]) == node.op_type:
        parts = parts[:-1]
    joined: list[str] = []
    for part in parts:
        if joined and part.startswith(f"{joined[-1]}."):  # torch repeats the path of a Sequential
            joined[-1] = part
        else:
            joined.append(part)
    return ".".join(joined).replace(":", "_")


def _scopes(text: str) -> str:
    """The innermost module in "['', 'layer1', 'layer1.0', 'layer1.0.conv1', 'conv2d_1']"."""
    try:
        names = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return ""
    modules = names[:-1] if isinstance(names, list) else []
    return str(modules[-1]).replace(":", "_") if modules else ""
