"""What the engine takes from a bundle: its network, checked and folded, and how answers are read."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from striate.bundle import Bundle
from striate.bundle_rules import PRECISIONS
from striate.engine.scaling import Scaling
from striate.errors import ArgumentError, BundleError
from striate.graph.graph import Graph, Weights
from striate.graph.store import graph_to_json

if TYPE_CHECKING:
    from striate.data.preprocess import Preprocessing


def defined(bundle: Bundle) -> tuple[Graph, Weights]:
    """The graph with its batch norms folded, and its tensors in single precision, checked."""
    from striate.graph.fold import fold_batch_norm
    from striate.graph.tensors import check_tensors

    check_tensors(bundle.graph, bundle.weights)
    graph, weights = fold_batch_norm(bundle.graph, bundle.weights)
    return graph, {name: w.astype(np.float32, copy=False) for name, w in weights.items()}


def identity_of(bundle: Bundle) -> str:
    """A hash of a bundle that no file holds: of its graph and of its tensors, as they are."""
    total = hashlib.sha256(json.dumps(graph_to_json(bundle.graph)).encode())
    for name, array in sorted(bundle.weights.items()):
        total.update(f"{name} {array.dtype.str} {array.shape}".encode())
        total.update(np.ascontiguousarray(array).view(np.uint8).data)
    return total.hexdigest()


def preprocessing_of(bundle: Bundle) -> Preprocessing | None:
    """From an image to the input; None where the input is no image."""
    if not bundle.preprocessing:
        return None
    from striate.data.preprocess import Preprocessing

    return Preprocessing.from_json(bundle.preprocessing)


def scaling_of(preprocessing: Preprocessing | None) -> Scaling | None:
    """What makes the input of bytes; None where the input is no image."""
    if preprocessing is None:
        return None
    factors, shifts = preprocessing.scale_and_offset()
    return Scaling(tuple(factors.tolist()), tuple(shifts.tolist()))


def mirrors(bundle: Bundle, asked: bool | None) -> bool:
    """Whether each answer is the mean over the image and its mirror image; None: as the bundle says.

    Raises ArgumentError where it is asked for and the input is no image.
    """
    if asked is None:
        return bundle.mirror
    if not isinstance(asked, bool) or (asked and not bundle.preprocessing):
        raise ArgumentError(
            "mirror must be True, False or None, and not True without preprocessing, which says that the "
            f"input is an image, got {asked!r}: leave it out."
        )
    return asked


def precision_of(bundle: Bundle, asked: str | None) -> str:
    """To which precision layers may round; None: as the bundle says. ArgumentError for an unknown one."""
    if asked is None:
        return bundle.precision
    if asked not in PRECISIONS:
        raise ArgumentError(
            f"precision must be one of {', '.join(PRECISIONS)}, got {asked!r:.40}: bf16 rounds weights "
            "of dense layers and factors of convolutions where that is faster, fp32 rounds none."
        )
    return asked


def thresholds_of(bundle: Bundle) -> NDArray[np.float64] | None:
    """From which probability each label is said; None where an image has one class.

    Raises BundleError where the card does not say it for each label.
    """
    if bundle.card.get("task") != "labels":
        return None
    given = bundle.card.get("thresholds")
    if (
        not isinstance(given, list)
        or len(given) != len(bundle.labels)
        or not all(isinstance(one, (int, float)) for one in given)
    ):
        raise BundleError(
            f"card.json must hold a threshold for each of the {len(bundle.labels)} labels, got "
            f"{given!r:.60}: export the network again."
        )
    return np.asarray(given, np.float64)
