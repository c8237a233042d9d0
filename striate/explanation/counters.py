"""How four other tools count, as rules over the calls of a network: what each adds to or leaves out of
the multiply-adds of convolutions and linear layers.

The rules were read in the tools' sources: torchinfo 1.8.0, fvcore 0.1.5, thop 0.1.1, ptflops 0.7.5
(its default backend).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import prod

from striate.arithmetic import cost
from striate.explanation.module_facts import ModuleFacts
from striate.graph import Node, Shape
from striate.ops import (
    AdaptiveAvgPool2d,
    AdaptivePool,
    AvgPool,
    BatchNorm,
    Conv,
    ConvTranspose,
    ExtremePool,
    LayerNorm,
    Linear,
    LocalResponseNorm,
    Op,
    Softmax,
    Upsample,
)

Differences = Iterator[tuple[str, int]]  # a reason and how many multiply-adds it brings; negative: leaves out
FUNCTIONAL = "calls of functions (F.conv2d, @) are not seen, only modules"
UNKNOWN = "modules of classes that it does not know are taken for free"
BIAS = "additions of the bias"
NORM = "normalisations"
ACTIVATION, POOL, RESIZE = "activations", "pools", "enlarging"


@dataclass(frozen=True)
class Call:
    """One run of one word on one image. ``kind``: the class of the module that runs it, None: a function."""

    op: Op
    kind: str | None
    own: Mapping[str, int]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    multiply_adds: int
    bias_additions: int

    @classmethod
    def of(cls, node: Node, shapes: Mapping[str, Shape], facts: ModuleFacts) -> Call:
        given = [_one_image(shapes[value.removesuffix(":0")]) for value in node.inputs]
        price = cost(node.op, given)
        return cls(
            op=node.op,
            kind=facts.leaves.get(facts.leaf(node) or "\0"),
            own=facts.own(node),
            inputs=given[0] if given else (),
            outputs=_one_image(shapes[node.name]),
            multiply_adds=price.multiply_adds.result,
            bias_additions=price.bias_additions,
        )

    @property
    def dense(self) -> bool:
        return isinstance(self.op, (Conv, ConvTranspose, Linear))


def _one_image(shape: Shape) -> tuple[int, ...]:
    return tuple(1 if isinstance(size, str) else size for size in shape)


def torchinfo(call: Call) -> Differences:
    """For each module: its weight and bias, times the positions if "Conv" is in the class name."""
    positions = prod(call.outputs[2:]) if call.kind is not None and "Conv" in call.kind else 1
    counted = 0
    for name, size in call.own.items():
        if name in ("weight", "bias"):
            counted += size * positions
        elif "weight" in name or "bias" in name:
            counted += size * prod(call.outputs[1:2])
    if not call.dense:
        kind = NORM if isinstance(call.op, (BatchNorm, LayerNorm)) else "other layers"
        yield f"one for each parameter of {kind}", counted
    elif not call.own:
        yield FUNCTIONAL, -call.multiply_adds
    else:
        bias = call.bias_additions if "bias" in call.own and positions > 1 else call.own.get("bias", 0)
        yield BIAS, bias
        yield "layers counted for a wrong number of positions", counted - bias - call.multiply_adds


def fvcore(call: Call) -> Differences:
    """Traced operations: batch norm two for each value, layer norm five, adaptive averages, enlarging."""
    values = prod(call.inputs)
    match call.op:
        case BatchNorm(affine=affine):
            yield f"{NORM}, {1 + affine} for each value", values * (1 + affine)
        case LayerNorm(affine=affine):
            yield f"{NORM}, {4 + affine} for each value", values * (4 + affine)
        case AdaptiveAvgPool2d():
            yield "adaptive average pools, one for each value read", values
        case Upsample(mode="bilinear"):
            yield RESIZE, 4 * prod(call.outputs)
        case Upsample(mode="nearest"):
            yield RESIZE, prod(call.outputs)


def thop(call: Call) -> Differences:
    """Modules of torch's own classes: no bias, four for each value of a batch norm, averages."""
    if call.dense and call.kind is None:
        yield FUNCTIONAL, -call.multiply_adds
    elif call.dense and not _torchs(call):
        yield UNKNOWN, -call.multiply_adds
    elif _torchs(call):
        yield from _thop_others(call)


def _thop_others(call: Call) -> Differences:
    read, written = prod(call.inputs), prod(call.outputs)
    match call.op:
        case ConvTranspose() as op:
            counted = written * (op.in_channels // op.groups) * prod(op.kernel_size)
            yield "transposed convolutions counted at their outputs", counted - call.multiply_adds
        case BatchNorm(affine=affine) | LayerNorm(affine=affine) if call.kind in _NORMS:
            yield f"{NORM}, {2 + 2 * affine} for each value", read * (2 + 2 * affine)
        case AvgPool():
            yield POOL, written
        case AdaptivePool() if call.kind is not None and "Avg" in call.kind:
            window = prod(i / o for i, o in zip(call.inputs[2:], call.outputs[2:], strict=True))
            yield POOL, int((window + 1) * written)
        case Softmax(dim=dim):
            yield ACTIVATION, read // call.inputs[dim] * (3 * call.inputs[dim] - 1)
        case Upsample():
            yield RESIZE, written * {"nearest": 1, "linear": 5, "bilinear": 11}[call.op.mode]
        case _ if call.kind == "PReLU":
            yield ACTIVATION, read


def ptflops(call: Call) -> Differences:
    """Modules of torch's own classes, with bias; activations and pools, twice where a module of torch calls
    a function that is counted too; and such functions alone."""
    read, written = prod(call.inputs), prod(call.outputs)
    if call.dense:
        if _torchs(call):
            yield BIAS, call.bias_additions
        else:
            yield FUNCTIONAL if call.kind is None else UNKNOWN, -call.multiply_adds
    elif isinstance(call.op, (BatchNorm, LayerNorm)):
        doubled = isinstance(call.op, BatchNorm) and call.op.affine
        if call.kind in _NORMS:
            yield f"{NORM}, {1 + doubled} for each value", read * (1 + doubled)
    elif isinstance(call.op, LocalResponseNorm):
        channels, *rest = call.inputs[1:]
        yield (
            "steps inside local response normalisation",
            3 * read + (channels + call.op.size - 1) * prod(rest),
        )
    elif isinstance(call.op, (ExtremePool, AvgPool, AdaptivePool)):
        yield from _twice(POOL, read, call, module=True, function=not _minimum(call.op))
    elif isinstance(call.op, Upsample):
        yield from _twice(RESIZE, written, call, module=True, function=True)
    else:
        name = type(call.op).__name__
        yield from _twice(ACTIVATION, read, call, module=name in _HOOKED, function=name in _PATCHED)


_NORMS = ("BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "LayerNorm")
_HOOKED = ("ReLU", "PReLU", "ELU", "LeakyReLU", "ReLU6", "GELU")  # as modules
_PATCHED = ("ReLU", "PReLU", "ELU", "GELU", "SiLU", "Softmax")  # as functions, also inside torch's modules


def _twice(what: str, values: int, call: Call, *, module: bool, function: bool) -> Differences:
    times = (module and _torchs(call)) + function
    if times:
        yield (f"{what}, counted twice: as module and as function" if times == 2 else what), times * values


def _minimum(op: Op) -> bool:
    return type(op).__name__.startswith("Min")


def _torchs(call: Call) -> bool:
    """Whether a class of torch itself runs it: a subclass is not known to tools that look types up."""
    return call.kind is not None and "." not in call.kind


COUNTERS: dict[str, Callable[[Call], Differences]] = {
    "torchinfo": torchinfo,
    "fvcore": fvcore,
    "thop": thop,
    "ptflops": ptflops,
}
