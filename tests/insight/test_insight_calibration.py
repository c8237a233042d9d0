"""A temperature makes a network as sure as it is right, and changes no answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from striate.bundle import Bundle, read_bundle, write_bundle
from striate.capture import capture
from striate.engine import Network
from striate.errors import BundleError
from striate.insight.calibration import calibration_error, reliability, temperature


def answers(sharpness: float, images: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose softmax over ``sharpness`` is exactly how often each class is true."""
    draw = np.random.default_rng(3)
    honest = draw.normal(0, 2, (images, 5))
    shares = np.exp(honest) / np.exp(honest).sum(axis=1, keepdims=True)
    labels = np.array([draw.choice(5, p=share) for share in shares])
    return (sharpness * honest).astype(np.float32), labels


def error(logits: np.ndarray, labels: np.ndarray) -> float:
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    return calibration_error(reliability(shares.max(axis=1), shares.argmax(axis=1) == labels))


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0])
def test_it_finds_how_much_too_sure_a_network_is(sharpness: float) -> None:
    logits, labels = answers(sharpness)
    found = temperature(logits, labels)
    assert found == pytest.approx(sharpness, rel=0.1)
    assert error(logits / found, labels) < 0.02
    if sharpness != 1:
        assert error(logits, labels) > 0.05


def test_it_stays_within_its_bounds_and_out_of_what_few_images_say() -> None:
    logits, labels = answers(50.0)
    assert temperature(logits, labels) == pytest.approx(5.0, rel=1e-3)
    assert temperature(np.eye(4, dtype=np.float32), np.arange(4)) == 1.0


def bundle() -> Bundle:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3)).eval()
    graph, weights = capture(module, (1, 1, 8, 8))
    return Bundle(
        graph=graph, weights=weights, labels=("a", "b", "c"), preprocessing={}, card={}, temperature=2.0
    )


def test_a_bundle_keeps_it_and_probabilities_use_it(tmp_path: Path) -> None:
    write_bundle(tmp_path / "bundle", bundle())
    read = read_bundle(tmp_path / "bundle")
    assert read.temperature == 2.0
    images = np.random.default_rng(0).normal(size=(6, 1, 8, 8)).astype(np.float32)
    cool, warm = Network(replace(read, temperature=1.0)), Network(read)
    np.testing.assert_array_equal(cool(images), warm(images))
    expected = torch.from_numpy(cool(images) / 2).softmax(1).numpy()
    np.testing.assert_allclose(warm.probabilities(images), expected, rtol=1e-5)


@pytest.mark.parametrize("wrong", ["yes", 1, None, True])  # True: nothing says that there are images
def test_a_mirror_that_is_none_is_refused(wrong: object, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"has mirror .*: it must be true or false, and true"):
        write_bundle(tmp_path / "bundle", replace(bundle(), mirror=wrong))  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [0, -1.0, float("nan"), float("inf"), "warm", True, None])
def test_a_temperature_that_is_none_is_refused(wrong: object, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"has the temperature .*: it must be a number above 0"):
        write_bundle(tmp_path / "bundle", replace(bundle(), temperature=wrong))  # type: ignore[arg-type]
