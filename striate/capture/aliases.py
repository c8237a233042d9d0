"""Operations that write in place, and who may still read what they wrote over.

A graph of words has no memory: every word gives a new value. ``relu_(x)`` can be read as ``relu(x)`` as
long as nobody later reads another tensor that shares the memory of ``x``. The export already sends later
readers of ``x`` itself to the result; what is left are views taken before the write.
"""

from __future__ import annotations

import torch
from torch import fx

# Composite operations whose result may share memory with their first input, which the schema does not say.
MAYBE_VIEWS = {
    *("reshape", "flatten", "unflatten", "contiguous", "to", "type_as", "expand_as"),
    *("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout"),
    *("chunk", "split", "tensor_split", "narrow", "movedim", "moveaxis", "swapaxes", "swapdims", "mT"),
}


class Aliases:
    """Which memory each node's result lives in, and how often that memory was written to."""

    def __init__(self) -> None:
        self._memory: dict[fx.Node, fx.Node] = {}
        self._writes: dict[fx.Node, int] = {}
        self._seen: dict[fx.Node, int] = {}

    def follow(self, node: fx.Node) -> bool:
        """Take the next node of the program; whether it reads a value that was overwritten."""
        stale = any(
            self._seen.get(source, 0) != self._writes.get(self._home(source), 0)
            for source in node.all_input_nodes
        )
        first = next(iter(node.all_input_nodes), None)
        written = _writes_first(node)
        if first is not None and (written or _may_be_view(node)):
            self._memory[node] = self._home(first)
        if written and first is not None:
            home = self._home(first)
            self._writes[home] = self._writes.get(home, 0) + 1
        self._seen[node] = self._writes.get(self._home(node), 0)
        return stale

    def _home(self, node: fx.Node) -> fx.Node:
        return self._memory.get(node, node)


def _writes_first(node: fx.Node) -> bool:
    if not isinstance(node.target, torch._ops.OpOverload):
        return False
    arguments = node.target._schema.arguments
    changes = bool(arguments) and arguments[0].alias_info is not None and arguments[0].alias_info.is_write
    return changes and not node.target.overloadpacket.__name__.startswith("detach")


def _may_be_view(node: fx.Node) -> bool:
    if not isinstance(node.target, torch._ops.OpOverload):
        return True  # getitem of a list of views
    name = node.target.overloadpacket.__name__
    return node.target.is_view or name in MAYBE_VIEWS or name.startswith("detach")
