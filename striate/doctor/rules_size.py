"""Rules about sizes: what a layer sees of the image, how fast maps shrink, which inputs fit."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from striate.doctor.patient import Patient
from striate.doctor.rule import TEXTBOOK, Hit, rule
from striate.graph import Node
from striate.ops import (
    Activation,
    AdaptivePool,
    AvgPool,
    BatchNorm,
    Conv,
    Dropout,
    ExtremePool,
    Flatten,
    Identity,
    Linear,
    Mean,
    Reshape,
)

SMALL_IMAGE = 64  # pixels
KEEPS = (Activation, BatchNorm, Dropout, Identity)  # what may stand between a map and its flattening


def _wide(sizes: tuple[int, ...]) -> bool:
    return bool(sizes) and max(sizes) > 1


def _spatial_convs(patient: Patient) -> list[Node]:
    """Convolutions that look beyond one pixel."""
    return [node for node, op in patient.of(Conv) if max(op.kernel_size) > 1]


@rule(
    "field-smaller-than-image",
    severity="warning",
    title="global pooling over features that see only a part of the image",
    reason="What a feature does not see it cannot relate: a global average behind it counts local patterns, "
    "wherever they are. Reported where less than half of the pixels are seen; the field that has an "
    "effect is smaller still.",
    source="Luo et al. 2016, arXiv 1701.04128; Brendel and Bethge 2019, arXiv 1904.00760 (BagNet)",
)
def too_small(patient: Patient) -> Iterator[Hit]:
    for node, _ in patient.of(AdaptivePool, Mean):
        (value,) = node.inputs
        field = patient.fields.get(value.partition(":")[0])
        shrinks = _wide(patient.spatial(value)) and not _wide(patient.spatial(node.name))
        last = shrinks and patient.is_output(node, (*KEEPS, Flatten, Reshape, Linear))
        if field is None or any(field.gated) or not last:
            continue
        if 2 * prod(min(pair) for pair in zip(field.size, field.image, strict=True)) < prod(field.image):
            seen, image = _times(field.size), _times(field.image)
            message = f"each feature sees {seen} pixels of an image of {image}."
            yield Hit(node.name, message, "add layers, strides or larger kernels before it")


@rule(
    "field-far-larger",
    severity="note",
    title="most convolutions see the whole image already",
    reason="A layer whose input already sees all of the image adds no new context. Half of the convolutions "
    "or more are such here: at this input size a shorter network, or a larger image, gives as much.",
    source="Richter et al. 2021, arXiv 2106.12307, Should You Go Deeper? (unproductive layers)",
)
def too_large(patient: Patient) -> Iterator[Hit]:
    convs, idle = _spatial_convs(patient), []
    for node in convs:
        field = patient.fields.get(node.inputs[0].partition(":")[0])
        if field is not None and all(f >= 2 * size for f, size in zip(field.size, field.image, strict=True)):
            idle.append(node)
    if len(convs) > 3 and 2 * len(idle) >= len(convs):
        message = (
            f"{len(idle)} of {len(convs)} spatial convolutions stand where twice the image is seen already."
        )
        yield Hit(idle[0].name, message, "give larger images, or take a shorter network")


@rule(
    "stem-too-coarse",
    severity="warning",
    title="a first layers' stride of 4 or more on a small image",
    reason="The form for 224x224 photographs divides rows and columns by 4 before anything is learned. Of a "
    "32x32 image 8x8 places are left; the authors' form for small images starts at stride 1.",
    source="He et al. 2015, arXiv 1512.03385, section 4.2 (CIFAR-10) against section 3.4 (ImageNet)",
)
def coarse(patient: Patient) -> Iterator[Hit]:
    image = patient.image()
    if not image or max(image) > SMALL_IMAGE:
        return
    pools = (node for node, _ in patient.of(ExtremePool, AvgPool))
    order = {node.name: index for index, node in enumerate(patient.graph)}
    windows = sorted([*_spatial_convs(patient), *pools], key=lambda node: order[node.name])[:2]
    for node in windows:
        sizes = patient.spatial(node.name)
        if sizes and max(sizes) > 1 and all(4 * s <= i for s, i in zip(sizes, image, strict=True)):
            message = f"of {_times(image)} pixels {_times(sizes)} places are left."
            yield Hit(
                node.name, message, "write stride=1 in the first convolution and leave the first pooling out"
            )
            return


@rule(
    "map-vanishes-early",
    severity="warning",
    title="convolutions on a 1x1 map",
    reason="Once the map is 1x1 there is nothing beside a pixel: a kernel of 3x3 multiplies one number and "
    "eight paddings.",
    source=f"{TEXTBOOK}, section 2.2: N = (W - F + 2P)/S + 1",
)
def vanishes(patient: Patient) -> Iterator[Hit]:
    found = [n for n in _spatial_convs(patient) if max(patient.spatial(n.inputs[0])) == 1]
    if found:
        count = f"{len(found)} convolutions with kernels over 1x1 work" if len(found) > 1 else "it works"
        fix = "give larger images, or remove a stride or a pooling before it"
        yield Hit(found[0].name, f"{count} on a map of 1x1.", fix)


@rule(
    "fixed-input-size",
    severity="note",
    title="a dense layer over a flattened map",
    reason="It fits one image size alone. Global average pooling before it fits every size, and has no "
    "parameters to overfit with.",
    source=f"{TEXTBOOK}, section 5; Lin, Chen and Yan 2013, arXiv 1312.4400, section 3.2",
)
def fixed(patient: Patient) -> Iterator[Hit]:
    for node, _ in patient.of(Flatten, Reshape):
        before = patient.before(node, KEEPS)
        wide = _wide(patient.spatial(node.inputs[0])) and len(patient.shapes[node.name]) == 2
        adapted = before is not None and isinstance(before.op, AdaptivePool)
        dense = any(isinstance(reader.op, Linear) for reader in patient.after(node, KEEPS))
        if wide and dense and not adapted:
            sizes = _times(patient.spatial(node.inputs[0]))
            fix = "put nn.AdaptiveAvgPool2d(1) before it"
            yield Hit(node.name, f"a map of {sizes} is flattened: only this image size fits.", fix)


@rule(
    "adaptive-pool-does-not-divide",
    severity="warning",
    title="adaptive pooling to a size that does not divide its input",
    reason="Its windows are then of different sizes: ONNX has no such operation and the export fails or is "
    "wrong, and values are counted in two windows.",
    source="PyTorch issues 42653 and 120477",
)
def adaptive(patient: Patient) -> Iterator[Hit]:
    for node, _ in patient.of(AdaptivePool):
        sizes, counts = patient.spatial(node.inputs[0]), patient.spatial(node.name)
        if any(size % count for size, count in zip(sizes, counts, strict=True)):
            message = f"{_times(sizes)} into {_times(counts)} does not divide."
            yield Hit(node.name, message, "write output_size=1, or choose an input whose map is a multiple")


@rule(
    "information-bottleneck",
    severity="warning",
    title="a layer with far fewer values than those before and behind it",
    reason="What a narrow layer throws away, no later one finds again. Here everything passes through a "
    "layer with less than an eighth of the values on both sides, and no shortcut leads around it.",
    source="Szegedy et al. 2015, arXiv 1512.00567, section 2, principle 1: no representational bottlenecks",
)
def bottleneck(patient: Patient) -> Iterator[Hit]:
    for node, _ in patient.of(Conv):
        before = patient.values(node.inputs[0])
        own = patient.values(node.name)
        if node.name not in patient.needles or not _wide(patient.spatial(node.name)) or 8 * own >= before:
            continue
        for reader in patient.after(node, KEEPS):
            behind = patient.values(reader.name)
            if isinstance(reader.op, Conv) and 8 * own < behind:
                message = f"{before:,} values become {own:,}, and then {behind:,}."
                yield Hit(node.name, message, "give it more channels, or lead a shortcut around it")
                break


@rule(
    "misaligned-branches",
    severity="note",
    title="branches that meet do not lie on each other",
    reason="Different paddings or even kernels shift one branch against the other: what is added or "
    "concatenated belongs to different places of the image.",
    source="Araujo, Norris and Sim 2019, Computing Receptive Fields of Convolutional Neural Networks",
)
def misaligned(patient: Patient) -> Iterator[Hit]:
    for name, field in patient.fields.items():
        if field is not None and field.notes:
            yield Hit(name, f"{'; '.join(field.notes)}.", "give both branches the same padding and stride")


def _times(sizes: tuple[int, ...]) -> str:
    return "x".join(map(str, sizes))
