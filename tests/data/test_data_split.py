"""Properties of the held-out part: it is a matter of content alone."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.data.split import default_fraction, held_out
from striate.errors import ArgumentError

unhurried = settings(deadline=None)  # a busy machine is no failure
samples = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 4)), min_size=1, max_size=300)
fractions = st.sampled_from([0.01, 0.1, 0.2, 0.5, 0.9])


def digest(content: int) -> str:
    return hashlib.sha256(str(content).encode()).hexdigest()


def split(every: list[tuple[int, int]], fraction: float) -> np.ndarray:
    return held_out([digest(c) for c, _ in every], np.array([label for _, label in every]), fraction)


@unhurried
@given(samples, fractions)
def test_the_same_content_never_lies_on_both_sides(every: list[tuple[int, int]], fraction: float) -> None:
    mask = split(every, fraction)
    out = {content for (content, _), held in zip(every, mask, strict=True) if held}
    kept = {content for (content, _), held in zip(every, mask, strict=True) if not held}
    assert not out & kept


@unhurried
@given(samples, fractions)
def test_every_class_can_be_trained_on(every: list[tuple[int, int]], fraction: float) -> None:
    mask = split(every, fraction)
    labels = np.array([label for _, label in every])
    assert set(labels[~mask]) == set(labels)


@unhurried
@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=200, unique=True), fractions)
def test_a_class_with_two_contents_can_be_measured(contents: list[int], fraction: float) -> None:
    mask = split([(content, content % 2) for content in contents], fraction)
    for label in (0, 1):
        own = [held for content, held in zip(contents, mask, strict=True) if content % 2 == label]
        assert len(own) < 2 or any(own)


@unhurried
@given(st.lists(st.integers(0, 400), min_size=1), st.lists(st.integers(0, 400)), fractions)
def test_adding_files_moves_nothing_in_a_class_that_chance_divides(
    old: list[int], new: list[int], fraction: float
) -> None:
    def in_five_classes(contents: list[int]) -> list[tuple[int, int]]:
        return [(content, content % 5) for content in contents]

    before = split(in_five_classes(old), fraction)
    after = split(in_five_classes(old + new), fraction)[: len(old)]
    by_chance = np.array([int(digest(content)[:16], 16) / 2**64 < fraction for content in old])
    for label in range(5):
        own = np.array(old) % 5 == label
        if len(set(by_chance[own])) == 2:
            np.testing.assert_array_equal(before[own], after[own])
        stand_ins = {content for content, odd in zip(old, own & (before != by_chance), strict=True) if odd}
        assert len(stand_ins) <= 1


@unhurried
@given(st.permutations(range(60)), fractions)
def test_order_does_not_matter(order: list[int], fraction: float) -> None:
    every = [(content, content % 3) for content in range(60)]
    straight, shuffled = split(every, fraction), split([every[i] for i in order], fraction)
    np.testing.assert_array_equal(straight[list(order)], shuffled)


def test_large_sets_do_not_move_at_all_when_they_grow() -> None:
    every = [(content, content % 10) for content in range(4_000)]
    np.testing.assert_array_equal(split(every, 0.1)[:2_000], split(every[:2_000], 0.1))


@pytest.mark.parametrize("fraction", [0.02, 0.1, 0.2])
def test_each_class_gives_its_share(fraction: float) -> None:
    every = [(content, content % 4) for content in range(20_000)]
    mask = split(every, fraction)
    deviation = (fraction * (1 - fraction) / 5_000) ** 0.5
    for label in range(4):
        assert abs(mask[label::4].mean() - fraction) < 4 * deviation


def test_default_fractions() -> None:
    assert default_fraction(60_000, has_test=False) == 0.2
    assert default_fraction(10_000, has_test=True) == 0.1
    assert default_fraction(20_000, has_test=True) == 0.1
    assert default_fraction(20_001, has_test=True) == 0.05
    assert default_fraction(60_000, has_test=True) == 0.03
    assert default_fraction(1_281_167, has_test=True) == 0.001


@pytest.mark.parametrize("fraction", [0, 1, -0.1, float("nan")])
def test_impossible_fractions_are_refused(fraction: float) -> None:
    with pytest.raises(
        ArgumentError, match=r"val_fraction must lie between 0 and 1, got .*: give for example"
    ):
        split([(1, 0)], fraction)
