"""Numbers in words, and the advice that follows from them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from striate.report.advice import advise
from striate.report.contents import Contents, read_run
from striate.report.wording import count, duration, percent, plural, wilson
from striate.runs import RunFolder


@pytest.mark.parametrize(
    ("share", "digits", "words"),
    [
        (0.915, 1, "91.5%"),
        (1.0, 1, "100.0%"),
        (0.99996, 1, ">99.9%"),
        (0.9994, 1, "99.9%"),
        (0.0, 1, "0.0%"),
        (0.0001, 1, "<0.1%"),
        (0.99996, 2, ">99.99%"),
        (0.12, 0, "12%"),
        (None, 1, "–"),
    ],
)
def test_percent_never_rounds_to_certainty(share: float | None, digits: int, words: str) -> None:
    assert percent(share, digits) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "–"),
        (0.04, "0.0 s"),
        (13.24, "13.2 s"),
        (59.97, "1 min 0 s"),
        (81.4, "1 min 21 s"),
        (3599.6, "1 h 0 min"),
        (7512, "2 h 5 min"),
    ],
)
def test_duration(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words


def test_counts() -> None:
    assert count(12000) == "12,000"
    assert plural(1, "class") == "1 class"
    assert plural(3, "class") == "3 classes"
    assert plural(2000, "image") == "2,000 images"


def test_wilson_against_a_published_example() -> None:
    """81 of 263: Newcombe, Statistics in Medicine 17 (1998), table I, gives 0.2553 to 0.3662."""
    low, high = wilson(81 / 263, 263)
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
    assert wilson(1.0, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)  # 1 - z^2 / (n + z^2)
    assert wilson(0.0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)


def mistakes(**change: Any) -> dict[str, Any]:
    rows = [{"class": name, "recall": 0.9, "support": 100} for name in ("ant", "bee", "cat")]
    calm = {
        "classes": ["ant", "bee", "cat"],
        "images": 300,
        "top1": 0.9,
        "wrong": 30,
        "per_class": rows,
        "confused": [{"label": k, "predicted": (k + 1) % 3, "images": 1} for k in range(3)],
        "reliability": [{"images": 300, "confidence": 0.91, "accuracy": 0.9}],
        "worst": [{"guesses": [[0, 0.8]]}, {"guesses": [[0, 0.7]]}],
    }
    return {**calm, **change}


CALM = Contents(
    path=Path("runs/x"),
    settings={},
    data={"classes": ["ant", "bee"], "splits": {"train": {"per_class": [100, 90]}}},
    history=[
        {
            "epoch": k,
            "val_loss": 1.0 / k,
            "val_accuracy": 0.9,
            "data_wait_share": 0.01,
            "dead_relu_share": 0.0,
        }
        for k in range(1, 11)
    ],
    result={"split": "test"},
    network=None,
    mistakes=mistakes(),
    filters=None,
    gaps=(),
)


def epochs(**values: list[float]) -> list[dict[str, Any]]:
    return [
        {"epoch": k, **dict(zip(values, row, strict=True))}
        for k, row in enumerate(zip(*values.values(), strict=True), start=1)
    ]


def test_a_calm_run_gets_no_advice() -> None:
    assert advise(CALM) == []
    assert advise(replace(CALM, data=None, history=[], result=None, mistakes=None)) == []


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        ({"result": {"split": "test", "warnings": ["A loss was odd."]}}, "Seen while training."),
        ({"result": {"split": "val"}}, "The accuracy is that of the validation images."),
        ({"result": {"split": "train"}}, "The accuracy is that of the images it learned from."),
        (
            {"mistakes": mistakes(per_class=[{"class": "ant", "recall": 0.0, "support": 5}])},
            "Not one image of ant was recognised.",
        ),
        (
            {"mistakes": mistakes(per_class=[{"class": "ant", "recall": 0.6, "support": 5}])},
            "ant is found in only 60.0% of its images; over all classes it is 90.0%.",
        ),
        (
            {
                "mistakes": mistakes(
                    confused=[
                        {"label": 0, "predicted": 2, "images": 4},
                        {"label": 2, "predicted": 0, "images": 2},
                    ]
                )
            },
            "ant and cat are taken for each other in 6 images: 20% of all mistakes.",
        ),
        (
            {"mistakes": mistakes(worst=[{"guesses": [[0, 0.995]]}, {"guesses": [[0, 0.7]]}])},
            "1 wrong answer was given with more than 99%.",
        ),
        (
            {"mistakes": mistakes(worst=[{"guesses": [[0, 0.999]]}] * 24)},
            "At least 24 wrong answers were given with more than 99%.",
        ),
        (
            {"mistakes": mistakes(reliability=[{"images": 300, "confidence": 0.97, "accuracy": 0.9}])},
            "It is on average 97.0% sure and 90.0% right.",
        ),
        (
            {"data": {"classes": ["ant", "bee"], "splits": {"train": {"per_class": [20, 1000]}}}},
            "bee has 50 times as many training images as ant (1,000 and 20).",
        ),
        (
            {"history": epochs(val_loss=[1.0, 0.5, 0.6, 0.7])},
            "Validation loss was lowest in epoch 2 and has risen since, from 0.500 to 0.700.",
        ),
        (
            {"history": epochs(val_accuracy=[0.5, 0.6, 0.7, 0.75, 0.8])},
            "Validation accuracy still rose by 5.0 points in the last fifth of the epochs.",
        ),
        ({"history": epochs(data_wait_share=[0.5, 0.3])}, "40% of the training time went into waiting"),
        ({"history": epochs(dead_relu_share=[0.0, 0.5])}, "50% of the ReLU channels answered with zero"),
    ],
)
def test_each_rule_speaks_of_what_it_sees_and_of_nothing_else(change: dict[str, Any], seen: str) -> None:
    [advice] = advise(replace(CALM, **change))
    assert advice.seen.startswith(seen)
    assert advice.do.endswith(".")


def test_a_real_folder_is_read_whole(run: RunFolder) -> None:
    contents = read_run(run.path)
    assert contents.gaps == ()
    assert contents.name == "try-1"
    assert len(contents.history) == 4
