"""Which networks of the catalogue stand for the others, wherever running all of them would take too long."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest

from striate.models import card, list_models

# Half a minute of a processor for one network: v3, which has the same kinds of blocks, stands for it where
# more is done than counting.
LONGEST = frozenset({"inception_v4_cifar"})
SMALL_IMAGES = 64  # pixels; up to this a network is a form for small images


def smallest_of_each_family(most_parameters: float = float("inf"), *, both_forms: bool = True) -> list[str]:
    """Of each paper, and of its form for small images, the network with the least work; the younger of two.

    Families whose smallest network has more than ``most_parameters`` are left out. Without ``both_forms`` a
    paper stands there once: in the form for small images, where it has one that is less work.
    """
    families: dict[tuple[str, bool], list[str]] = {}
    for name in list_models():
        about = card(name)
        small = both_forms and max(about.image_size) <= SMALL_IMAGES
        families.setdefault((about.paper, small), []).append(name)
    smallest = (min(names, key=_work) for names in families.values())
    return sorted(name for name in smallest if card(name).parameters <= most_parameters)


def _work(name: str) -> tuple[int, int]:
    return card(name).multiply_adds, -card(name).year


def long_except(short: Collection[str]) -> list[Any]:
    """All networks, as pytest's parameters; those not in ``short`` are for the long tier."""
    return [name if name in short else pytest.param(name, marks=pytest.mark.long) for name in list_models()]
