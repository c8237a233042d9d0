"""What the folds of a cross-validation say together: a bundle, insight, network, result and report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from striate.api.ensemble import write_ensemble
from striate.api.run import SHOWN
from striate.api.stages import Listener, stage
from striate.errors import StriateError
from striate.runs import RunFolder, read_json, read_record, write_json

_OF_A_FOLD = ("accuracy", "loss", "images", "epochs", "seconds", "mean_average_precision")


def sum_up(folder: RunFolder, count: int, data: str | Path | None, listeners: Sequence[Listener]) -> None:
    """Write the summary of ``count`` finished folds. Raises RunError where a file of theirs is not whole.

    ``data``: where the images are now; their test split, if there is one, is what the mean of the networks
    is measured on.
    """
    from striate.insight import pooled
    from striate.report import write_report

    folds = [folder.fold(number) for number in range(1, count + 1)]
    results = [read_record(fold.result, **SHOWN) for fold in folds]
    several = results[0].get("task") == "labels"
    name = "labels.json" if several else "mistakes.json"
    found = [read_json(fold.insight / name) for fold in folds]
    together = pooled.pooled_labels(found) if several else pooled.pooled_mistakes(found)
    write_json(folder.insight / name, together)
    write_json(folder.network, read_json(folds[0].network))
    write_ensemble(folder)
    summary = _result(folder, results, together, several)
    try:
        summary["test"] = _of_test_images(folder, data, listeners)
    except StriateError as error:  # of images that were never asked for before: no reason to lose the folds
        summary["warnings"].append(f"The mean of the networks was not measured on the test images: {error}")
    write_json(folder.result, summary)
    write_report(folder.path)


def _of_test_images(
    folder: RunFolder, data: str | Path | None, listeners: Sequence[Listener]
) -> dict[str, Any] | None:
    """How the mean of the networks, and each of them, does on the test split; None where there is none."""
    from striate.api.evaluation import images_for, measured
    from striate.api.reopening import root_of
    from striate.data.arrays import ArraySet
    from striate.data.source import read_source

    asked = read_record(folder.settings, data=dict)["data"]
    place, root = str(data or asked["source"]), root_of(asked, data)
    source = read_source(place, task=read_record(folder.data).get("task"), root=root)
    if "test" not in (source.splits if isinstance(source, ArraySet) else source.parts):
        return None
    progress = stage(listeners, "reading test images")
    images, _ = images_for(folder, place, "test", asked["skip_bad"], root, progress)
    found = measured(folder, images, "test")
    return {
        name: getattr(found, name)
        for name in ("accuracy", "mean_average_precision", "loss", "images", "folds")
    }


def _result(
    folder: RunFolder, results: Sequence[Mapping[str, Any]], together: Mapping[str, Any], several: bool
) -> dict[str, Any]:
    """result.json: means over the folds, their spread, and each fold's numbers."""
    from striate.insight import pooled

    accuracies = [result["accuracy"] for result in results]
    precisions = [result.get("mean_average_precision") for result in results]
    warnings = [
        f"Fold {k}: {text}" for k, result in enumerate(results, start=1) for text in result["warnings"]
    ]
    settings = read_record(folder.settings, machine=dict)
    more: dict[str, Any] = {}
    if several:
        more = {
            "task": "labels",
            "mean_average_precision": pooled.mean(precisions),
            "mean_average_precision_spread": pooled.spread(precisions),
            "labels": together["per_label"],
        }
    return {
        "accuracy": pooled.mean(accuracies),
        "accuracy_spread": pooled.spread(accuracies),
        "top5": together.get("top5"),
        "loss": pooled.mean([result["loss"] for result in results]),
        "split": pooled.SPLIT,
        "images": sum(result["images"] for result in results),
        "seconds": round(sum(result["seconds"] for result in results), 1),
        "epochs": max(result["epochs"] for result in results),
        "folds": [
            {
                "run": folder.fold(number).path.name,
                **{name: result[name] for name in _OF_A_FOLD if result.get(name) is not None},
            }
            for number, result in enumerate(results, start=1)
        ],
        **({} if several else {"per_class": together["per_class"]}),
        **more,
        "warnings": warnings,
        "striate": settings.get("striate"),
        "torch": settings["machine"].get("torch"),
        "machine": settings["machine"],
    }
