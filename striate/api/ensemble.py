"""The networks of a cross-validation as one: each sees the image, and their logits are averaged.

The mean of logits is the geometric mean of probabilities, as the mean over an image and its mirror image is;
it also serves labels, each with a probability of its own. Each network's logits are first divided by its
temperature, which the images that it held out have given. No image is unseen by all of them but those of a
test split: on it alone is the mean measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from striate.runs import RunFolder, read_record

if TYPE_CHECKING:
    from striate.bundle import Bundle
    from striate.training.evaluate import Evaluation


def members(folder: RunFolder) -> list[RunFolder]:
    """The runs whose answers are averaged: the folds of a cross-validation, or the one run itself."""
    folds = read_record(folder.settings).get("folds")
    return [folder.fold(number) for number in range(1, folds + 1)] if folds is not None else [folder]


def write_ensemble(folder: RunFolder) -> None:
    """Write bundle/ of a folder of folds: one graph, in which the folds' networks stand side by side."""
    from striate.bundle import read_bundle, write_bundle

    write_bundle(folder.bundle, ensemble([read_bundle(fold.bundle) for fold in members(folder)]))


def ensemble(bundles: Sequence[Bundle]) -> Bundle:
    """Bundles for the same images and labels as one that answers with the mean of their logits."""
    from striate.arithmetic import graph_shapes
    from striate.graph.mean import weighted_sum

    first = bundles[0]
    outputs = graph_shapes(first.graph)[first.graph.outputs[0]][1]
    graph, weights = weighted_sum(
        [(bundle.graph, bundle.weights) for bundle in bundles],
        [1 / (len(bundles) * bundle.temperature) for bundle in bundles],
        int(outputs),
    )
    trainable = [
        f"{number}.{name}"
        for number, bundle in enumerate(bundles, start=1)
        for name in bundle.card.get("trainable", ())
    ]
    card = {**first.card, "folds": len(bundles), "trainable": trainable}
    if "thresholds" in first.card:
        card["thresholds"] = mean_thresholds([bundle.card["thresholds"] for bundle in bundles])
    return replace(first, graph=graph, weights=weights, card=card, temperature=1.0, identity=None)


def mean_thresholds(each: Sequence[Sequence[float]]) -> list[float]:
    """Of each label the mean of the networks' thresholds."""
    return [sum(own) / len(own) for own in zip(*each, strict=True)]


def mean_answers(evaluations: Sequence[Evaluation], temperatures: Sequence[float]) -> Evaluation:
    """What the ensemble answers to images of which each network's answers are known."""

    def mean(logits: Sequence[np.ndarray]) -> np.ndarray:
        tempered = [one / np.float32(t) for one, t in zip(logits, temperatures, strict=True)]
        return np.asarray(np.mean(tempered, axis=0))

    alone = [one.one_pass for one in evaluations if one.one_pass is not None]
    return replace(
        evaluations[0],
        logits=mean([one.logits for one in evaluations]),
        one_pass=mean(alone) if alone else None,
    )
