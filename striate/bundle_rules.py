"""What must agree in a bundle: graph and tensors, labels and outputs, preprocessing and input."""

from __future__ import annotations

from typing import TYPE_CHECKING

from striate.errors import BundleError, StriateError
from striate.graph.graph import Graph, owner
from striate.graph.tensors import check_tensors
from striate.ops import RBF, Activation, BatchNorm, Dropout, Identity, Linear, Negate, Scale

if TYPE_CHECKING:
    from striate.bundle import Bundle

PRECISIONS = ("fp32", "bf16")  # to which weights and maps may be rounded
KEEPS_ITS_SIZE = (Activation, BatchNorm, Dropout, Identity, Negate, Scale)


def check_bundle(bundle: Bundle, where: str, *, tensors: bool = True) -> None:
    """Raise BundleError, which begins with ``where``, unless all parts of the bundle fit each other."""
    if tensors:
        try:
            check_tensors(bundle.graph, bundle.weights)
        except StriateError as error:
            raise BundleError(f"{where}: {error}") from None
    _check_labels(bundle, where)
    _check_preprocessing(bundle, where)
    warm = bundle.temperature
    if isinstance(warm, bool) or not isinstance(warm, float | int) or not 1e-30 < warm < 1e30:
        raise BundleError(
            f"{where} has the temperature {warm!r}: it must be a number above 0, and none "
            "that single precision lacks; train again."
        )
    if not isinstance(bundle.mirror, bool) or (bundle.mirror and not bundle.preprocessing):
        raise BundleError(
            f"{where} has mirror {bundle.mirror!r}: it must be true or false, and true only for images, "
            "which preprocessing describes; train again."
        )
    if bundle.precision not in PRECISIONS:
        raise BundleError(
            f"{where} has precision {bundle.precision!r:.40}: it must be one of {', '.join(PRECISIONS)}; "
            "write it again."
        )


def _check_labels(bundle: Bundle, where: str) -> None:
    labels = bundle.labels
    if not all(isinstance(label, str) and label for label in labels):
        raise BundleError(f"{where}: labels must be non-empty strings, got {list(labels)!r:.60}: name each.")
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise BundleError(f"{where}: labels must differ, {twice[0]!r} stands twice: rename one.")
    outputs = _output_size(bundle.graph)
    of_two = outputs == 1 and len(labels) == 2  # one logit: that of the second class against the first
    if labels and outputs is not None and outputs != len(labels) and not of_two:
        raise BundleError(
            f"{where}: labels must be as many as the network's {outputs} outputs, got {len(labels)}: "
            "name each output once."
        )


def _output_size(graph: Graph) -> int | None:
    """How many outputs the last dense layer has; None where the graph ends in something else."""
    nodes = {node.name: node for node in graph}
    node = nodes.get(owner(graph.outputs[0]))
    while node is not None and isinstance(node.op, KEEPS_ITS_SIZE):
        node = nodes.get(owner(node.inputs[0]))
    return node.op.out_features if node is not None and isinstance(node.op, (Linear, RBF)) else None


def _check_preprocessing(bundle: Bundle, where: str) -> None:
    """The images that come out of preprocessing must be those that the graph takes."""
    if not bundle.preprocessing:
        return
    channels, size = (bundle.preprocessing.get(key) for key in ("channels", "image_size"))
    if not isinstance(size, (list, tuple)) or len(size) != 2:
        raise BundleError(
            f"{where}: preprocessing must hold image_size and channels: export the network again."
        )
    for shape in bundle.graph.inputs.values():
        wanted = shape[1:]
        fits = len(wanted) == 3 and all(
            isinstance(want, str) or want == got for want, got in zip(wanted, (channels, *size), strict=True)
        )
        if not fits:
            raise BundleError(
                f"{where}: preprocessing gives images of {channels} x {size[0]} x {size[1]}, the network "
                f"takes {' x '.join(map(str, wanted))}: export the network again."
            )
