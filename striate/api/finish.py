"""After the last step: measure once, capture the network, write the bundle, look into it, tell about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.api.judgement import Judged, judged
from striate.api.mirroring import one_pass
from striate.api.stages import Listener, stage
from striate.errors import TrainingError
from striate.runs import RunFolder, read_json, read_lines, write_json

if TYPE_CHECKING:
    from torch import nn

    from striate.bundle import Bundle
    from striate.data.dataset import Dataset, ImageSet
    from striate.training.device import Placement
    from striate.training.evaluate import Evaluation
    from striate.training.team import Team

AGREEMENT = 1e-5  # the largest difference in probability between the network and its bundle
AT_ONCE = 500  # images of one evaluation batch
COMPARED = 64  # images on which the two are compared


def finish(
    folder: RunFolder,
    dataset: Dataset,
    module: nn.Module,
    placement: Placement,
    warnings: Sequence[str],
    listeners: Sequence[Listener],
    team: Team,
    mirror: bool = False,
) -> None:
    """Measure with all processes of ``team``; its lead writes network.json, bundle/, insight/ and the rest.

    ``mirror``: whether each answer is the mean over an image and its mirror image.

    result.json comes last but one, so that a run without it can be resumed and finished again.
    """
    from striate.data.batches import Batches
    from striate.report import write_report
    from striate.training.evaluate import evaluate_together

    split, images = next(
        (name, dataset.splits[name]) for name in ("test", "val", "train") if name in dataset.splits
    )
    measuring = stage(listeners, f"measuring on {split}")
    batches = Batches(images, dataset.preprocessing, AT_ONCE, device=placement.device)
    measuring(0, len(batches))
    evaluation = evaluate_together(
        module, batches, placement, team, lambda done: measuring(done, len(batches)), mirror=mirror
    )
    measuring(len(batches), len(batches))
    several = judged(module, dataset, split, evaluation, placement, team, mirror)  # None: one class an image
    if not team.leads:
        return
    warm, fitted_on = _temperature(dataset, module, placement, split, evaluation)
    bundle = _bundle(folder, dataset, module, warm, mirror, several.card if several is not None else {})
    _compare(bundle, images, evaluation)
    tempered = evaluation.tempered(warm)
    _look(folder, dataset, bundle, split, images, tempered, several)
    calibration: dict[str, Any] = {"temperature": warm, "fitted_on": fitted_on}
    if not evaluation.multi_label:
        calibration |= {"error_before": _ece(evaluation), "error": _ece(tempered)}
    settings, history = read_json(folder.settings), read_lines(folder.history)
    result = _result(evaluation, split, len(dataset.classes), several) | {
        "seconds": round(sum(record["seconds"] for record in history), 1),
        "epochs": history[-1]["epoch"] if history else settings["settings"]["epochs"],
        "calibration": calibration,
        "warnings": list(warnings),
        "striate": settings["striate"],
        "torch": settings["machine"]["torch"],
        "machine": settings["machine"],
    }
    write_json(folder.result, result)
    write_report(folder.path)


def _result(evaluation: Evaluation, split: str, classes: int, several: Judged | None) -> dict[str, Any]:
    return (
        {
            "accuracy": evaluation.accuracy,
            "top5": evaluation.top5 if classes > 5 and several is None else None,
            "loss": evaluation.loss,
            "split": split,
            "images": evaluation.images,
        }
        | one_pass(evaluation)
        | (several.result if several is not None else {})
    )


def _temperature(
    dataset: Dataset, module: nn.Module, placement: Placement, split: str, measured: Evaluation
) -> tuple[float, str | None]:
    """The temperature that suits the validation images, and the split it comes from; 1 without them."""
    from striate.data.batches import Batches
    from striate.insight.calibration import temperature
    from striate.training.evaluate import evaluate

    if dataset.val is None or measured.multi_label or measured.logits.shape[1] < 2:
        return 1.0, None
    if split != "val":
        held_out = Batches(dataset.val, dataset.preprocessing, AT_ONCE, device=placement.device)
        measured = evaluate(module, held_out.epoch(0), placement, mirror=measured.one_pass is not None)
    return temperature(measured.logits, measured.labels), "val"


def _ece(evaluation: Evaluation) -> float:
    """Expected calibration error, 0 to 1."""
    from striate.insight.calibration import calibration_error, reliability

    sure, predicted = evaluation.probabilities.max(axis=1), evaluation.logits.argmax(axis=1)
    return round(calibration_error(reliability(sure, predicted == evaluation.labels)), 6)


def _bundle(
    folder: RunFolder,
    dataset: Dataset,
    module: nn.Module,
    temperature: float,
    mirror: bool,
    more: Mapping[str, Any],
) -> Bundle:
    """Capture the network, and write network.json and bundle/."""
    from striate.bundle import Bundle, write_bundle
    from striate.capture import capture
    from striate.graph.store import graph_to_json

    settings = read_json(folder.settings)
    graph, weights = capture(module.to("cpu").float(), (1, dataset.channels, *dataset.image_size))
    write_json(folder.network, graph_to_json(graph))
    bundle = Bundle(
        graph=graph,
        weights=weights,
        labels=dataset.classes,
        preprocessing=dataset.preprocessing.to_json(),
        card={
            "model": settings["model"],
            "data": dataset.source,
            "striate": settings["striate"],
            "trainable": [name for name, tensor in module.named_parameters() if tensor.requires_grad],
            **more,
        },
        temperature=temperature,
        mirror=mirror,
    )
    write_bundle(folder.bundle, bundle)
    return bundle


def _compare(bundle: Bundle, images: ImageSet, evaluation: Evaluation) -> None:
    """The bundle must answer as the network did; a bundle that does not is never left unsaid."""
    from striate.engine import Network

    some = slice(0, COMPARED)
    ours = Network(replace(bundle, temperature=1.0)).probabilities(images.images[some])
    difference = float(np.abs(ours - evaluation.probabilities[some]).max())
    if not difference <= AGREEMENT:
        raise TrainingError(
            f"The bundle must answer as the network does (within {AGREEMENT:g}), it differs by "
            f"{difference:.2g}: keep the checkpoint, and report this as a bug in striate."
        )


def _look(
    folder: RunFolder,
    dataset: Dataset,
    bundle: Bundle,
    split: str,
    images: ImageSet,
    evaluation: Evaluation,
    several: Judged | None,
) -> None:
    """insight/: mistakes and first-layer filters, for the report and for programs."""
    from striate.insight import Predictions, first_filters, write_filters, write_mistakes
    from striate.insight.labels import write_labels

    if several is not None:
        write_labels(folder, several.answers, several.thresholds, several.chosen_on, images.images)
    else:
        known = Predictions(split, dataset.classes, images.keys, images.labels, evaluation.probabilities)
        write_mistakes(folder, known, images.images)
    filters = first_filters(bundle.graph, bundle.weights)
    if filters is not None:
        write_filters(folder, *filters)
