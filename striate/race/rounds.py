"""In turns: every round asks each contestant once, and counts its best of a few calls in a row.

What a machine does beside the race comes and goes within seconds, so it strikes all of a round alike, and
a ratio is taken within its round. The first call of a turn is not counted: it finds the caches full of
another's weights. Between turns there is a rest, because threads of other libraries go on spinning for a
while.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter, sleep

from striate.race.contestant import Answer

TURN = 0.05  # seconds that a turn lasts at least, unless CALLS are done
CALLS = 3
REST = 0.03  # seconds
FEWEST = 3  # rounds, however long they take


def alternate(
    answers: Mapping[str, Answer],
    rounds: int,
    *,
    seconds: float,
    clock: Callable[[], float] = perf_counter,
    rest: Callable[[float], None] = sleep,
    told: Callable[[int, int], None] = lambda done, total: None,
    begins: Callable[[str], None] = lambda name: None,
) -> dict[str, list[float]]:
    """Seconds of one call, a number a round for each contestant: the same number for all.

    Ends after ``rounds``, or when ``seconds`` have passed and at least three rounds are done. Who begins
    changes from round to round. ``begins`` hears whose turn comes, before the rest that precedes it.
    """
    times: dict[str, list[float]] = {name: [] for name in answers}
    order, start = list(answers), clock()
    for number in range(rounds):
        told(number, rounds)
        for name in order[number % len(order) :] + order[: number % len(order)]:
            begins(name)
            rest(REST)
            times[name].append(_turn(answers[name], clock))
        if clock() - start > seconds and number + 1 >= FEWEST:
            break
    told(rounds, rounds)
    return times


def _turn(answer: Answer, clock: Callable[[], float]) -> float:
    """The best of several calls; a slow network is called fewer times."""
    answer()
    best, spent, calls = float("inf"), 0.0, 0
    while calls < CALLS or spent < TURN:
        start = clock()
        answer()
        took = clock() - start
        best, spent, calls = min(best, took), spent + took, calls + 1
        if took > 1:  # a second: noise has averaged out
            break
    return best
