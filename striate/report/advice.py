"""What a person who has read many such runs would point at. Each rule is one function; none knows a model.

The thresholds are where a remark starts to be worth a reader's time; they decide nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from striate.report.contents import Contents
from striate.report.wording import percent, plural


@dataclass(frozen=True)
class Advice:
    """What was seen, and what to do about it."""

    seen: str
    do: str


def advise(run: Contents) -> list[Advice]:
    """All remarks, the most consequential first."""
    return [advice for rule in RULES for advice in rule(run)]


def _warned(run: Contents) -> list[Advice]:
    warnings = (run.result or {}).get("warnings", [])
    return [Advice("Seen while training.", str(message)) for message in warnings]


def _no_test_split(run: Contents) -> list[Advice]:
    split = (run.result or {}).get("split")
    if split == "train":
        do = "It says little about other images: hold back a part of them, as validation or test images."
        return [Advice("The accuracy is that of the images it learned from.", do)]
    if split == "val":
        do = "If you keep the best of many settings, it looks better than it is: hold back a test split."
        return [Advice("The accuracy is that of the validation images.", do)]
    return []


def _never_found(run: Contents) -> list[Advice]:
    rows = (run.mistakes or {}).get("per_class", [])
    names = [row["class"] for row in rows if row["support"] and row["recall"] == 0]
    if not names:
        return []
    return [
        Advice(
            f"Not one image of {_listed(names)} was recognised.",
            "Look whether its training images are there, labelled rightly, and many enough.",
        )
    ]


def _weak_class(run: Contents) -> list[Advice]:
    mistakes = run.mistakes or {}
    rows = [row for row in mistakes.get("per_class", []) if row["recall"]]
    weakest = min(rows, key=lambda row: row["recall"], default=None)
    if weakest is None or weakest["recall"] > mistakes["top1"] - 0.1:
        return []
    return [
        Advice(
            f"{weakest['class']} is found in only {percent(weakest['recall'])} of its images; "
            f"over all classes it is {percent(mistakes['top1'])}.",
            "Look at its images first: add some, and see whether their labels are right.",
        )
    ]


def _mixed_up(run: Contents) -> list[Advice]:
    """Two classes with 15% of all mistakes between them."""
    mistakes = run.mistakes or {}
    wrong, names = mistakes.get("wrong", 0), mistakes.get("classes", [])
    between: dict[tuple[int, int], int] = {}
    for pair in mistakes.get("confused", []):
        low, high = sorted((pair["label"], pair["predicted"]))
        between[low, high] = between.get((low, high), 0) + pair["images"]
    if not between or len(names) < 3 or wrong < 20:
        return []
    both = max(between, key=lambda key: between[key])
    if between[both] < 0.15 * wrong:
        return []
    first, second = names[both[0]], names[both[1]]
    return [
        Advice(
            f"{first} and {second} are taken for each other in {plural(between[both], 'image')}: "
            f"{percent(between[both] / wrong, 0)} of all mistakes.",
            "See whether you can tell them apart yourself, and whether all were labelled by one rule.",
        )
    ]


def _sure_and_wrong(run: Contents) -> list[Advice]:
    worst = (run.mistakes or {}).get("worst", [])
    number = sum(row["guesses"][0][1] > 0.99 for row in worst)
    if not number:
        return []
    many = f"At least {number}" if number == len(worst) else str(number)
    return [
        Advice(
            f"{many} wrong {'answer was' if number == 1 else 'answers were'} given with more than 99%.",
            "Wrong labels gather here: look at the worst mistakes before anything else.",
        )
    ]


def _too_sure(run: Contents) -> list[Advice]:
    mistakes = run.mistakes or {}
    table, images = mistakes.get("reliability", []), mistakes.get("images", 0)
    sure = sum(row["confidence"] * row["images"] for row in table) / images if images else 0.0
    if not images or sure - mistakes["top1"] < 0.05:
        return []
    return [
        Advice(
            f"It is on average {percent(sure)} sure and {percent(mistakes['top1'])} right.",
            "Do not read its percentages as chances; more label smoothing brings the two closer.",
        )
    ]


def _past_the_best(run: Contents) -> list[Advice]:
    losses = [(row["val_loss"], row["epoch"]) for row in run.history if row.get("val_loss") is not None]
    if len(losses) < 4 or losses[-1][0] < 1.1 * min(losses)[0]:
        return []
    return [
        Advice(
            f"Validation loss was lowest in epoch {min(losses)[1]} and has risen since, "
            f"from {min(losses)[0]:.3f} to {losses[-1][0]:.3f}.",
            "The network has begun to memorise: fewer epochs, or more images.",
        )
    ]


def _still_rising(run: Contents) -> list[Advice]:
    known = [row["val_accuracy"] for row in run.history if row.get("val_accuracy") is not None]
    if len(known) < 5 or known[-1] < max(known):
        return []
    gain = known[-1] - known[-1 - max(1, len(known) // 5)]
    if gain < 0.01:
        return []
    return [
        Advice(
            f"Validation accuracy still rose by {gain * 100:.1f} points in the last fifth of the epochs.",
            "More epochs may make it better.",
        )
    ]


def _imbalance(run: Contents) -> list[Advice]:
    data = run.data
    counts = data["splits"]["train"]["per_class"] if data else []
    if not data or not counts or min(counts) == 0 or max(counts) < 5 * min(counts):
        return []
    most, least = (data["classes"][counts.index(pick(counts))] for pick in (max, min))
    return [
        Advice(
            f"{most} has {max(counts) / min(counts):.0f} times as many training images as {least} "
            f"({max(counts):,} and {min(counts):,}).",
            "Read the recall of each class rather than the accuracy; add images to the small classes, or "
            "train with --balance loss or sampler.",
        )
    ]


def _found_in_the_data(run: Contents) -> list[Advice]:
    """Pictures in two splits or with two labels; imbalance has a rule of its own."""
    found = (run.data or {}).get("findings", [])
    told = [one for one in found if one["rule"] not in ("imbalance", "few-images")]
    return [Advice(str(one["message"]), "The section about the data names the files.") for one in told]


def _waiting_for_images(run: Contents) -> list[Advice]:
    shares = [row["data_wait_share"] for row in run.history if row.get("data_wait_share") is not None]
    mean = sum(shares) / len(shares) if shares else 0.0
    if mean < 0.25:
        return []
    return [
        Advice(
            f"{percent(mean, 0)} of the training time went into waiting for images.",
            "Store the images smaller, or on a faster disk.",
        )
    ]


def _dead_channels(run: Contents) -> list[Advice]:
    share = run.history[-1].get("dead_relu_share") if run.history else None
    if share is None or share < 0.25:
        return []
    return [
        Advice(
            f"{percent(share, 0)} of the ReLU channels answered with zero everywhere in the last epoch.",
            "They do not learn any more: a lower learning rate or a longer warm-up keeps them alive.",
        )
    ]


def _listed(names: list[str], most: int = 5) -> str:
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


RULES: tuple[Callable[[Contents], list[Advice]], ...] = (
    _warned,
    _never_found,
    _sure_and_wrong,
    _weak_class,
    _mixed_up,
    _found_in_the_data,
    _imbalance,
    _past_the_best,
    _still_rising,
    _too_sure,
    _no_test_split,
    _dead_channels,
    _waiting_for_images,
)
