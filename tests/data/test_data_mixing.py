"""Two images in one, and classes that come equally often: the same whoever works on which part."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from striate.data.augment import Augmentation
from striate.data.batches import Batches
from striate.data.dataset import ImageSet
from striate.data.mixing import mixture
from striate.data.preprocess import Preprocessing
from striate.data.sampling import balanced_order, class_weights
from striate.errors import ArgumentError

DRAWS = np.random.default_rng(0).random((4000, 4))
PLAIN = Preprocessing((8, 8), 1, mean=(0.0,), std=(1 / 255,))


def flat(count: int, classes: int) -> ImageSet:
    """Image i has the value 5 i + 1 everywhere and class i mod classes."""
    images = np.repeat(np.arange(count, dtype=np.uint8) * 5 + 1, 64).reshape(count, 8, 8, 1)
    return ImageSet.of_arrays("train", images, np.arange(count) % classes)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_shares_follow_the_beta_distribution(alpha: float) -> None:
    share = mixture(DRAWS, alpha, 0.0, (8, 8)).share
    own = np.random.default_rng(1).beta(alpha, alpha, 100_000)
    places = np.linspace(0.05, 0.95, 19)
    np.testing.assert_allclose(np.quantile(share, places), np.quantile(own, places), atol=0.03)


def test_mixup_lays_over_and_cutmix_pastes() -> None:
    own, other = torch.zeros(4000, 10, 12, 3), torch.ones(4000, 10, 12, 3)
    laid = mixture(DRAWS, 1.0, 0.0, (10, 12))
    np.testing.assert_allclose(laid.images(own, other).mean(dim=(1, 2, 3)), 1 - laid.share, atol=1e-5)
    assert (
        laid.images(own, other).amax(dim=(1, 2, 3)) - laid.images(own, other).amin(dim=(1, 2, 3))
    ).max() < 1e-6
    pasted = mixture(DRAWS, 0.0, 1.0, (10, 12))
    result = pasted.images(own, other)
    assert set(result.unique().tolist()) == {0.0, 1.0}
    np.testing.assert_allclose(result.mean(dim=(1, 2, 3)), 1 - pasted.share, atol=1e-5)
    both = mixture(DRAWS, 0.2, 1.0, (10, 12)).images(own, other)
    whole = ((both == 0) | (both == 1)).all(dim=(1, 2, 3))
    assert 1800 < int(whole.sum()) < 2600
    targets = laid.targets(torch.eye(2)[:1].expand(4000, 2), torch.eye(2)[1:].expand(4000, 2))
    np.testing.assert_allclose(targets.numpy(), np.stack([laid.share, 1 - laid.share], 1), atol=1e-6)


@pytest.mark.parametrize("batch_size", [4, 5])
def test_partners_are_neighbours_and_processes_see_the_same(batch_size: int) -> None:
    def make(rank: int, processes: int, size: int = batch_size) -> Batches:
        how = Augmentation(mixup=1.0, flip=True)
        return Batches(
            flat(20, 3), PLAIN, size, shuffle=True, augmentation=how, classes=3, part=(rank, processes)
        )

    x, y = (torch.cat(parts) for parts in zip(*make(0, 1).epoch(1), strict=True))
    assert x.shape == (20, 1, 8, 8) and y.shape == (20, 3)
    torch.testing.assert_close(y.sum(1), torch.ones(20))
    again_x, _ = (torch.cat(parts) for parts in zip(*make(0, 1, 10).epoch(1), strict=True))
    torch.testing.assert_close(again_x, x)  # whatever the batch
    parts = [[torch.cat(halves) for halves in zip(*make(rank, 2).epoch(1), strict=True)] for rank in (0, 1)]
    seen = torch.cat([parts[0][0], parts[1][0]]).flatten(1)[:, 0].sort().values
    torch.testing.assert_close(seen, x.flatten(1)[:, 0].sort().values)


def test_every_class_comes_equally_often_and_every_image_in_its_turn() -> None:
    labels = np.array([0] * 60 + [1] * 8 + [2] * 2)
    seen: list[int] = []
    for epoch in range(4):
        rows, times = balanced_order(3, epoch, labels, 3)
        assert sorted(np.bincount(labels[rows]).tolist()) == [23, 23, 24]
        assert len({(row, time) for row, time in zip(rows, times, strict=True)}) == 70
        seen += rows[labels[rows] == 0].tolist()
        again, _ = balanced_order(3, epoch, labels, 3)
        np.testing.assert_array_equal(rows, again)
    assert len(set(seen)) >= 58  # of 60, after 92 to 96 looks
    assert not np.array_equal(balanced_order(3, 0, labels, 3)[0], balanced_order(4, 0, labels, 3)[0])


def test_an_image_that_comes_twice_is_varied_anew() -> None:
    random = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 1), dtype=np.uint8)
    images = ImageSet.of_arrays("train", random, np.array([0] * 11 + [1]))
    batches = Batches(
        images, PLAIN, 12, shuffle=True, augmentation=Augmentation(shift=3), balanced=True, classes=2
    )
    x, y = next(batches.epoch(0))
    assert int((y == 1).sum()) == 6
    assert len({one.numpy().tobytes() for one in x[y == 1]}) > 3
    with pytest.raises(
        ArgumentError, match=r"balance must not be 'sampler' where images have several labels"
    ):
        Batches(ImageSet(images.keys, np.zeros((12, 2), np.int64), random), PLAIN, 4, balanced=True)


def test_weights_of_classes_and_labels() -> None:
    assert class_weights([30, 10], 40, labels=False) == pytest.approx([2 / 3, 2.0])
    assert class_weights([30, 10, 0], 40, labels=True) == pytest.approx([1 / 3, 3.0, 39.0])
    assert class_weights([1, 10], 1_000_000, labels=True)[0] == 100


def test_several_labels_come_as_shares() -> None:
    images = flat(6, 2)
    labels = np.array([[1, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0], [1, 0, 0], [0, 0, 1]])
    several = ImageSet(images.keys, labels, images.images)
    _, y = next(Batches(several, PLAIN, 6).epoch(0))
    assert y.dtype == torch.float32 and torch.equal(y.long(), torch.from_numpy(labels))
