"""Batches are a function of (seed, epoch, step), laid out channels last, normalised as in evaluation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from striate.data.augment import Augmentation
from striate.data.batches import Batches
from striate.data.dataset import ImageSet
from striate.data.draws import hashed, order, uniform
from striate.data.preprocess import Preprocessing
from striate.errors import ArgumentError, DataError

EVERYTHING = Augmentation(flip=True, shift=2, erase=3, scale_crop=(0.4, 1.0), brightness=0.2, contrast=0.2)


def noise(count: int, channels: int = 3, side: int = 12) -> ImageSet:
    random = np.random.default_rng(count)
    images = random.integers(0, 256, (count, side, side, channels), dtype=np.uint8)
    return ImageSet.of_arrays("train", images, np.arange(count) % 7)


def how(channels: int = 3, side: int = 12) -> Preprocessing:
    return Preprocessing((side, side), channels, mean=(0.4,), std=(0.25,))


@pytest.mark.parametrize("channels", [1, 3])
def test_evaluation_batches_are_the_normalised_images_in_order(channels: int) -> None:
    images = noise(50, channels)
    batches = Batches(images, how(channels), 16)
    every = list(batches.epoch(0))
    assert [len(x) for x, _ in every] == [16, 16, 16, 2] and len(batches) == 4
    np.testing.assert_allclose(
        torch.cat([x for x, _ in every]).numpy(), how(channels).normalise(images.images), atol=1e-6
    )
    np.testing.assert_array_equal(torch.cat([y for _, y in every]).numpy(), images.labels)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("augmentation", [None, EVERYTHING])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_memory_is_channels_last_even_with_one_channel(
    channels: int, augmentation: Augmentation | None, dtype: torch.dtype
) -> None:
    batches = Batches(noise(8, channels), how(channels), 8, augmentation=augmentation, dtype=dtype)
    x, y = next(batches.epoch(0))
    assert x.shape == (8, channels, 12, 12) and x.dtype == dtype and y.dtype == torch.int64
    assert x.stride() == (144 * channels, 1, 12 * channels, channels)


def test_training_sees_every_image_once_in_an_order_of_the_epoch() -> None:
    images = noise(48)
    means = how().normalise(images.images).mean(axis=(1, 2, 3))
    seen = []
    for epoch in (1, 2):
        batches = Batches(images, how(), 16, shuffle=True, seed=3)
        seen.append(torch.cat([x.mean(dim=(1, 2, 3)) for x, _ in batches.epoch(epoch)]).numpy())
        np.testing.assert_allclose(np.sort(seen[-1]), np.sort(means), atol=1e-5)
    assert not np.allclose(seen[0], seen[1]) and not np.allclose(seen[0], means)


@pytest.mark.parametrize("count", [50, 5, 2])
def test_processes_share_every_batch(count: int) -> None:
    """Dealt out one by one; a process that gets none of a batch is told by the size of the whole."""

    def make(rank: int, processes: int) -> Batches:
        changes = {"seed": 3, "shuffle": True, "augmentation": EVERYTHING, "part": (rank, processes)}
        return Batches(noise(count), how(), 16, **changes)  # type: ignore[arg-type]

    whole, parts = make(0, 1), [make(rank, 3) for rank in range(3)]
    epochs = [batches.epoch(2) for batches in parts]
    for step, (x, y) in enumerate(whole.epoch(2)):
        assert whole.size(step) == parts[1].size(step) == len(x)
        for rank, epoch in enumerate(epochs):
            own_x, own_y = next(epoch)
            wanted = x[rank::3] if rank < len(x) else x[:1]
            np.testing.assert_allclose(own_x, wanted, atol=1e-6)
            assert torch.equal(own_y, y[rank::3] if rank < len(x) else y[:1])


def test_every_other_batch() -> None:
    batches = Batches(noise(50), how(), 16)
    every, odd = [x for x, _ in batches.epoch(0)], [x for x, _ in batches.epoch(0, 1, stride=2)]
    assert all(torch.equal(a, b) for a, b in zip(odd, every[1::2], strict=True))


def test_images_and_labels_stay_together() -> None:
    images = np.repeat(np.arange(40, dtype=np.uint8), 4).reshape(40, 2, 2, 1)
    same = ImageSet.of_arrays("train", images, np.arange(40))
    for x, y in Batches(same, Preprocessing((2, 2), 1), 8, shuffle=True).epoch(5):
        np.testing.assert_allclose(x[:, 0, 0, 0] * 255, y, atol=1e-4)


def test_an_unfinished_training_batch_is_dropped_unless_it_is_the_only_one() -> None:
    for count, size, expected in [(50, 16, [16] * 3), (10, 16, [10]), (16, 16, [16])]:
        batches = Batches(noise(count), how(), size, shuffle=True)
        assert [len(x) for x, _ in batches.epoch(0)] == expected
        assert len(batches) == len(expected)


@pytest.mark.parametrize("start", [0, 1, 3, 6])
def test_a_resumed_epoch_gives_what_the_uninterrupted_one_gave(start: int) -> None:
    def epoch(start_step: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
        batches = Batches(noise(50), how(), 8, shuffle=True, seed=11, augmentation=EVERYTHING)
        return list(batches.epoch(4, start_step))

    whole, rest = epoch(0)[start:], epoch(start)
    assert len(whole) == len(rest) == 6 - start
    for (x, y), (again, labels) in zip(whole, rest, strict=True):
        assert torch.equal(x, again) and torch.equal(y, labels)


def test_what_happens_to_a_sample_does_not_depend_on_its_batch() -> None:
    def by_label(size: int) -> torch.Tensor:
        images = noise(24)
        alone = ImageSet(images.keys, np.arange(24), images.images)
        batches = Batches(alone, how(), size, shuffle=True, augmentation=EVERYTHING)
        pairs = list(batches.epoch(1))
        labels = torch.cat([y for _, y in pairs])
        return torch.cat([x for x, _ in pairs])[labels.argsort()]

    torch.testing.assert_close(by_label(4), by_label(12), rtol=0, atol=1e-5)


@pytest.mark.parametrize("changed", [{"seed": 1}, {"epoch": 1}])
def test_seed_and_epoch_change_the_order_and_the_variation(changed: dict[str, int]) -> None:
    def first(seed: int = 0, epoch: int = 0, shuffle: bool = False) -> torch.Tensor:
        batches = Batches(noise(16), how(), 16, seed=seed, shuffle=shuffle, augmentation=EVERYTHING)
        return next(batches.epoch(epoch))[0]

    assert not torch.equal(first(), first(**changed))
    assert torch.equal(first(**changed), first(**changed))


def test_draws_are_even_and_independent() -> None:
    index = np.arange(100_000)
    draws = [uniform(seed, epoch, index, stream) for seed in (0, 1) for epoch in (0, 1) for stream in (1, 2)]
    for one in draws:
        assert one.min() >= 0 and one.max() < 1
        counts = np.bincount((one * 20).astype(int), minlength=20)
        assert ((counts - 5_000) ** 2 / 5_000).sum() < 50  # chi-squared with 19 degrees: 1 in 8,000
    correlation = np.corrcoef(draws) - np.eye(8)
    assert np.abs(correlation).max() < 5 / 100_000**0.5
    assert len(np.unique(hashed(0, 0, index, 0))) == 100_000


def test_these_draws_are_the_same_on_every_machine_and_in_every_version() -> None:
    def mix(state: int) -> int:  # in whole numbers of any size: no array library decides about overflow
        state = (state + 1) * 0x9E3779B97F4A7C15 % 2**64
        state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        state = (state ^ state >> 27) * 0x94D049BB133111EB % 2**64
        return state ^ state >> 31

    expected = mix(mix(mix(mix(7) + 3) + 2) + 5)
    assert hashed(7, 3, np.array([5]), 2).tolist() == [expected] == [10050312027692294239]
    assert order(0, 0, 8).tolist() == [3, 5, 1, 0, 7, 4, 2, 6]


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"batch_size": 0}, ArgumentError, r"batch_size must be at least 1, got 0: give a positive number"),
        ({"images": noise(0)}, DataError, r"A split without images has no batches"),
        (
            {"augmentation": Augmentation(shift=12)},
            ArgumentError,
            r"shift must be smaller .*12x12.*got 12",
        ),
        (
            {"augmentation": Augmentation(erase=13)},
            ArgumentError,
            r"erase must be smaller .*12x12.*got 13",
        ),
    ],
)
def test_what_does_not_fit_is_refused(arguments: dict, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        Batches(**{"images": noise(4), "preprocessing": how(), "batch_size": 2, **arguments})


def test_a_start_beyond_the_epoch_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"start_step must lie between 0 and the 2 steps .*, got 3: give"):
        next(Batches(noise(4), how(), 2).epoch(0, 3))


@pytest.mark.gpu
def test_a_gpu_gives_the_same_batches() -> None:
    augmentation = replace(EVERYTHING, scale_crop=None)  # a GPU cuts parts out without antialiasing
    for channels in (1, 3):
        here, there = (
            Batches(
                noise(32, channels), how(channels), 8, shuffle=True, augmentation=augmentation, device=device
            )
            for device in ("cpu", "cuda")
        )
        for (x, y), (gpu_x, gpu_y) in zip(here.epoch(2), there.epoch(2), strict=True):
            assert gpu_x.is_cuda and gpu_x.stride() == x.stride()
            torch.testing.assert_close(gpu_x.cpu(), x, rtol=1e-4, atol=1e-4)
            assert torch.equal(gpu_y.cpu(), y)
