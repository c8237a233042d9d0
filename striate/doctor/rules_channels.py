"""Rules about channels: where parameters are, which channels meet, how many fit the machine."""

from __future__ import annotations

from collections.abc import Iterator

from striate.arithmetic import graph_parameters
from striate.doctor.patient import Patient
from striate.doctor.rule import TEXTBOOK, Hit, rule
from striate.graph import Node
from striate.ops import RBF, ChannelShuffle, Concat, Conv, Elementwise, Linear, Permute, Slice

VECTOR = 8  # float32 values in a 256-bit register


def _depthwise(op: object) -> bool:
    return isinstance(op, Conv) and op.groups == op.in_channels > 1


@rule(
    "dense-head",
    severity="note",
    title="fully connected layers hold more than half of the parameters",
    reason="They are the part that overfits on little data. Global average pooling in their place has none.",
    source=f"{TEXTBOOK}, section 5 (about 80 %); Lin, Chen and Yan 2013, arXiv 1312.4400, section 3.2",
)
def dense_head(patient: Patient) -> Iterator[Hit]:
    if next(patient.of(Conv), None) is None:
        return
    counted = graph_parameters(patient.graph)
    dense = {node.name: counted.by_node[node.name] for node, _ in patient.of(Linear, RBF)}
    if dense and 2 * sum(dense.values()) > counted.trainable:
        share = 100 * sum(dense.values()) / counted.trainable
        largest = max(dense, key=lambda name: dense[name])
        message = f"dense layers hold {share:.0f} % of {counted.trainable:,} parameters, most of them here."
        yield Hit(
            largest, message, "put nn.AdaptiveAvgPool2d(1) before the first and leave out all but the last"
        )


@rule(
    "depthwise-without-pointwise",
    severity="warning",
    title="a depthwise convolution, and no layer behind it that mixes channels, but for the head",
    reason="A depthwise convolution looks at each channel alone. Without a 1x1 convolution behind it "
    "channels never meet: it is half of a separable convolution.",
    source="Howard et al. 2017, arXiv 1704.04861, section 3.1; Chollet 2016, arXiv 1610.02357",
)
def depthwise(patient: Patient) -> Iterator[Hit]:
    def mixes(node: Node) -> bool:
        everywhere = isinstance(node.op, Linear) and len(patient.shapes[node.name]) > 2
        return everywhere or (isinstance(node.op, Conv) and not _depthwise(node.op))

    for node, op in patient.of(Conv):
        if _depthwise(op) and not any(map(mixes, patient.downstream(node, mixes))):
            fix = f"write nn.Conv2d({op.out_channels}, {op.out_channels}, 1) behind it"
            yield Hit(node.name, "its channels do not meet before the head.", fix)


@rule(
    "groups-without-shuffle",
    severity="warning",
    title="grouped convolutions behind each other without a mixing of groups",
    reason="A group then reads only what the same group wrote: the network falls apart into thinner ones. "
    "Where a shortcut is added between, channels may have met on its way, and nothing is reported.",
    source="Zhang et al. 2017, arXiv 1707.01083, section 3.1 (channel shuffle)",
)
def groups(patient: Patient) -> Iterator[Hit]:
    mixing = (Conv, Linear, ChannelShuffle, Elementwise, Concat, Slice, Permute)
    for node, op in patient.of(Conv):
        if op.groups == 1 or _depthwise(op):
            continue
        for behind in patient.downstream(node, lambda n: isinstance(n.op, mixing)):
            if isinstance(behind.op, Conv) and behind.op.groups == op.groups and not _depthwise(behind.op):
                message = f"{op.groups} groups behind those of {node.name} never exchange anything."
                fix = f"write nn.ChannelShuffle({op.groups}) between, or groups=1 in one of them"
                yield Hit(behind.name, message, fix)
                break


@rule(
    "vector-lanes",
    severity="note",
    title="channel counts that are no multiple of 8",
    reason="Processors compute 8 or 16 float32 values at once; a layer of 20 channels costs as much as one "
    "of 24, and matrix units of GPUs ask for multiples of 8 as well.",
    source="oneDNN, blocked memory layouts (nChw8c); NVIDIA, Deep Learning Performance guide",
)
def lanes(patient: Patient) -> Iterator[Hit]:
    odd = [
        (n, op.out_channels)
        for n, op in patient.of(Conv)
        if op.out_channels > 1 and op.out_channels % VECTOR and not patient.is_output(n)
    ]
    if odd:
        worst, channels = max(odd, key=lambda pair: -pair[1] % VECTOR / pair[1])
        full = -(-channels // VECTOR) * VECTOR
        others = f", {len(odd) - 1} other layers likewise" if len(odd) > 1 else ""
        yield Hit(
            worst.name, f"{channels} channels cost as much as {full}{others}.", f"write out_channels={full}"
        )
