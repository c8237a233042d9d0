"""The recipe gives settings that a training can start with, for any number of images."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.errors import ArgumentError
from striate.training.recipe import KINDS, augmentation_pays, recipe


@given(st.sampled_from(KINDS), st.integers(1, 2_000_000), st.none() | st.integers(1, 300))
def test_every_set_gets_whole_batches_and_enough_steps(kind: str, images: int, epochs: int | None) -> None:
    settings = recipe(kind, images, epochs=epochs, seed=5)
    assert settings.seed == 5
    assert epochs in (None, settings.epochs)
    steps = images // settings.batch_size
    assert steps >= min(images, 4)
    assert 0 < settings.lr <= 0.012
    if epochs is None and images >= 300:
        assert steps * settings.epochs >= 1000


def test_the_embedded_set_and_the_full_one() -> None:
    embedded, full = recipe("grey-small", 9_000), recipe("grey-small", 60_000)
    assert (embedded.epochs, embedded.batch_size, embedded.lr) == (33, 128, 0.012)
    assert (full.epochs, full.batch_size) == (10, 128)


def test_smaller_batches_take_smaller_steps() -> None:
    small = recipe("colour-small", 1_000)
    assert (small.batch_size, small.lr) == (32, 0.006)


def test_a_network_may_have_a_rate_of_its_own() -> None:
    assert recipe("grey-small", 60_000, lr=0.005).lr == 0.005
    assert recipe("colour-small", 1_000, lr=0.005).lr == 0.0025
    assert recipe("grey-small", 60_000, lr=0.005, fine_tune=True) == recipe(
        "grey-small", 60_000, fine_tune=True
    )


def test_short_runs_do_not_vary_their_images() -> None:
    assert not augmentation_pays(2)
    assert augmentation_pays(30)


def test_refusals() -> None:
    with pytest.raises(ArgumentError, match="kind must be one of grey-small, colour-small, photographs"):
        recipe("grey", 100)
    with pytest.raises(ArgumentError, match="images must be at least 1, got 0"):
        recipe("grey-small", 0)
    with pytest.raises(ArgumentError, match="epochs must be a whole number of at least 1, got 0"):
        recipe("grey-small", 100, epochs=0)
