"""What other counters look at and a graph does not hold: the tree of modules, and who owns which tensor."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import prod

from striate.arithmetic import NOT_LEARNED
from striate.graph import Graph, Node
from striate.ops import AdaptivePool, AvgPool, Conv, ConvTranspose, Op
from striate.ops.weights import weight_shapes

_AS_IN_TORCH = (
    "ReLU ReLU6 LeakyReLU PReLU ELU SELU GELU SiLU Sigmoid Tanh Softmax LogSoftmax "
    "Linear LayerNorm LocalResponseNorm Upsample"
)
_CLASSES = {name: name for name in _AS_IN_TORCH.split()}
_CLASSES |= {"BatchNorm": "BatchNorm2d", "HardSigmoid": "Hardsigmoid", "HardSwish": "Hardswish"}


@dataclass(frozen=True)
class ModuleFacts:
    """The modules of a network that have no modules inside, and every parameter.

    ``leaves``: path -> class; torch's own by its short name, "Conv2d", others with their package.
    ``sizes``: every parameter's number of values, under each of its names. ``owners``: each of those names
    -> the first, which is the tensor's name in the graph. ``trainable``: those that are learned.
    """

    leaves: Mapping[str, str]
    sizes: Mapping[str, int]
    owners: Mapping[str, str]
    trainable: Collection[str]

    def leaf(self, node: Node) -> str | None:
        """The path of the module without children that runs ``node``; None for a functional call."""
        path = node.name.partition("#")[0]
        for candidate in (path, path.rpartition(".")[0]):
            if candidate in self.leaves:
                return candidate
        return None

    def own(self, node: Node) -> dict[str, int]:
        """The parameters of ``node`` that its leaf module owns: attribute -> number of values."""
        leaf = self.leaf(node)
        if leaf is None:
            return {}
        used = {tensor.partition("#")[0] for tensor in node.weights.values()}
        names = {name for name, first in self.owners.items() if first in used}
        return {
            name.rpartition(".")[2]: self.sizes[name] for name in names if name.rpartition(".")[0] == leaf
        }


def assumed_facts(graph: Graph, trainable: Collection[str] | None = None) -> ModuleFacts:
    """What a graph alone lets one assume: each layer is one of torch's modules.

    A layer whose tensors belong to the network itself ("w" instead of "conv1.weight"), and a word that torch
    has no module for, are taken for functional calls.
    """
    leaves: dict[str, str] = {}
    sizes: dict[str, int] = {}
    owners: dict[str, str] = {}
    for node in graph:
        path, kind = node.name.partition("#")[0], torch_class(node.op)
        if kind is not None and all("." in tensor for tensor in node.weights.values()):
            leaves[path] = kind
        for role, shape in weight_shapes(node.op).items():
            tensor = node.weights[role]
            if role not in NOT_LEARNED if trainable is None else tensor in trainable:
                name = f"{path}.{role}" if path in leaves else tensor
                sizes[name], owners[name] = prod(shape), tensor
    return ModuleFacts(leaves, sizes, owners, frozenset(owners.values()))


def torch_class(op: Op) -> str | None:
    """The class of torch.nn that does what the word says; None where there is none."""
    name = type(op).__name__
    if isinstance(op, (Conv, ConvTranspose, AvgPool, AdaptivePool)) or name.startswith("MaxPool"):
        return name
    return _CLASSES.get(name)
