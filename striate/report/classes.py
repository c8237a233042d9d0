"""Right and wrong per class: the confusion matrix, the most confused pairs, the table of classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from striate.report.wording import percent, plural

READABLE = 30  # classes; a larger matrix cannot be read, its pairs can


@dataclass(frozen=True)
class Cell:
    """One cell: how many images, how dark (0..1), whether on the diagonal, and the sentence on hovering."""

    images: int
    shade: float
    right: bool
    tip: str

    @property
    def dark(self) -> bool:
        """Whether letters on it must be light."""
        return self.shade >= 0.75


@dataclass(frozen=True)
class Pair:
    label: str
    predicted: str
    images: int
    share: float


@dataclass(frozen=True)
class Row:
    """One class of the table; ``confusion`` is the class it is most often taken for, with the share."""

    name: str
    training_images: int | None
    precision: float | None
    recall: float | None
    f1: float | None
    support: int
    confusion: Pair | None


@dataclass(frozen=True)
class ClassPart:
    """The section. ``matrix`` is empty above 30 classes."""

    names: list[str]
    matrix: list[list[Cell]]
    pairs: list[Pair]
    rows: list[Row]
    split: str


def class_part(mistakes: dict[str, Any], data: dict[str, Any] | None) -> ClassPart:
    names, counts = mistakes["classes"], mistakes["confusion"]
    trained = dict(zip(data["classes"], data["splits"]["train"]["per_class"], strict=True)) if data else {}
    return ClassPart(
        names=names,
        matrix=_matrix(names, counts) if len(names) <= READABLE else [],
        pairs=[_pair(names, entry) for entry in mistakes["confused"]],
        rows=[
            _row(entry, trained.get(entry["class"]), _most(names, counts, k))
            for k, entry in enumerate(mistakes["per_class"])
        ],
        split=mistakes["split"],
    )


def _matrix(names: list[str], counts: list[list[int]]) -> list[list[Cell]]:
    return [[_cell(names, row, true, guess) for guess in range(len(row))] for true, row in enumerate(counts)]


def _cell(names: list[str], row: list[int], true: int, guess: int) -> Cell:
    images, total, right = row[guess], sum(row), true == guess
    share = images / total if total else 0.0
    verb = "were called so" if right else f"were taken for {names[guess]}"
    tip = f"{images} of {plural(total, 'image')} of {names[true]} {verb} ({percent(share)})"
    # The square root lets a rare mistake be seen at all beside a class that is nearly always right.
    return Cell(images, round(share if right else share**0.5, 3), right, tip)


def _pair(names: list[str], entry: dict[str, Any]) -> Pair:
    return Pair(names[entry["label"]], names[entry["predicted"]], entry["images"], entry["share"])


def _most(names: list[str], counts: list[list[int]], true: int) -> Pair | None:
    wrong = [0 if guess == true else images for guess, images in enumerate(counts[true])]
    if not any(wrong):
        return None
    guess = wrong.index(max(wrong))
    return (
        Pair(names[true], names[guess], wrong[guess], wrong[guess] / sum(counts[true]))
        if max(wrong)
        else None
    )


def _row(entry: dict[str, Any], trained: int | None, confusion: Pair | None) -> Row:
    return Row(
        name=entry["class"],
        training_images=trained,
        precision=entry["precision"],
        recall=entry["recall"],
        f1=entry["f1"],
        support=entry["support"],
        confusion=confusion,
    )
