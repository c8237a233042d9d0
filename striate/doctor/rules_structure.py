"""Rules about the whole: what is never used, what is used twice, what comes in."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from striate.arithmetic import graph_parameters
from striate.doctor.patient import Patient
from striate.doctor.rule import TEXTBOOK, Hit, rule
from striate.graph import owner
from striate.ops import (
    BatchNorm,
    Concat,
    Constant,
    Flatten,
    LayerNorm,
    LogSoftmax,
    Mean,
    Softmax,
    Sum,
)


@rule(
    "dead-branch",
    severity="warning",
    title="values that no output depends on",
    reason="They are computed for nothing: a branch whose result was overwritten or never returned.",
    source="the graph itself: no way leads from here to an output",
)
def dead_branch(patient: Patient) -> Iterator[Hit]:
    alive = {owner(value) for value in patient.graph.outputs}
    for node in reversed(patient.graph.nodes):
        if node.name in alive:
            alive |= set(map(owner, node.inputs))
    for name in (*patient.graph.inputs, *(node.name for node in patient.graph)):
        if name not in alive:
            yield Hit(name, "no output depends on it.", "remove it, or use its value")


@rule(
    "unused-parameters",
    severity="warning",
    title="parameters that the network does not use",
    reason="They are stored and counted, get no gradient, and DistributedDataParallel stops at them. "
    "Auxiliary heads, which only training uses, are reported too: the graph is that of the network in use.",
    source="PyTorch, DistributedDataParallel: find_unused_parameters",
    uses="graph, parameters",
)
def unused(patient: Patient) -> Iterator[Hit]:
    used = {name.partition("#")[0] for name in patient.graph.tensor_names()}
    missing = [name for name in patient.parameters or () if name not in used]
    modules = dict.fromkeys(name.rpartition(".")[0] or name for name in missing)
    for module in modules:
        yield Hit(module, "its parameters are never used.", f"remove {module}, or call it in forward")


@rule(
    "tied-weights",
    severity="note",
    title="layers that share a tensor",
    reason="They are counted once, trained together and must be copied together. Meant in some networks; "
    "in others the same module was put into a list twice.",
    source=f"{TEXTBOOK}, section 1.2: shared parameters; torchinfo issues 322 and 377 (counted twice)",
)
def tied(patient: Patient) -> Iterator[Hit]:
    constants = {node.name for node, _ in patient.of(Constant)}
    for name, first in graph_parameters(patient.graph).shared.items():
        if name in constants:
            continue
        yield Hit(
            name, f"it shares its parameters with {first}.", "build a module of its own if that is not meant"
        )


@rule(
    "batch-axis-mixed",
    severity="error",
    title="an operation over the batch axis",
    reason="The answer for one image then depends on which others are in the batch with it.",
    source="PyTorch's layout (N, C, H, W): axis 0 counts images",
)
def batch_axis(patient: Patient) -> Iterator[Hit]:
    for node, op in patient.of(Softmax, LogSoftmax, Mean, Sum, Concat, Flatten):
        rank = len(patient.shapes[node.inputs[0]])
        dims = op.start_dim if isinstance(op, Flatten) else op.dim  # type: ignore[attr-defined]
        axes = {dim % rank for dim in (dims if isinstance(dims, tuple) else (dims,))}
        if 0 in axes and patient.shapes[node.inputs[0]][0] == next(iter(patient.graph.inputs.values()))[0]:
            argument = "start_dim=1" if isinstance(op, Flatten) else "dim=1"
            yield Hit(node.name, f"{type(op).__name__} works over axis 0, the images.", f"write {argument}")


@rule(
    "weights-not-finite",
    severity="error",
    title="weights that are infinite or not a number",
    reason="Every answer will be not a number.",
    source="IEEE 754: a sum with NaN is NaN",
    uses="graph, weights",
)
def finite(patient: Patient) -> Iterator[Hit]:
    for node in patient.graph:
        for name in node.weights.values():
            array = (patient.weights or {}).get(name)
            if array is not None and not np.isfinite(array).all():
                bad = int((~np.isfinite(array)).sum())
                fix = "go back to an earlier checkpoint, and train with a lower learning rate"
                yield Hit(node.name, f"{bad} values of {name} are not finite.", fix)


@rule(
    "input-not-normalised",
    severity="warning",
    title="an input that is far from mean 0 and deviation 1",
    reason="The first layer's gradients then all point the same way and training crawls. Values of 0 to 255 "
    "are the usual case. A network that begins with a normalisation does it itself.",
    source="LeCun, Bottou, Orr and Müller 1998, Efficient BackProp, section 4.3",
    uses="graph, statistics",
)
def normalised(patient: Patient) -> Iterator[Hit]:
    statistics = patient.statistics
    first = next((n for n in patient.graph if set(n.inputs) & set(patient.graph.inputs)), None)
    if statistics is None or first is None or isinstance(first.op, (BatchNorm, LayerNorm)):
        return
    mean, std = statistics.mean, statistics.std
    if any(abs(m) > 1 or not 0.2 <= s <= 5 for m, s in zip(mean, std, strict=True)):
        means, stds = (", ".join(f"{value:.3g}" for value in values) for values in (mean, std))
        fix = "subtract the mean and divide by the deviation of the training images, channel by channel"
        yield Hit(first.name, f"the input has mean {means} and deviation {stds}.", fix)
