"""Weights that people have, as a network for photographs: how to prepare them, what classes are called."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from striate.api.extras import require_train
from striate.errors import ArgumentError, WeightsWarning

if TYPE_CHECKING:
    from striate.data.preprocess import Preprocessing
    from striate.engine import Network
    from striate.models import Card

# torchvision's presets: 256 pixels, of which 224 are kept; mean and deviation of ImageNet's channels
CROP = 224 / 256
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# Google's Inception networks were learned on values of -1 to 1 (torchvision's transform_input does the same).
PLUS_MINUS_ONE = ("googlenet", "inception_v3", "inception_v4")
HALF = (0.5, 0.5, 0.5)


def recogniser(
    name: str,
    weights: str | Path,
    *,
    tune: bool = False,
    mirror: bool | None = None,
    precision: str | None = None,
) -> Network:
    """A network of the catalogue with weights that people have, as a Network that takes photographs.

    Photographs are prepared, and classes named, as is said beside the weights; beside a mere file nothing is
    said, and what is usual for ImageNet is assumed, with a WeightsWarning. ``tune``, ``mirror``,
    ``precision``: see ``striate.load``. Raises as ``striate.create``.
    """
    require_train(f"{name} with weights")
    from striate.arithmetic import graph_shapes
    from striate.bundle import Bundle
    from striate.capture import capture
    from striate.engine import Network
    from striate.models import card, create, weights_source

    known = card(name)
    source = weights_source(name, weights)
    preparing = source.preprocessing or usual_preparation(known, weights)
    module = create(name, weights=source, in_channels=preparing.channels, image_size=preparing.image_size)
    graph, tensors = capture(module, (1, preparing.channels, *preparing.image_size))
    count = int(graph_shapes(graph)[graph.outputs[0]][-1])
    bundle = Bundle(
        graph=graph,
        weights=tensors,
        labels=_labels(source.classes, count, weights),
        preprocessing=preparing.to_json(),
        card={"model": {"name": name}, "weights": str(weights)},
    )
    return Network(bundle, tune=tune, mirror=mirror, precision=precision)


def usual_preparation(known: Card, weights: str | Path) -> Preprocessing:
    """How torchvision prepares photographs for its networks."""
    from striate.data.preprocess import Preprocessing

    if known.channels != 3:
        raise ArgumentError(
            f"weights must say how images are prepared for {known.name}, got {weights}, a file of tensors "
            "only: give the run or the bundle in which they were learned."
        )
    inception = known.name.split("+")[0] in PLUS_MINUS_ONE
    mean, std = (HALF, HALF) if inception else (MEAN, STD)
    height, width = known.image_size
    warnings.warn(
        f"{weights} does not say how photographs are prepared. As usual for {known.name}, {CROP:.1%} of the "
        f"shorter side are taken at {height}x{width}, with mean {mean} and deviation {std}; a folder with "
        "config.json would say it.",
        WeightsWarning,
        stacklevel=4,
    )
    return Preprocessing(
        image_size=known.image_size,
        channels=3,
        resize="shorter_side_center_crop",
        crop=CROP,
        mean=mean,
        std=std,
    )


def _labels(classes: tuple[str, ...] | None, count: int, weights: str | Path) -> tuple[str, ...]:
    """Names for ``count`` outputs: those beside the weights, ImageNet's for a thousand, else numbers."""
    from striate.data.imagenet import imagenet_classes

    if classes is None:
        return imagenet_classes() if count == 1000 else tuple(f"class {number}" for number in range(count))
    if len(classes) != count:
        raise ArgumentError(
            f"weights must name each of the network's {count} classes, got {weights}, which names "
            f"{len(classes)}: mend label_names in its config.json."
        )
    return classes
