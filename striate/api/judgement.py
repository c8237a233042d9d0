"""How a network did whose images may have several labels: a threshold for each label, and what follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from striate.data.dataset import Dataset
    from striate.insight.labels import LabelAnswers
    from striate.training.device import Placement
    from striate.training.evaluate import Evaluation
    from striate.training.team import Team


@dataclass(frozen=True)
class Judged:
    """The answers on the measured split, and the thresholds, which come from the split ``chosen_on``."""

    answers: LabelAnswers
    thresholds: Sequence[float]
    chosen_on: str

    @property
    def card(self) -> dict[str, Any]:
        """What the bundle must know to answer."""
        return {"task": "labels", "thresholds": list(self.thresholds)}

    @property
    def result(self) -> dict[str, Any]:
        """What result.json says beside the accuracy (of images all of whose labels are right)."""
        from striate.insight.labels import mean_average_precision, per_label

        rows = per_label(self.answers, self.thresholds)
        return {
            "task": "labels",
            "mean_average_precision": mean_average_precision(rows),
            "thresholds_from": self.chosen_on,
            "labels": rows,
        }


def judged(
    module: nn.Module,
    dataset: Dataset,
    split: str,
    evaluation: Evaluation,
    placement: Placement,
    team: Team,
    mirror: bool = False,
) -> Judged | None:
    """None where images have one class. Thresholds are chosen on val, whatever split was measured.

    All processes of ``team`` take part. ``mirror``: whether answers are those of two passes.
    """
    if dataset.task == "classes":
        return None
    from striate.api.finish import AT_ONCE
    from striate.data.batches import Batches
    from striate.insight.labels import LabelAnswers, thresholds_of
    from striate.training.evaluate import evaluate_together

    def answers(name: str, found: Evaluation) -> LabelAnswers:
        images = dataset.splits[name]
        return LabelAnswers(name, dataset.classes, images.keys, images.labels, found.probabilities)

    chosen_on, known = split, evaluation
    if dataset.val is not None and split != "val":
        batches = Batches(dataset.val, dataset.preprocessing, AT_ONCE, device=placement.device)
        chosen_on, known = "val", evaluate_together(module, batches, placement, team, mirror=mirror)
    return Judged(answers(split, evaluation), thresholds_of(answers(chosen_on, known)), chosen_on)
