"""``evaluate``: a run measured on a data set, image by image, with the classes of the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from striate.api.extras import require_train
from striate.api.stages import Listener, Progress, stage
from striate.errors import DataError, RunError, command
from striate.runs import RunFolder, read_record

if TYPE_CHECKING:
    from striate.data.dataset import ImageSet
    from striate.training.evaluate import Evaluation


@dataclass(frozen=True)
class Evaluated:
    """How a run does on a data set. Shares lie between 0 and 1; the loss is in nats."""

    accuracy: float
    top5: float | None
    loss: float
    split: str
    images: int
    per_class: tuple[dict[str, Any], ...]
    """Precision, recall, F1 and support; of labels also average precision and threshold."""
    mean_average_precision: float | None = None
    """Of labels; None where images have one class. The accuracy is then of images all of whose labels are
    right."""
    one_pass: float | None = None
    """Where the run answers twice, to an image and to its mirror image: the accuracy of one pass."""
    folds: tuple[float, ...] | None = None
    """Of a cross-validation, whose networks' logits are averaged: the ``share`` of each of them alone."""

    @property
    def share(self) -> float:
        """The number to look at: the mean average precision of labels, else the accuracy."""
        return self.accuracy if self.mean_average_precision is None else self.mean_average_precision

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def evaluate(
    run: str | Path,
    data: str | Path,
    *,
    split: str | None = None,
    root: str | Path | None = None,
    skip_bad: bool = False,
    listeners: Sequence[Listener] = (),
) -> Evaluated:
    """Measure a finished run on ``data`` (``split``: train, val or test; None: the last there is).

    Of a cross-validation the mean of the folds' networks is measured; DataError for images that most of them
    were trained on. The classes are the network's own, by name; a class that it does not know is a DataError.
    ``root``: where the paths of a CSV begin.
    """
    require_train("evaluating")
    folder = RunFolder.open(Path(run))
    if not folder.result.exists():
        raise RunError(
            f"RUN must be a finished training, {folder.path} is not: continue it with "
            f"{command('train', '--resume', folder.path)}."
        )
    written = read_record(folder.settings, model=dict, settings=dict, data=dict)
    split = _unseen_split(folder, str(data), written, split)
    images, found = _own_images(folder, str(data), written, split, listeners) or images_for(
        folder, data, split, skip_bad, root, stage(listeners, "reading images")
    )
    return measured(folder, images, found)


def images_for(
    folder: RunFolder,
    data: str | Path,
    split: str | None,
    skip_bad: bool,
    root: str | Path | None,
    on_progress: Progress,
) -> tuple[ImageSet, str]:
    """Images as a run's network wants them, labelled by its classes, and the name of their split."""
    from striate.data.catalogue import open_split
    from striate.data.preprocess import Preprocessing

    known = read_record(folder.data, preprocessing=dict, classes=list)
    preprocessing = Preprocessing.from_json(known["preprocessing"])
    return open_split(
        data,
        classes=known["classes"],
        image_size=preprocessing.image_size,
        channels=preprocessing.channels,
        preprocessing=preprocessing,
        skip_bad=skip_bad,
        split=split,
        root=root,
        task=known.get("task"),
        on_progress=on_progress,
    )


def measured(folder: RunFolder, images: ImageSet, split: str) -> Evaluated:
    """Measure a run, or the mean of the networks of its folds, on images of ``split``."""
    from striate.api.ensemble import mean_answers, members

    known = read_record(folder.data, preprocessing=dict, classes=list)
    classes, runs = known["classes"], members(folder)
    results = [read_record(run.result) for run in runs]
    answers = [_answers(run, images, known["preprocessing"]) for run in runs]
    if len(runs) == 1:
        return _of_answers(answers[0], results, images, split, classes)
    warm = [result.get("calibration", {}).get("temperature", 1.0) for result in results]
    together = _of_answers(mean_answers(answers, warm), results, images, split, classes)
    each = [
        _of_answers(own, [result], images, split, classes)
        for own, result in zip(answers, results, strict=True)
    ]
    return replace(together, folds=tuple(one.share for one in each))


def _answers(run: RunFolder, images: ImageSet, preprocessing: Mapping[str, Any]) -> Evaluation:
    from striate.api.carrying import build
    from striate.api.finish import AT_ONCE
    from striate.data.batches import Batches
    from striate.data.preprocess import Preprocessing
    from striate.training.device import place
    from striate.training.evaluate import evaluate as measure
    from striate.training.machine import prepared
    from striate.training.settings import TrainSettings

    written = read_record(run.settings, model=dict, settings=dict)
    settings = TrainSettings.from_json(written["settings"])
    module = build({**written["model"], "weights": run.bundle / "model.safetensors"}, seed=0)
    placement = place(settings)
    with prepared(placement):
        batches = Batches(images, Preprocessing.from_json(preprocessing), AT_ONCE, device=placement.device)
        return measure(placement.move(module), batches.epoch(0), placement, mirror=settings.test_time_mirror)


def _of_answers(
    answers: Evaluation,
    results: Sequence[Mapping[str, Any]],
    images: ImageSet,
    split: str,
    classes: Sequence[str],
) -> Evaluated:
    """``results`` of the runs that have answered: thresholds of labels come from them."""
    from striate.insight.confusion import confusion_matrix, per_class

    if answers.multi_label:
        return _of_labels(answers, images, split, classes, results)
    confusion = confusion_matrix(images.labels, answers.logits.argmax(axis=1), len(classes))
    return Evaluated(
        accuracy=answers.accuracy,
        top5=answers.top5 if len(classes) > 5 else None,
        loss=answers.loss,
        split=split,
        images=answers.images,
        per_class=tuple(per_class(confusion, tuple(classes))),
        one_pass=_one_pass(answers),
    )


def _of_labels(
    evaluation: Evaluation,
    images: ImageSet,
    split: str,
    classes: Sequence[str],
    results: Sequence[Mapping[str, Any]],
) -> Evaluated:
    """Of images that may have several labels, at the thresholds of the runs' own results."""
    from striate.api.ensemble import mean_thresholds
    from striate.insight.labels import LabelAnswers, mean_average_precision, per_label

    thresholds = mean_thresholds([[row["threshold"] for row in result["labels"]] for result in results])
    answers = LabelAnswers(split, tuple(classes), images.keys, images.labels, evaluation.probabilities)
    rows = per_label(answers, thresholds)
    return Evaluated(
        accuracy=evaluation.accuracy,
        top5=None,
        loss=evaluation.loss,
        split=split,
        images=evaluation.images,
        per_class=tuple(rows),
        mean_average_precision=mean_average_precision(rows),
        one_pass=_one_pass(evaluation),
    )


def _one_pass(evaluation: Evaluation) -> float | None:
    alone = evaluation.of_one_pass()
    return alone.accuracy if alone is not None else None


def _unseen_split(folder: RunFolder, data: str, written: Mapping[str, Any], split: str | None) -> str | None:
    """The split to measure on: of what a cross-validation was trained on, only the test images are unseen."""
    from striate.data.source import absolute

    if written.get("folds") is None or absolute(data) != written["data"]["source"]:
        return split
    if split not in (None, "test") or read_record(folder.result).get("test") is None:
        raise DataError(
            f"DATA must be images that the folds of {folder.path} were not trained on, and of {data} only a "
            "test split is: give other images; how each fold did on what it held out stands in the report."
        )
    return "test"


def _own_images(
    folder: RunFolder, data: str, written: Mapping[str, Any], split: str | None, listeners: Sequence[Listener]
) -> tuple[ImageSet, str] | None:
    """Where ``data`` is what the run was trained on: a split as the run itself made it, and its name.

    Images that the run held out are taken before others, so that nobody reads the accuracy on images that
    the network was trained on as its accuracy. None: other data, or "all" images of class folders.
    """
    from striate.api.reopening import open_again
    from striate.data.source import absolute

    asked = written["data"]
    if absolute(data) != asked["source"] or split == "all" or written.get("folds") is not None:
        return None
    own = open_again(folder, data, listeners).splits
    wanted = split if split is not None else read_record(folder.result, split=str)["split"]
    if wanted not in own and asked.get("fold") is not None:
        return None  # its test images are nobody's
    if wanted not in own:
        raise DataError(
            f"split must be one of {', '.join(own)}, the parts of {data} that the run made, got {wanted!r}: "
            "give one of them."
        )
    return own[wanted], wanted
