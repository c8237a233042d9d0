"""The folds of a cross-validation, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from striate.report.wording import count, duration, percent


@dataclass(frozen=True)
class FoldRow:
    """One fold; ``page`` is its own report, from the folder of all folds."""

    name: str
    page: str
    measured: str
    share: float
    loss: str
    images: str
    took: str


def fold_rows(result: dict[str, Any]) -> list[FoldRow]:
    return [_row(number, fold) for number, fold in enumerate(result["folds"], start=1)]


def _row(number: int, fold: dict[str, Any]) -> FoldRow:
    share = fold.get("mean_average_precision", fold["accuracy"])
    return FoldRow(
        name=f"fold {number}",
        page=f"fold-{number}/report.html",
        measured=percent(share),
        share=share,
        loss=f"{fold['loss']:.3f}",
        images=count(fold["images"]),
        took=duration(fold["seconds"]),
    )
