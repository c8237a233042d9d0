"""Settings for a set of images, when nobody says otherwise. Each number with its reason.

What was tried, and on which split of the training images, stands in ``docs/log.md``.
"""

from __future__ import annotations

import math

from striate.errors import ArgumentError
from striate.training.settings import TrainSettings

KINDS = ("grey-small", "colour-small", "photographs")

# Peak learning rate of AdamW at batches of 128. Small networks with batch norm take a high one, which a
# short run needs; for photographs the value is cautious and not yet measured.
_PEAK_LR = {"grey-small": 0.012, "colour-small": 0.012, "photographs": 0.003}

# Fine-tuning: few looks are enough, and below some thousand images batch norms keep what they know.
_TUNING_LR = 0.0015
_TUNING_LOOKS, _FEWEST_TUNING_EPOCHS, _MOST_TUNING_EPOCHS = 1500, 4, 12
_IMAGES_FOR_STATISTICS = 5000

# Images that a run looks at in all, repetitions included: with fewer, accuracy is still rising quickly.
_LOOKS = 300_000
_FEWEST_EPOCHS, _MOST_EPOCHS = 10, 60

# Small sets take small batches, so that a run has about this many steps at least, and an epoch four.
_STEPS, _STEPS_PER_EPOCH = 1000, 4
_BATCH_SIZES = (128, 64, 32, 16)

# Below this many epochs shifting and erasing cost more than they gain; mirroring, where it is right, helps
# from the second on.
_AUGMENT_FROM_EPOCHS = 12


def recipe(
    kind: str,
    images: int,
    *,
    epochs: int | None = None,
    lr: float | None = None,
    seed: int = 0,
    fine_tune: bool = False,
    new_head: bool = True,
) -> TrainSettings:
    """Settings for ``images`` training images of ``kind`` ("grey-small", "colour-small", "photographs").

    ``epochs`` overrides how long; what depends on it follows. ``lr`` is the peak learning rate at batches of
    128 from random weights, where a network has one of its own. ``fine_tune``: the network starts from
    weights that were learned elsewhere, ``new_head``: all but those of its last layer. With ``epochs=2`` and
    ``striate_tiny`` it is the fast recipe for some 60,000 images.

    Raises ArgumentError: unknown kind, no images, epochs below 1.
    """
    if kind not in KINDS:
        raise ArgumentError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}.")
    if images < 1:
        raise ArgumentError(f"images must be at least 1, got {images}: give a set with training images.")
    if fine_tune:
        return _fine_tuning(images, epochs, seed, new_head)
    if epochs is None:
        epochs = min(max(round(_LOOKS / images), _FEWEST_EPOCHS), _MOST_EPOCHS)
    batch_size = _batch_size(images, epochs)
    return TrainSettings(
        epochs=epochs,
        batch_size=batch_size,
        # the noise of a gradient falls with the root of the batch size, and so may Adam's step
        lr=round((lr or _PEAK_LR[kind]) * math.sqrt(batch_size / _BATCH_SIZES[0]), 6),
        seed=seed,
    )


def _fine_tuning(images: int, epochs: int | None, seed: int, new_head: bool) -> TrainSettings:
    if epochs is None:
        epochs = min(max(round(_TUNING_LOOKS / images), _FEWEST_TUNING_EPOCHS), _MOST_TUNING_EPOCHS)
    batch_size = _batch_size(images, epochs)
    return TrainSettings(
        epochs=epochs,
        batch_size=batch_size,
        lr=round(_TUNING_LR * math.sqrt(batch_size / _BATCH_SIZES[0]), 6),
        seed=seed,
        head_epochs=max(1, epochs // 4) if new_head and epochs > 1 else 0,
        first_layer_lr=0.1,
        freeze_batch_norm=images < _IMAGES_FOR_STATISTICS,
    )


def augmentation_pays(epochs: int) -> bool:
    """True when a run of ``epochs`` is long enough for shifted and erased images to help."""
    return epochs >= _AUGMENT_FROM_EPOCHS


def _batch_size(images: int, epochs: int) -> int:
    """The largest batch with which run and epoch have enough steps; the smallest where none has."""
    for size in _BATCH_SIZES:
        per_epoch = images // size
        if per_epoch >= _STEPS_PER_EPOCH and per_epoch * epochs >= _STEPS:
            return size
    return max(1, min(_BATCH_SIZES[-1], images // _STEPS_PER_EPOCH))
