"""The values of a plan in memory: room for some images, each value written and read there as an array."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from striate.engine.memory import allocate, guarded
from striate.engine.steps import Plan

Array = NDArray[Any]


class Buffers:
    """Empty until ``replace`` makes room."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.arena: dict[str, Array] = {}
        self._views: dict[str, Array] = {}  # of values, as NumPy sees them
        self._ports: dict[str, Array | None] = {}  # ... and as their user does

    def replace(self, images: int) -> None:
        """Other memory, for so many images."""
        plan = self.plan
        if guarded():
            self.arena = {name: allocate(size * images) for name, size in plan.sizes.items()}
        else:
            whole = allocate(max(1, plan.arena * images))
            self.arena = {
                name: whole[plan.places[name] * images :][: size * images]
                for name, size in plan.sizes.items()
            }
        self._views, self._ports = {}, {}

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
