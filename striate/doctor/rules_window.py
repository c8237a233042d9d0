"""Rules about sliding windows: what they never read, where they shift, and what padding does."""

from __future__ import annotations

from collections.abc import Iterator
from math import gcd

from striate.doctor.patient import SILENT, Patient
from striate.doctor.rule import TEXTBOOK, Hit, rule
from striate.ops import (
    Activation,
    AvgPool,
    BatchNorm,
    Conv,
    ConvTranspose,
    ExtremePool,
    MinPool1d,
    MinPool2d,
    MinPool3d,
    Pad,
    ReLU,
    ReLU6,
    Window,
)

SLIDING = (Conv, ExtremePool, AvgPool)


@rule(
    "pool-padding",
    severity="note",
    title="padding in a pooling layer",
    reason="Pooling is usually done without: an average counts the zeros of the border as if they were image "
    "(count_include_pad), a maximum pads with minus infinity and repeats border values.",
    source=f"{TEXTBOOK}, section 3.2",
)
def pool_padding(patient: Patient) -> Iterator[Hit]:
    for node, op in patient.of(ExtremePool, AvgPool):
        if isinstance(op, Window) and any(side for pair in op.pads for side in pair):
            counted = isinstance(op, AvgPool) and op.count_include_pad
            fix = "write count_include_pad=False" if counted else "leave padding at 0 if the sizes allow it"
            yield Hit(node.name, f"the pooling pads with {op.pads}.", fix)


@rule(
    "min-pool-after-relu",
    severity="warning",
    title="minimum pooling behind ReLU",
    reason="ReLU makes about half of all values 0, and the smallest of several such values is nearly always "
    "0: the layer returns almost only zeros.",
    source=f"{TEXTBOOK}, section 3.1",
)
def min_pool(patient: Patient) -> Iterator[Hit]:
    for node, _ in patient.of(MinPool1d, MinPool2d, MinPool3d):
        before = patient.before(node)
        if before is not None and isinstance(before.op, (ReLU, ReLU6)):
            yield Hit(node.name, "the minimum of ReLU's values is almost always 0.", "write nn.MaxPool2d")


@rule(
    "unread-rows",
    severity="note",
    title="a stride that leaves rows or columns of the map unread",
    reason="floor((W - F + 2P) / S) throws away what the last window does not reach. A few pixels of the "
    "image are a matter of taste; of a small map they are a large part.",
    source=f"{TEXTBOOK}, section 2.2: where N is no integer, it is rounded down",
)
def unread(patient: Patient) -> Iterator[Hit]:
    for node, op in patient.of(*SLIDING):
        sizes, counts = patient.spatial(node.inputs[0]), patient.spatial(node.name)
        lost = [_lost(op, axis, *pair) for axis, pair in enumerate(zip(sizes, counts, strict=True))]
        if any(lost):
            parts = [f"{left} of {size}" for left, size in zip(lost, sizes, strict=True) if left]
            fix = "choose an input size or a padding for which the division leaves nothing"
            yield Hit(node.name, f"never reads the last {' and '.join(parts)} rows or columns.", fix)


def _lost(op: Window, axis: int, size: int, count: int) -> int:
    """Real pixels (not padding) behind the last window."""
    stride: int = op.stride[axis]  # type: ignore[attr-defined]  # every window that slides has one
    return max(0, size + op.pads[axis][0] - (count - 1) * stride - op.span[axis])


@rule(
    "even-kernel",
    severity="note",
    title="an even kernel with the same padding on both sides",
    reason="An even kernel has no middle pixel. At stride 1 and with equal padding each such layer moves the "
    "picture by half a pixel, and the map grows or shrinks by one. (At stride 2 it is the even kernel that "
    "stays in place.)",
    source="Wu et al. 2019, arXiv 1903.08385, Convolution with even-sized kernels and symmetric padding",
)
def even(patient: Patient) -> Iterator[Hit]:
    for node, op in patient.of(Conv):
        sizes = patient.spatial(node.inputs[0])
        axes = zip(op.kernel_size, op.stride, op.pads, sizes, strict=True)
        if any(k % 2 == 0 and s % 2 and k < size and a == b for k, s, (a, b), size in axes):
            fix = 'take an odd kernel, or pad unevenly (padding="same" does)'
            yield Hit(
                node.name, f"kernel {op.kernel_size} with padding {op.pads} shifts by half a pixel.", fix
            )


@rule(
    "pointwise-stride",
    severity="note",
    title="a 1x1 kernel with a stride over 1",
    reason="Most inputs are never read: at stride 2 three of four. The shortcuts of the first residual "
    "networks do this; averaging 2x2 before a 1x1 convolution with stride 1 reads all of them.",
    source="He et al. 2018, arXiv 1812.01187, section 4 (ResNet-D)",
)
def pointwise(patient: Patient) -> Iterator[Hit]:
    for node, op in patient.of(Conv, ExtremePool, AvgPool):
        kernel, stride = op.kernel_size, op.stride  # type: ignore[attr-defined]
        skipped = [s > k == 1 for k, s in zip(kernel, stride, strict=True)]
        if any(skipped) and max(patient.spatial(node.inputs[0])) > 1:
            fix = "put nn.AvgPool2d(2) before it and write stride=1"
            yield Hit(node.name, f"kernel {kernel} at stride {stride} never reads most of its input.", fix)


@rule(
    "dilation-gridding",
    severity="warning",
    title="dilated convolutions one after the other with a common factor",
    reason="Layers with dilation 2 behind each other read only every second pixel: neighbouring outputs are "
    "made of disjoint inputs, and a grid appears. Rates without a common factor (1, 2, 5) leave no holes.",
    source="Wang et al. 2017, arXiv 1702.08502, section 3.2; Yu et al. 2017, arXiv 1705.09914",
)
def gridding(patient: Patient) -> Iterator[Hit]:
    for node, op in patient.of(Conv):
        first = patient.before(node, (*SILENT, Activation, BatchNorm))
        if first is None or not isinstance(first.op, Conv):
            continue
        for axis, (one, two) in enumerate(zip(first.op.dilation, op.dilation, strict=True)):
            wide = min(first.op.kernel_size[axis], op.kernel_size[axis]) > 1
            if wide and gcd(one, two) > 1 and max(first.op.stride) == 1:
                message = f"dilation {two} behind dilation {one} ({first.name}) leaves a grid of holes."
                yield Hit(node.name, message, "write rates without a common factor, such as 1, 2, 5")
                break


@rule(
    "checkerboard",
    severity="warning",
    title="a transposed convolution whose kernel its stride does not divide",
    reason="Output pixels are then painted by different numbers of kernel taps, and a checkerboard shows.",
    source="Odena, Dumoulin and Olah 2016, Deconvolution and Checkerboard Artifacts (Distill); Aitken et al. "
    "2017, arXiv 1707.02937",
)
def checkerboard(patient: Patient) -> Iterator[Hit]:
    for node, op in patient.of(ConvTranspose):
        kernel, stride = op.kernel_size, op.stride
        if any(s > 1 and k % s for k, s in zip(kernel, stride, strict=True)):
            better = tuple(-(-k // s) * s for k, s in zip(kernel, stride, strict=True))
            fix = f"write kernel_size={better}, or nn.Upsample and a convolution"
            yield Hit(node.name, f"kernel {kernel} is no multiple of stride {stride}.", fix)


@rule(
    "uneven-padding",
    severity="note",
    title="more padding on one side than on the other",
    reason="TensorFlow's SAME at stride 2 pads after the picture, PyTorch's padding=1 on both sides: the "
    "same weights then see the image one pixel shifted, and how much is padded changes with the size. "
    "Weights trained with one need that one.",
    source="PyTorch issues 3867 and 67551; Tan and Le 2019, arXiv 1905.11946 (trained with SAME)",
)
def uneven(patient: Patient) -> Iterator[Hit]:
    for node, op in patient.of(Pad, Conv):
        pads = op.padding if isinstance(op, Pad) else op.pads  # type: ignore[attr-defined]
        strided = isinstance(op, Pad) or max(op.stride) > 1  # type: ignore[attr-defined]
        if strided and any(before != after for before, after in pads):
            yield Hit(
                node.name, f"pads {pads}: (before, after) differ.", "keep it only for weights made with it"
            )


@rule(
    "idle-taps",
    severity="warning",
    title="kernel taps that read nothing but padding",
    reason="On a map smaller than the kernel some taps lie in the padding wherever the window stands: they "
    "are stored, multiplied, and never learn.",
    source="the definition of a convolution: tap u reads pixel s*i + d*u - p",
)
def idle(patient: Patient) -> Iterator[Hit]:
    for node, op in patient.of(Conv):
        if op.padding_mode != "zeros":
            continue
        sizes, counts = patient.spatial(node.inputs[0]), patient.spatial(node.name)
        used = [_used(op, axis, *pair) for axis, pair in enumerate(zip(sizes, counts, strict=True))]
        if any(count < k for count, k in zip(used, op.kernel_size, strict=True)):
            taps = "x".join(map(str, used))
            kernel = "x".join(map(str, op.kernel_size))
            message = (
                f"on a map of {'x'.join(map(str, sizes))} only {taps} of the {kernel} taps ever read a pixel."
            )
            yield Hit(node.name, message, "give a larger input, or downsample less before it")


def _used(op: Conv, axis: int, size: int, count: int) -> int:
    stride, dilation, before = op.stride[axis], op.dilation[axis], op.pads[axis][0]
    places = range(-before, -before + count * stride, stride)
    return sum(any(0 <= at + u * dilation < size for at in places) for u in range(op.kernel_size[axis]))
