"""In which order images are seen in an epoch when every class shall be seen equally often."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from striate.data.draws import hashed, order

_MEMBERS = 300  # the first stream of the orders inside classes


def balanced_order(
    seed: int, epoch: int, labels: NDArray[np.int64], classes: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(image, time) of each of the N places of an epoch, int64 (N,); labels are class numbers (N,).

    Every class has N / K places, up to one. Each goes through its own images in turn, in an order of its own,
    and goes on in the next epoch where it stopped: no image of a large class is left out for long, those of a
    small one come several times. ``time`` counts them within the epoch, so that each time has its own
    variation. All is a function of (seed, epoch).
    """
    there = [np.flatnonzero(labels == number) for number in range(classes)]
    there = [members for members in there if len(members)]
    whole, rest = divmod(len(labels), len(there))
    more = set(order(seed, epoch, len(there))[:rest].tolist())
    images, times = [], []
    for number, members in enumerate(there):
        place = epoch * (whole + 1) + np.arange(whole + (number in more))
        turn = place // len(members)
        found = np.empty(len(place), np.int64)
        for one in np.unique(turn):
            now = turn == one
            shuffled = np.argsort(hashed(seed, int(one), members, _MEMBERS + number), kind="stable")
            found[now] = members[shuffled[place[now] % len(members)]]
        images.append(found)
        times.append(turn - turn[0] if len(turn) else turn)
    mixed = order(seed, epoch, len(labels))
    return np.concatenate(images)[mixed], np.concatenate(times)[mixed]


def class_weights(counts: NDArray[np.int64] | list[int], images: int, *, labels: bool) -> list[float]:
    """What each class or label counts in the loss, so that a rare one is heard as much as a frequent one.

    A class: N / (K n), so that the mean over the images is 1. A label: how many lack it for each that has it,
    at most 100, as the weight of its being there (binary cross-entropy's ``pos_weight``).
    """
    each = np.maximum(np.asarray(counts, dtype=np.float64), 1)
    weights = np.clip((images - each) / each, 0.01, 100) if labels else images / (len(each) * each)
    return [float(weight) for weight in weights]
