"""From times to standings: medians, ratios taken within their round, shares of what the machine can do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

US = "striate"


@dataclass(frozen=True)
class Standing:
    """One contestant in one heat.

    ``milliseconds``: of one image, the median over rounds. ``gflops``: of the definition's arithmetic (two
    for a multiply-add), so that an algorithm which needs less may exceed the machine's peak; ``share``: of
    that peak on as many threads. ``error``: relative, against float64.
    """

    name: str
    milliseconds: float
    quartiles: tuple[float, float]
    gflops: float
    share: float
    error: float


@dataclass(frozen=True)
class Heat:
    """One batch size on one number of threads. ``ratio``: the best rival's time over ours, the median.

    ``best``: the rival with the lowest median; None, like the ratio, where nobody else ran, or we did not.
    ``disagree``: whose answers are others than the definition's; their times stand, but they cannot be best.
    """

    batch: int
    threads: int
    rounds: int
    standings: tuple[Standing, ...]
    best: str | None = None
    ratio: float | None = None
    quartiles: tuple[float, float] | None = None
    disagree: tuple[str, ...] = ()
    absent: Mapping[str, str] | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def standings(
    times: Mapping[str, Sequence[float]],
    errors: Mapping[str, float],
    *,
    allowed: float,
    batch: int,
    threads: int,
    multiply_adds: int,
    peak: float,
    absent: Mapping[str, str],
) -> Heat:
    """``times``: seconds of a whole batch, a number a round. ``multiply_adds``: of one image.

    ``peak``: multiply-adds a second of one core.
    """
    table = {name: np.array(each) * 1e3 / batch for name, each in times.items()}
    found = []
    for name, each in table.items():
        low, middle, high = np.percentile(each, [25, 50, 75])
        speed = multiply_adds / (middle / 1e3)
        found.append(
            Standing(
                name,
                float(middle),
                (float(low), float(high)),
                2 * speed / 1e9,
                speed / (peak * threads) if peak else 0.0,
                errors[name],
            )
        )
    found.sort(key=lambda standing: standing.milliseconds)
    wrong = tuple(name for name, error in errors.items() if not error <= allowed)
    rivals = [standing.name for standing in found if standing.name != US and standing.name not in wrong]
    rounds = len(next(iter(times.values()), ()))
    if not rivals or US not in table or US in wrong:
        return Heat(batch, threads, rounds, tuple(found), disagree=wrong, absent=dict(absent))
    low, ratio, high = np.percentile(table[rivals[0]] / table[US], [25, 50, 75])
    spread = (float(low), float(high))
    return Heat(batch, threads, rounds, tuple(found), rivals[0], float(ratio), spread, wrong, dict(absent))
