"""The whole plan of a network: stages become parts, values get layouts and places in memory.

Three decisions, each made once: how every value is laid out (its readers' frames decide), which values lie
inside a larger one (so that concatenation costs nothing), and which share memory (their lives do not meet).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from striate.engine import recipes  # noqa: F401  importing it enters the recipes
from striate.engine.choose import Part, Settings, accepts, choose
from striate.engine.kernels.bytes import Bytes
from striate.engine.kernels.estimate import cycles
from striate.engine.kernels.frame import Frame as FrameKernel
from striate.engine.layout import Layout, joined
from striate.engine.lower import Lowering
from striate.engine.memory import Life, arrange
from striate.engine.padding import settled
from striate.engine.sections import sections_of
from striate.engine.stage import Move, Outside, Stage, Value
from striate.engine.steps import Plan, Step
from striate.graph.graph import Graph, Shape


def make_plan(
    graph: Graph, weights: Mapping[str, np.ndarray], inputs: Mapping[str, Shape], settings: Settings
) -> Plan:
    """Raises NotLowerableError for a graph whose values are not one for each image."""
    lowering = Lowering(settled(graph), weights, inputs, accepts)
    return _Planning(lowering, settings).plan()


class _Planning:
    def __init__(self, lowering: Lowering, settings: Settings) -> None:
        self.lowering, self.settings = lowering, settings
        self.items = lowering.items
        self.recipes = [choose(item, settings) if isinstance(item, Stage) else None for item in self.items]
        self.roots = dict.fromkeys(value.root for value in lowering.values.values())
        self.parents: dict[str, tuple[str, int]] = {}  # root -> (the value it is a part of, first channel)
        self.silent: set[str] = set()  # values that are there when their parts are

    def plan(self) -> Plan:
        self._nest()
        layouts = self._layouts()
        if self.settings.tuner is not None:
            self.settings.tuner.prepare([one.forms(layouts) for one in self.recipes if one is not None])
        steps: list[Step | Outside] = []
        lives: dict[str, Life] = {}
        framed: set[str] = set()

        def live(root: str, now: int) -> None:
            name = self._buffer(root)
            size = layouts[name].size
            old = lives.get(name, Life(size, now, now))
            lives[name] = Life(size, min(old.first, now), max(old.last, now))
            if name not in framed and any(layouts[name].frame):
                framed.add(name)
                # the step that fills the map makes all threads wait; an input is filled by nobody
                part = Part(FrameKernel(layouts[name]), {"target": name}, wait=now < 0)
                steps.append(Step(part, (f"frame of {name}",)))

        for name in self.lowering.graph.inputs:
            live(name, -1)
        for now, (item, recipe) in enumerate(zip(self.items, self.recipes, strict=True)):
            if isinstance(item, Outside):
                for name in (*item.inputs, *item.results):
                    if name in self.lowering.values:
                        live(self.lowering.values[name].root, now)
                steps.append(item)
            elif recipe is not None and item.output.root not in self.silent:
                for number, part in enumerate(recipe.build(layouts)):
                    for operand, root in part.values.items():
                        if operand not in part.memory:
                            live(root, now)
                    for operand, size in part.memory.items():
                        lives.setdefault(_moment(part, operand, now), Life(size, now, now))
                    part = replace(part, cycles=cycles(part.kernel, self.settings.target))
                    steps.append(Step(_with_memory(part, now), item.covers if number == 0 else ()))
        for name in self.lowering.graph.outputs:
            if name in self.lowering.values:
                live(self.lowering.values[name].root, len(self.items))
        places, arena = arrange(lives)
        plan = Plan(
            tuple(steps),
            self.lowering.values,
            layouts,
            {root: self._buffer(root) for root in layouts},
            {name: life.size for name, life in lives.items()},
            places,
            arena,
            self.lowering.constants,
            tuple(self.lowering.graph.inputs),
            self.lowering.graph.outputs,
            self._from_bytes(layouts),
        )
        return replace(plan, sections=sections_of(plan, self.settings))

    def _from_bytes(self, layouts: Mapping[str, Layout]) -> dict[bool, Part]:
        scaling = self.settings.scaling
        if scaling is None:
            return {}
        (name,) = self.lowering.graph.inputs
        layout = layouts[self.lowering.values[name].root]
        return {last: Part(Bytes(layout, last, scaling), {"target": name}) for last in (True, False)}

    # --- values inside values -------------------------------------------------------------------------------

    def _nest(self) -> None:
        """A Move that only puts whole blocks after each other needs no code: its inputs are written in place.

        The last comes first: DenseNet's every concatenation is the beginning of the next one.
        """
        lanes = self.settings.target.lanes
        for item in reversed(self.items):
            if not isinstance(item, Stage) or not isinstance(item.op, Move):
                continue
            channels = [value.dims[0] for value in item.inputs]
            in_order = item.op.places == tuple((i, c) for i, n in enumerate(channels) for c in range(n))
            if not in_order or any(n % lanes for n in channels[:-1]):
                continue
            if self._already_together(item.inputs, channels):
                self.parents[item.output.root] = self.parents[item.inputs[0].root]
                self.silent.add(item.output.root)
            elif all(self._can_nest(value) for value in item.inputs):
                parent, first = self.parents.get(item.output.root, (item.output.root, 0))
                for i, value in enumerate(item.inputs):
                    self.parents[value.root] = (parent, first + sum(channels[:i]))
                self.silent.add(item.output.root)

    def _already_together(self, inputs: tuple[Value, ...], channels: list[int]) -> bool:
        """Whether the inputs lie one after the other inside the same larger value."""
        places = [self.parents.get(value.root) for value in inputs]
        if places[0] is None:
            return False
        parent, first = places[0]
        return places == [(parent, first + sum(channels[:i])) for i in range(len(channels))]

    def _can_nest(self, value: Value) -> bool:
        inside = {parent for parent, _ in self.parents.values()}
        free = value.root not in self.parents and value.root not in inside
        return free and value.root not in self.lowering.graph.inputs

    def _buffer(self, root: str) -> str:
        return self.parents[root][0] if root in self.parents else root

    # --- layouts -----------------------------------------------------------------------------------------

    def _layouts(self) -> dict[str, Layout]:
        lanes = self.settings.target.lanes
        plain = {}
        for root in self.roots:
            dims = self.lowering.values[root].dims
            plain[root] = Layout(*dims, 1 if self._planar(root, lanes) else lanes)
        frames = dict.fromkeys(self.roots, (0, 0, 0, 0))
        for item, recipe in zip(self.items, self.recipes, strict=True):
            if isinstance(item, Stage) and recipe is not None:
                for value in item.inputs:
                    buffer = self._buffer(value.root)
                    frames[buffer] = joined(frames[buffer], recipe.frame(value.root, plain[value.root]))
        layouts = {root: layout.framed(frames[self._buffer(root)]) for root, layout in plain.items()}
        for root, (parent, first) in self.parents.items():
            layouts[root] = replace(layouts[root], first=first // lanes, total=layouts[parent].blocks)
        return layouts

    def _planar(self, root: str, lanes: int) -> bool:
        """Whether a value stays as images arrive: few channels, read by convolutions only."""
        if root not in self.lowering.graph.inputs or self.lowering.values[root].dims[0] * 2 > lanes:
            return False
        readers = [
            recipe
            for item, recipe in zip(self.items, self.recipes, strict=True)
            if any(self._root(name) == root for name in _reads(item))
        ]
        return all(recipe is not None and recipe.planar for recipe in readers)

    def _root(self, name: str) -> str:
        return self.lowering.values[name].root if name in self.lowering.values else name


def _reads(item: Stage | Outside) -> tuple[str, ...]:
    if isinstance(item, Outside):
        return item.inputs
    return tuple(value.root for value in (*item.inputs, *((item.added,) if item.added else ())))


def _with_memory(part: Part, now: int) -> Part:
    """Temporary memory is a buffer like others, named after the moment at which it lives."""
    extra = {operand: _moment(part, operand, now) for operand in part.memory}
    return replace(part, values={**part.values, **extra}) if extra else part


def _moment(part: Part, operand: str, now: int) -> str:
    return f"{part.values.get(operand, operand)} {now}"


__all__ = ["Plan", "Step", "make_plan"]
