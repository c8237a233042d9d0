"""A plan: steps in order, and where everything lies. ``program`` runs it, ``stored`` keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from striate.engine.choose import Part
from striate.engine.layout import Layout
from striate.engine.stage import Outside, Value


@dataclass(frozen=True)
class Step:
    """A part, and the names of the nodes that it stands for."""

    part: Part
    covers: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """``steps`` in order. ``buffers``: root of a value -> the buffer it lies in.

    ``sizes`` and ``places``: of each buffer, for one image, in an ``arena`` of that many values.
    ``inputs`` and ``outputs``: of the whole, by name. ``from_bytes``: what fills the input from an image of
    bytes before all steps, for each order in which these may lie (see ``scaling``); empty: nothing does.
    """

    steps: tuple[Step | Outside, ...]
    values: Mapping[str, Value]
    layouts: Mapping[str, Layout]
    buffers: Mapping[str, str]
    sizes: Mapping[str, int]
    places: Mapping[str, int]
    arena: int
    constants: Mapping[str, np.ndarray]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    from_bytes: Mapping[bool, Part] = field(default_factory=dict)
