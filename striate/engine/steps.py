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
class Section:
    """So many compiled steps that follow each other: ``images`` of a batch pass through them at a time.

    ``own``: each thread takes images of its own; else all threads share every step.
    """

    steps: int
    images: int
    own: bool = False


@dataclass(frozen=True)
class Plan:
    """``steps`` in order. ``buffers``: root of a value -> the buffer it lies in.

    ``sizes`` and ``places``: of each buffer, for one image, in an ``arena`` of that many values.
    ``inputs`` and ``outputs``: of the whole, by name. ``from_bytes``: what fills the input from an image of
    bytes before all steps, for each order in which these may lie (see ``scaling``); empty: nothing does.
    ``sections``: of all compiled steps; empty: a whole batch passes through each step before the next.
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
    sections: tuple[Section, ...] = ()

    def spans(self) -> dict[str, tuple[int, int]]:
        """The first and last compiled step that touches each buffer, of those that nobody else touches."""
        found: dict[str, tuple[int, int]] = {}
        others = [*self.inputs, *self.outputs]
        number = 0
        for step in self.steps:
            if isinstance(step, Outside):
                others += [*step.inputs, *step.results]
                continue
            for root in step.part.values.values():
                name = self.buffers.get(root, root)
                found[name] = found.get(name, (number, number))[0], number
            number += 1
        for name in others:
            if name in self.values:
                root = self.values[name].root
                found.pop(self.buffers.get(root, root), None)
        return found
