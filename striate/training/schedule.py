"""The learning rate over a run, as a share of its peak."""

from __future__ import annotations

import math

from striate.training.settings import TrainSettings


def factor(step: int, total_steps: int, settings: TrainSettings) -> float:
    """Learning rate of step ``step`` (from 0) of ``total_steps``, as a share of the peak, 0..1.

    It rises from ``start_factor`` to 1 during the share ``warmup`` of all steps, then falls to
    ``end_factor``, which would be reached one step after the last one. ``linear`` does both in a straight
    line, ``cosine`` falls as half a cosine (arXiv:1608.03983), ``one-cycle`` also rises as one
    (arXiv:1708.07120), ``step`` divides by ten after each of the shares ``drops`` (arXiv:1512.03385) and
    knows no ``end_factor``. The epochs in which only the head learns have such a course of their own, so that
    the layers that wake up after them meet a low rate.
    """
    alone = total_steps // settings.epochs * settings.head_epochs
    if step < alone:
        return _course(step, alone, settings)
    return _course(step - alone, total_steps - alone, settings)


def _course(step: int, total_steps: int, settings: TrainSettings) -> float:
    peak = settings.warmup * total_steps
    if step < peak:
        rise = step / peak
        if settings.schedule == "one-cycle":
            rise = _half_cosine(rise)
        return settings.start_factor + (1 - settings.start_factor) * rise
    if settings.schedule == "step":
        return 0.1 ** sum(step >= drop * total_steps for drop in settings.drops)
    fall = (step - peak) / (total_steps - peak)
    if settings.schedule != "linear":
        fall = _half_cosine(fall)
    return 1 - (1 - settings.end_factor) * fall


def _half_cosine(share: float) -> float:
    """0..1 to 0..1, flat at both ends."""
    return (1 - math.cos(math.pi * share)) / 2
