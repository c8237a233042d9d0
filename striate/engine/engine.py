"""What runs underneath a network: compiled programs, one for each size of input; NumPy where none can be.

Whatever stands in the way of compiling (an unknown processor, a graph whose values are not one for each
image) leads to the reference, which is slower and always right; ``reason`` says so. What compiles is imported
when there is something to compile: a program that lies ready needs neither the words nor the kernels' text.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from striate.engine import stored
from striate.engine.choose import Settings
from striate.engine.fork import renew_in_children
from striate.engine.program import Program
from striate.engine.scaling import Scaling
from striate.engine.stage import NotLowerableError
from striate.engine.target import Target, host, shorter
from striate.engine.threads import checked_threads, numpy_limit
from striate.engine.trust import remembered, trusted, trusted_precision
from striate.errors import UnsupportedError
from striate.graph.graph import Graph

if TYPE_CHECKING:
    from striate.engine.table import Table

Weights = Mapping[str, np.ndarray]
Again = Callable[[NDArray[Any]], tuple[NDArray[np.float32], ...] | None]  # None: ask as usual
SWITCH = "STRIATE_ENGINE"  # "reference": compile nothing
SIZES_KEPT = 4  # programs for different sizes of input
NUMPY_VALUES = 2**19  # of the input, at once: NumPy keeps windows beside maps, 3 colour images of 224 x 224


class Engine:
    """``define`` gives the graph, of one input and with its batch norms folded, and its tensors. It is called
    once at most, and not before they are needed. ``identity``: a hash of both; None: nothing is stored.

    ``tune``: forms of a layer are measured. ``precision``: "bf16": layers may round, see ``Settings``.
    ``scaling``: what makes the input of images that come as bytes; None: none do. ``reason``: why NumPy runs,
    or None.
    """

    def __init__(
        self,
        define: Callable[[], tuple[Graph, Weights]],
        identity: str | None = None,
        *,
        threads: int | None = None,
        exact: bool = False,
        tune: bool = False,
        precision: str = "fp32",
        scaling: Scaling | None = None,
    ) -> None:
        self._define, self._identity, self.reason = define, identity, _switched_off()
        self.threads, self.exact, self.tune = checked_threads(threads), exact, tune
        self._asked = threads
        self.precision, self.scaling = precision, scaling
        self._limit = numpy_limit(None if threads is None else self.threads)
        self._programs: OrderedDict[tuple[int, ...], Program] = OrderedDict()
        self._last: tuple[tuple[int, ...], Program] | None = None  # asked for last
        renew_in_children(self)

    def renew(self) -> None:
        """A lock of this process: a forked child must not wait for a thread that it does not have."""
        self._lock = threading.RLock()

    @cached_property
    def definition(self) -> tuple[Graph, Weights]:
        """The graph and its tensors. Raises whatever is wrong with them."""
        return self._define()

    @property
    def graph(self) -> Graph:
        return self.definition[0]

    @property
    def weights(self) -> Weights:
        return self.definition[1]

    def __call__(self, x: NDArray[Any]) -> NDArray[np.float32]:
        """The graph's (first) output for images (N, C, H, W), of bytes where there is a ``scaling``."""
        return self.outputs(x)[0]

    def outputs(self, x: NDArray[Any]) -> tuple[NDArray[np.float32], ...]:
        """All outputs of the graph for images (N, C, H, W), in its order."""
        last = self._last
        program = last[1] if last is not None and last[0] == x.shape[1:] else self.program(x.shape[1:])
        if program is None or not len(x):
            parts = [self._numpy(x[piece]) for piece in pieces(len(x), x.shape[1:], NUMPY_VALUES)]
            return tuple(np.concatenate(part) for part in zip(*parts, strict=True))
        return program.answer(x)

    def again(self, x: NDArray[Any]) -> tuple[tuple[int, ...], Again] | None:
        """The shape of these images, which were answered just now, and what answers more of that shape
        without a look at them; None: nothing does."""
        last = self._last
        if last is None or last[0] != x.shape[1:] or not len(x) or x.dtype != np.float32:
            return None
        return x.shape, last[1].again

    def _numpy(self, x: NDArray[Any]) -> tuple[NDArray[np.float32], ...]:
        from striate.reference import run

        if x.dtype == np.uint8 and self.scaling is not None:
            x = self.scaling(x)
        with self._limit():
            result = run(self.graph, self.weights, x, dtype=np.float32)
        return result if isinstance(result, tuple) else (result,)

    def recall(self, size: tuple[int, ...]) -> bool:
        """Whether the program for inputs of that size lay ready on the disk: it is loaded then."""
        if self.reason is not None:
            return False
        with self._lock, suppress(UnsupportedError):  # an unknown processor
            for target in self._targets():
                program = self._stored(target, size) if remembered(target, self.precision) else None
                if program is not None:
                    self._programs[size] = program
                    return True
        return False

    @staticmethod
    def _targets() -> list[Target]:
        """What programs may have been made for here."""
        best = host()
        other = shorter(best)
        return [best] if other is None else [best, other]

    def program(self, size: tuple[int, ...]) -> Program | None:
        """The program for inputs of that size; None where NumPy has to do it."""
        if self.reason is not None:
            return None
        with self._lock:
            if size not in self._programs:
                try:
                    self._programs[size] = self._compile(size)
                except (UnsupportedError, NotLowerableError) as error:
                    self.reason = str(error)
                    return None
                while len(self._programs) > SIZES_KEPT:
                    self._programs.popitem(last=False)
            self._programs.move_to_end(size)
            self._last = size, self._programs[size]
            return self._programs[size]

    def table(self, size: tuple[int, ...], *, measure: bool = False, check: bool = False) -> Table:
        """What runs for inputs of that size, step by step."""
        from striate.engine.layer_errors import layer_errors
        from striate.engine.table import Table, table_of

        program = self.program(size)
        if program is None:
            return Table((), 0, "NumPy", self.reason)
        found = layer_errors(program, self.graph, self.weights, size) if check else {}
        table = table_of(program, program.target, measure=measure, errors=found)
        return replace(table, threads=self.threads, asked=self._asked)

    def _settings(self, target: Target) -> Settings:
        level = trusted(target)
        if level == "none":
            raise UnsupportedError("compiled kernels disagree with their definition on this machine")
        precision = self.precision if trusted_precision(target, self.precision) else "fp32"
        exact = self.exact or level == "plain"
        return Settings(target, exact, self.threads, precision=precision, scaling=self.scaling)

    def _compile(self, size: tuple[int, ...]) -> Program:
        from striate.engine.team import team

        with team():  # the same for the machine's check and for the network
            if self.recall(size):
                return self._programs[size]
            return self._made(size)

    def _made(self, size: tuple[int, ...]) -> Program:
        from striate.engine.lanes import suits
        from striate.engine.plan import make_plan

        graph, weights = self.definition
        target, *others = self._targets()
        if target.dots and self.precision == "bf16":
            others = []  # shorter vectors have no products of bf16
        settings = self._settings(next((one for one in others if suits(graph, size, target, one)), target))
        if self.tune:
            from striate.engine.tuning import Measured

            size_of_weights = sum(4 * array.size for array in weights.values())
            settings = replace(settings, tuner=Measured(settings.target, self.threads, size_of_weights))
        (name,) = graph.inputs
        plan = make_plan(graph, weights, {name: ("N", *size)}, settings)
        program = Program(plan, settings.target, self.threads, self._limit)
        if self._identity is not None:
            stored.write(self._name(settings, size), program)
        return program

    def _stored(self, target: Target, size: tuple[int, ...]) -> Program | None:
        if self._identity is None:
            return None
        found = stored.read(self._name(self._settings(target), size))
        if found is None:
            return None
        plan, ready = found
        return Program(plan, target, self.threads, self._limit, ready)

    def _name(self, settings: Settings, size: tuple[int, ...]) -> str:
        parts = self._identity, size, settings.exact, settings.threads, self.tune
        return stored.name_of(f"{parts} {settings.precision} {settings.scaling}", settings.target)


def pieces(count: int, sizes: tuple[int, ...], values: int) -> list[slice]:
    """A batch, cut where its input exceeds so many values; an empty one is one piece: it has a shape too."""
    step = max(1, values // max(1, prod(sizes)))
    return [slice(first, first + step) for first in range(0, max(count, 1), step)]


def _switched_off() -> str | None:
    if os.environ.get(SWITCH) == "reference":
        return f"{SWITCH}=reference is set"
    return None
