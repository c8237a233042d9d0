"""Turns, standings and agreement, with a clock that the test holds in its hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from striate.race import alternate, errors, installed_bytes, peak_memory, standings
from striate.race.contestant import CONTESTANTS, Contestant


class Clock:
    """Time passes only where somebody works or rests."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls: list[str] = []

    def __call__(self) -> float:
        return self.now

    def work(self, name: str, *seconds: float) -> Callable[[], np.ndarray]:
        durations = iter(seconds)

        def answer() -> np.ndarray:
            self.calls.append(name)
            self.now += next(durations, seconds[-1])
            return np.zeros(1, np.float32)

        return answer

    def rest(self, seconds: float) -> None:
        self.now += seconds


def test_everybody_has_a_turn_in_every_round_and_another_begins() -> None:
    clock = Clock()
    answers = {"a": clock.work("a", 0.1), "b": clock.work("b", 0.2)}
    times = alternate(answers, 3, seconds=99, clock=clock, rest=clock.rest)
    assert times == {"a": pytest.approx([0.1] * 3), "b": pytest.approx([0.2] * 3)}
    turn = [name for name, before in zip(clock.calls, ["", *clock.calls], strict=False) if name != before]
    assert turn == ["a", "b", "a", "b"]  # a b | b a | a b


def test_the_first_call_is_not_counted_and_the_best_is() -> None:
    clock = Clock()
    times = alternate(
        {"a": clock.work("a", 0.001, 0.3, 0.2, 0.25)}, 1, seconds=9, clock=clock, rest=clock.rest
    )
    assert times == {"a": [pytest.approx(0.2)]}


def test_a_fast_network_is_called_until_time_can_be_told() -> None:
    clock = Clock()
    alternate({"a": clock.work("a", 1e-3)}, 1, seconds=9, clock=clock, rest=clock.rest)
    assert 50 <= len(clock.calls) <= 53


def test_time_ends_a_race_after_three_rounds() -> None:
    clock = Clock()
    told: list[tuple[int, int]] = []
    times = alternate(
        {"a": clock.work("a", 5.0)},
        10,
        seconds=1,
        clock=clock,
        rest=clock.rest,
        told=lambda done, total: told.append((done, total)),
    )
    assert times == {"a": pytest.approx([5.0] * 3)}
    assert told[0] == (0, 10) and told[-1] == (10, 10)


def heat(times: dict[str, list[float]], wrong: str = "") -> object:
    found = {name: 1.0 if name == wrong else 1e-6 for name in times}
    return standings(
        times, found, allowed=1e-4, batch=2, threads=2, multiply_adds=10**9, peak=2e9, absent={"x": "why"}
    )


def test_a_ratio_is_taken_within_its_round() -> None:
    found = heat({"striate": [1, 2, 4], "torch": [2, 4, 8], "openvino": [9, 9, 9]})
    assert found.best == "torch" and found.ratio == 2 and found.quartiles == (2, 2)  # type: ignore[attr-defined]
    first, second, third = found.standings  # type: ignore[attr-defined]
    assert [one.name for one in (first, second, third)] == ["striate", "torch", "openvino"]
    assert first.milliseconds == 1000  # two images in 2 s
    assert first.gflops == pytest.approx(2) and first.share == pytest.approx(0.25)
    assert found.absent == {"x": "why"}  # type: ignore[attr-defined]


def test_who_answers_something_else_cannot_be_best() -> None:
    found = heat({"striate": [2, 2], "torch": [1, 1], "openvino": [3, 3]}, wrong="torch")
    assert found.best == "openvino" and found.ratio == 1.5 and found.disagree == ("torch",)  # type: ignore[attr-defined]
    ours = heat({"striate": [2, 2], "torch": [1, 1]}, wrong="striate")
    assert ours.best is None and ours.ratio is None  # type: ignore[attr-defined]
    assert heat({"striate": [2, 2]}).ratio is None  # type: ignore[attr-defined]


def test_answers_are_compared_with_the_definition() -> None:
    expected = np.array([[3.0, 4.0], [0.0, 5.0]])
    batch = np.array([[3.0, 4.0], [7.0, 7.0], [0.0, 5.5]])
    one = np.array([[3.0, 4.0]])
    found = errors({"near": batch, "shape": batch[:, :1], "nan": batch * np.nan}, expected)
    assert found == {"near": pytest.approx(0.5 / 50**0.5), "shape": float("inf"), "nan": float("inf")}
    assert errors({"one": one}, expected[:1]) == {"one": 0.0}


def test_what_is_installed_has_a_size() -> None:
    ours, numpy = installed_bytes("striate"), installed_bytes("numpy")
    assert 5e6 < numpy < ours  # we need NumPy
    assert peak_memory() > 20e6


def test_who_cannot_take_part_says_why() -> None:
    assert "not installed" in (Contestant("x", "no_such_package", "x").missing(module=True) or "")
    assert "torch module" in (CONTESTANTS["torch"].missing(module=False) or "")
    assert CONTESTANTS["torch"].missing(module=True) is None
