"""Test-time mirroring: a finished network answers to an image and to its mirror image, and gives the mean.

It takes twice the time of one pass and is often a little more accurate. The accuracy that a run reports, its
temperature and its bundle all follow the one setting, so that what is read is what is got.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from striate.errors import ArgumentError

if TYPE_CHECKING:
    from striate.data.augment import Augmentation
    from striate.training.evaluate import Evaluation
    from striate.training.settings import TrainSettings


def settled(
    settings: TrainSettings, given: Mapping[str, Any], augmentation: Augmentation, small: bool
) -> TrainSettings:
    """Two passes, unless somebody said otherwise, where training images are mirrored and answers are cheap.

    A ``small`` image is answered in microseconds; for photographs nobody should pay twice unasked.
    Raises as ``refuse_alone``.
    """
    if "test_time_mirror" not in given:
        return replace(settings, test_time_mirror=small and augmentation.flip)
    refuse_alone(settings, augmentation)
    return settings


def refuse_alone(settings: TrainSettings, augmentation: Augmentation) -> None:
    """Raise ArgumentError where answers would be mirrored and training images are not."""
    if settings.test_time_mirror and not augmentation.flip:
        raise ArgumentError(
            "test_time_mirror must go with training images that are mirrored, and these are not: leave "
            "test_time_mirror out, or train, not like another run, with --mirror if left may become right "
            "(of digits it may not)."
        )


def one_pass(evaluation: Evaluation) -> dict[str, Any]:
    """What result.json says of a single pass, where the answers were means over two; else nothing."""
    alone = evaluation.of_one_pass()
    if alone is None:
        return {}
    return {"one_pass": {"accuracy": alone.accuracy, "loss": alone.loss}}
