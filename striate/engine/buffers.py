"""The values of a plan in memory: room for some images, each value written and read there as an array."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Mapping
from itertools import accumulate
from typing import Any

from numpy.typing import NDArray

from striate.engine.memory import Life, allocate, arrange, guarded
from striate.engine.steps import Plan, Section

Array = NDArray[Any]


class Buffers:
    """Empty until ``replace`` makes room."""

    def __init__(self, plan: Plan, threads: int) -> None:
        self.plan = plan
        self._again, self._threads = _again(plan), threads
        self._across = _across(plan, self._again)
        self.arena: dict[str, Array] = {}
        self._views: dict[str, Array] = {}  # of values, as NumPy sees them
        self._ports: dict[str, Array | None] = {}  # ... and as their user does
        self._images = 0

    def replace(self, images: int) -> None:
        """Other memory, for so many images."""
        plan, self._images = self.plan, images
        counts = {name: self.images_of(name) for name in plan.sizes}
        places = plan.places
        if guarded():
            self.arena = {
                name: allocate(size * counts[name] * self._hands(name))[: size * counts[name]]
                for name, size in plan.sizes.items()
            }
        else:
            rooms = [counts[name] * self._hands(name) for name in plan.sizes]
            whole = kept = allocate(max(1, plan.arena * max(rooms, default=1)))
            if any(name in self._again for name in plan.sizes):
                places = {**places, **self._across[0]}
                kept = allocate(max(1, self._across[1] * images))
            self.arena = {
                name: (whole if name in self._again else kept)[places[name] * counts[name] :][
                    : size * counts[name]
                ]
                for name, size in plan.sizes.items()
            }
        self._views, self._ports = {}, {}

    def images_of(self, root: str) -> int:
        """For how many images a value has room: those of a section, where its buffer lives in one alone."""
        section = self._again.get(self.plan.buffers.get(root, root))
        return self._images if section is None else min(self._images, section.images)

    def steps_of(self, root: str) -> tuple[int, int, int]:
        """How far a value lies behind itself for the next image, or, where memory is used again for that, for
        the next thread, and if there is room for one image more."""
        name = self.plan.buffers.get(root, root)
        if name not in self._again:
            return self.plan.sizes[name], 0, 0
        if guarded():
            return 0, self.arena[name].size, 0
        return 0, self.plan.arena * self.images_of(name), self.plan.places[name]

    def _hands(self, name: str) -> int:
        """Threads that have such a buffer of their own."""
        section = self._again.get(name)
        return self._threads if section is not None and section.own else 1

    def memory(self, root: str) -> Array:
        return self.arena[self.plan.buffers.get(root, root)]

    def planar(self, name: str) -> bool:
        """Whether the value lies in memory channel by channel, as its user knows it."""
        root = self.plan.values[name].root
        return self.plan.layouts[root].lanes == 1 and self.plan.buffers[root] in self.arena

    def read(self, name: str, host: Mapping[str, Array], images: int) -> Array:
        if name in host:
            return host[name].copy()  # whoever gets it may write into it
        plain = self.port(name)
        if plain is not None:
            return plain[:images].copy()
        value = self.plan.values[name]
        found = self.plan.layouts[value.root].read(self._view(value.root), images)
        return found.reshape(images, *value.shape)

    def write(self, name: str, x: Array) -> None:
        value = self.plan.values[name]
        if not len(x) or self.plan.buffers[value.root] not in self.arena:
            return
        layout = self.plan.layouts[value.root]
        plain = self.port(name) if layout.lanes == 1 else None
        if plain is not None:
            plain[: len(x)] = x
        else:
            layout.write(self._view(value.root), x.reshape(len(x), *value.dims))

    def port(self, name: str) -> Array | None:
        """A value's images as its user knows them, if that is a view of the memory."""
        if name not in self._ports:
            value = self.plan.values[name]
            plain = self.plan.layouts[value.root].plain(self._view(value.root))
            self._ports[name] = plain if plain is not None and plain.shape[1:] == value.shape else None
        return self._ports[name]

    def _view(self, root: str) -> Array:
        if root not in self._views:
            self._views[root] = self.plan.layouts[root].view(self.memory(root))
        return self._views[root]


def _sections(plan: Plan) -> dict[str, tuple[int, int]]:
    """The first and last section that touches each buffer; of those that not only compiled steps touch, -1
    and the number of all."""
    ends = list(accumulate(section.steps for section in plan.sections))
    everywhere = dict.fromkeys(plan.sizes, (-1, len(ends)))
    spans = plan.spans().items() if ends else ()
    return everywhere | {name: (bisect(ends, first), bisect(ends, last)) for name, (first, last) in spans}


def _again(plan: Plan) -> dict[str, Section]:
    """Buffers that live in one section alone, and are used again for its next images."""
    found = _sections(plan).items()
    return {name: plan.sections[first] for name, (first, last) in found if first == last}


def _across(plan: Plan, again: Mapping[str, Section]) -> tuple[dict[str, int], int]:
    """Places of all other buffers, and the memory that they need together."""
    spans = {name: span for name, span in _sections(plan).items() if name not in again}
    return arrange({name: Life(plan.sizes[name], *span) for name, span in spans.items()})
