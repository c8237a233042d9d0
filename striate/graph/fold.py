"""Batch norm folded into the convolution before it: the same network with fewer steps.

In use, a batch norm is y = s*x + t for each channel, with s = weight / sqrt(var + eps) and t = bias - s*mean,
and so is Scale. After a linear map both disappear into its weights: s*(Wx + b) + t = (sW)x + (sb + t). A pool
in between does not disturb: a mean of s*x + t is s*mean + t, and a maximum too as long as no s is negative.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from striate.graph.graph import Graph, Node, Weights, owner
from striate.ops import (
    AvgPool,
    BatchNorm,
    Conv,
    ConvTranspose,
    Dropout,
    Flatten,
    Identity,
    Linear,
    MaxPool1d,
    MaxPool2d,
    MaxPool3d,
    Mean,
    Reshape,
    Scale,
    Sum,
)

Arrays = dict[str, np.ndarray]
LINEAR_MAPS = (Conv, ConvTranspose, Linear)


def fold_batch_norm(graph: Graph, weights: Weights) -> tuple[Graph, Arrays]:
    """The graph without Dropout, Identity and, wherever a linear map stands before it, BatchNorm and Scale.

    A BatchNorm that has to stay becomes a Scale. Nothing is folded where somebody else reads the map's own
    result. Computed in float64 and stored in the precision of the weight. New tensors are named after the
    node: "layer1.0.conv1.folded.weight", "layer1.0.conv1.folded.bias" ("folded#2" where that name is taken);
    nodes that shared all their tensors share the new ones. Who read a folded node reads the one before it.
    """
    folding = _Folding(graph, weights)
    for node in graph:
        folding.take(node)
    outputs = tuple(folding.current(value) for value in graph.outputs)
    result = Graph(graph.inputs, tuple(folding.nodes.values()), outputs)
    return result, {name: folding.arrays[name] for name in result.tensor_names()}


@dataclass(frozen=True)
class _Affine:
    """y = scale * x + shift for each channel, in float64; ``dim`` is the channels' axis, 1 or -1."""

    scale: np.ndarray
    shift: np.ndarray
    dim: int


class _Folding:
    """Takes the nodes one after the other and builds the folded list."""

    def __init__(self, graph: Graph, weights: Weights) -> None:
        self.arrays: Arrays = dict(weights)
        self.nodes: dict[str, Node] = {}
        self._uses = Counter([value for node in graph for value in node.inputs] + list(graph.outputs))
        self._ranks = _ranks(graph)
        self._renamed: dict[str, str] = {}
        self._known: dict[tuple[object, ...], tuple[str, str]] = {}

    def current(self, value: str) -> str:
        return self._renamed.get(value, value)

    def take(self, node: Node) -> None:
        node = replace(node, inputs=tuple(self.current(value) for value in node.inputs))
        if isinstance(node.op, (Dropout, Identity)):
            self._replace(node.name, node.inputs[0])
            return
        affine = self._affine(node)
        target = self._foldable(node.inputs[0], affine) if affine else None
        if affine is None:
            self.nodes[node.name] = node
        elif target is not None:
            self._fold(self.nodes[target], node, affine)
            self._replace(node.name, node.inputs[0])
        else:
            self.nodes[node.name] = self._as_scale(node, affine)

    def _replace(self, name: str, value: str) -> None:
        """Readers of ``name`` read ``value`` from now on."""
        self._renamed[name] = value
        self._uses[value] += self._uses[name] - 1

    def _affine(self, node: Node) -> _Affine | None:
        """What the node does to each channel, if it is a BatchNorm or a Scale."""
        if not isinstance(node.op, (BatchNorm, Scale)):
            return None
        tensors = {role: self.arrays[name].astype(np.float64) for role, name in node.weights.items()}
        if isinstance(node.op, BatchNorm):
            scale = tensors.get("weight", 1.0) / np.sqrt(tensors["running_var"] + node.op.eps)
            return _Affine(scale, tensors.get("bias", 0.0) - tensors["running_mean"] * scale, 1)
        weight = tensors["weight"]
        return _Affine(weight, tensors.get("bias", np.zeros_like(weight)), node.op.dim)

    def _foldable(self, value: str, affine: _Affine) -> str | None:
        """The linear map before ``value`` that can take the factors, looking through pools."""
        node = self.nodes.get(value)
        while node is not None and self._uses[value] == 1:
            if isinstance(node.op, LINEAR_MAPS):
                return node.name if self._on_channels(node, affine.dim) else None
            if affine.dim != 1 or not _passes(node, affine):
                return None
            value = node.inputs[0]
            node = self.nodes.get(value)
        return None

    def _on_channels(self, node: Node, dim: int) -> bool:
        """Whether axis ``dim`` is that of the map's outputs: 1 for convolutions, the last for Linear."""
        if isinstance(node.op, Linear):
            return dim == -1 or self._ranks[node.name] == 2
        return dim == 1

    def _fold(self, target: Node, source: Node, affine: _Affine) -> None:
        """Put the factors into the weights of ``target``; the same tensors a second time give the same."""
        tensors = (*sorted(target.weights.items()), *sorted(source.weights.items()))
        key = (type(target.op), getattr(target.op, "groups", 1), source.op, tensors)
        if key not in self._known:
            old = self.arrays[target.weights["weight"]]
            bias = self.arrays[target.weights["bias"]].astype(np.float64) if target.op.roles[1:] else 0.0
            weight = _scaled(target, old.astype(np.float64), affine.scale)
            shift = affine.scale * bias + affine.shift
            self._known[key] = self._store(target.name, weight.astype(old.dtype), shift.astype(old.dtype))
        weight_name, bias_name = self._known[key]
        self.nodes[target.name] = replace(
            target,
            op=replace(target.op, bias=True),  # type: ignore[call-arg]  # all three linear maps have it
            weights={"weight": weight_name, "bias": bias_name},
        )

    def _as_scale(self, node: Node, affine: _Affine) -> Node:
        if isinstance(node.op, Scale):
            return node
        dtype = self.arrays[node.weights["running_mean"]].dtype
        names = self._store(node.name, affine.scale.astype(dtype), affine.shift.astype(dtype))
        return replace(
            node,
            op=Scale(node.op.num_features, bias=True),  # type: ignore[attr-defined]  # a BatchNorm
            weights=dict(zip(("weight", "bias"), names, strict=True)),
        )

    def _store(self, node: str, weight: np.ndarray, bias: np.ndarray) -> tuple[str, str]:
        stem, number = f"{node}.folded", 1
        while f"{stem}.weight" in self.arrays:
            number += 1
            stem = f"{node}.folded#{number}"
        names = f"{stem}.weight", f"{stem}.bias"
        self.arrays |= dict(zip(names, (weight, bias), strict=True))
        return names


def _passes(node: Node, affine: _Affine) -> bool:
    """Whether the pool ``node`` gives the same result on either side of s*x + t."""
    op = node.op
    if isinstance(op, (MaxPool1d, MaxPool2d, MaxPool3d)):
        return op.outputs == 1 and bool(np.all(affine.scale >= 0))
    if isinstance(op, AvgPool):  # zeros of the padding, and a foreign divisor, would not take part in t
        padded = any(pair != (0, 0) for pair in op.pads) and op.count_include_pad
        return not padded and op.divisor_override is None
    return False


def _scaled(node: Node, weight: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """The weight with every output channel multiplied by its factor."""
    if not isinstance(node.op, ConvTranspose):
        rows: np.ndarray = weight * scale.reshape(-1, *(1,) * (weight.ndim - 1))
        return rows
    groups = node.op.groups  # (in, out / groups, *kernel): the g-th part of the inputs paints group g
    apart = weight.reshape(groups, -1, *weight.shape[1:])
    factors = scale.reshape(groups, 1, -1, *(1,) * (weight.ndim - 2))
    scaled: np.ndarray = (apart * factors).reshape(weight.shape)
    return scaled


def _ranks(graph: Graph) -> dict[str, int]:
    """The number of axes of each node's result."""
    ranks = {name: len(shape) for name, shape in graph.inputs.items()}
    for node in graph:
        before = [ranks[owner(value)] for value in node.inputs]
        ranks[node.name] = _rank(node, max(before, default=0))
    return ranks


def _rank(node: Node, before: int) -> int:
    op = node.op
    if isinstance(op, Reshape):
        return len(op.shape) + 1
    if isinstance(op, Flatten):  # a number without axes becomes one with one
        return before - (op.end_dim % before - op.start_dim % before) if before else 1
    if isinstance(op, (Mean, Sum)) and not op.keepdim:
        return before - len(op.dim)
    return len(getattr(op, "shape", ())) if not node.inputs else before
