"""The first screen: how good the network is, how sure that number is, and what it was made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from striate.report.contents import Contents
from striate.report.wording import count, duration, percent, plural, wilson


@dataclass(frozen=True)
class Headline:
    """``number`` in large letters, ``lead`` beside it, then facts as (value, what it is)."""

    number: str
    lead: str
    facts: tuple[tuple[str, str], ...]


def headline(run: Contents, parameters: int | None) -> Headline:
    """``parameters`` of the network, where they are known."""
    if run.result is not None:
        number, lead = _crossed(run.result) if run.is_crossed else _finished(run.result)
    else:
        number, lead = _unfinished(run)
    return Headline(number, lead, tuple(_facts(run, parameters)))


def _finished(result: dict[str, Any]) -> tuple[str, str]:
    accuracy, images = result["accuracy"], result["images"]
    if result.get("mean_average_precision") is not None:
        return percent(result["mean_average_precision"]), (
            f"mean average precision over the labels, on {count(images)} images of the {result['split']} "
            "split: how well the images with a label are told from those without. On "
            f"{percent(accuracy)} of them every label is right.{_passes(result)}"
        )
    low, high = wilson(accuracy, images)
    unseen = {
        "test": "test images, which it was not trained on",
        "val": "validation images; it did not learn from them, but choices may have been made on them",
        "train": "training images, the very ones it learned from",
    }.get(result["split"], f"images of the split {result['split']}")
    return percent(accuracy, 2 if images >= 1000 else 1), (
        f"of the answers are right: {count(round(accuracy * images))} of {count(images)} {unseen}."
        f"{_passes(result)} With so many images the true figure lies, 19 times out of 20, between "
        f"{percent(low)} and {percent(high)}."
    )


def _passes(result: dict[str, Any]) -> str:
    """Where each image was answered twice, what that brings."""
    if result.get("one_pass") is None:
        return ""
    return (
        " Each answer is the mean over the image and its mirror image, as the bundle answers too; one pass, "
        f"in half the time, is right in {percent(result['one_pass']['accuracy'], 2)}."
    )


def _crossed(result: dict[str, Any]) -> tuple[str, str]:
    folds, images = len(result["folds"]), count(result["images"])
    name, what = "accuracy", "of the answers are right"
    if result.get("mean_average_precision") is not None:
        name, what = "mean_average_precision", "mean average precision over the labels"
    each = [fold[name] for fold in result["folds"]]
    return percent(result[name]), (
        f"{what}: the mean of {folds} trainings, from {percent(min(each))} to {percent(max(each))}, with a "
        f"standard deviation of {percent(result[f'{name}_spread'])}. Each held out another part of the "
        f"{images} images, so that every image was answered by a network that had not seen it."
        f"{_together(result)}"
    )


def _together(result: dict[str, Any]) -> str:
    """How the mean of the folds' networks does on images that none of them has seen."""
    test = result.get("test")
    if test is None:
        return ""
    name = "accuracy" if test["mean_average_precision"] is None else "mean_average_precision"
    return (
        f" On {count(test['images'])} test images, which none of them has seen, the mean of the networks "
        f"(this folder's bundle) reaches {percent(test[name])}; one alone from "
        f"{percent(min(test['folds']))} to {percent(max(test['folds']))}."
    )


def _unfinished(run: Contents) -> tuple[str, str]:
    known = [row for row in run.history if row.get("val_accuracy") is not None]
    if run.is_crossed:
        return "not yet", "This cross-validation is not finished, and no accuracy has been measured."
    asked = run.settings.get("settings", {}).get("epochs")
    done = f"{plural(len(run.history), 'epoch')}{f' of {asked}' if asked else ''} done"
    if not known:
        return "not yet", f"This run is not finished: {done}, and no accuracy has been measured."
    return percent(known[-1]["val_accuracy"]), (
        f"of the validation images were answered rightly after epoch {known[-1]['epoch']}. "
        f"This run is not finished: {done}."
    )


def _facts(run: Contents, parameters: int | None) -> list[tuple[str, str]]:
    result, data, model = run.result or {}, run.data, run.settings.get("model", {})
    facts: list[tuple[str, str]] = []
    classes = len(data["classes"]) if data else model.get("classes")
    if result.get("top5") is not None and isinstance(classes, int) and classes > 5:
        facts.append((percent(result["top5"]), "right within five guesses"))
    if classes is not None:
        facts.append((str(classes), "classes"))
    if data:
        what = "images" if run.is_crossed else "training images"
        facts.append((count(data["splits"]["train"]["images"]), what))
    if model.get("name"):
        facts.append((str(model["name"]), "the network"))
    if parameters is not None:
        facts.append((count(parameters), "parameters"))
    epochs, each = result.get("epochs", len(run.history)), " a fold" if run.is_crossed else ""
    seconds = result.get("seconds") or sum(row["seconds"] for row in run.history)
    facts.append((duration(seconds), f"of training, {plural(epochs, 'epoch')}{each}"))
    return facts
