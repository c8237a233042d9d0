"""What runs underneath a network: compiled programs, one for each size of input; NumPy where none can be.

Whatever stands in the way of compiling (an unknown processor, a graph whose values are not one for each
image) leads to the reference, which is slower and always right; ``reason`` says so.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Mapping
from math import prod

import numpy as np
from numpy.typing import NDArray

from striate.engine.choose import Settings
from striate.engine.layer_errors import layer_errors
from striate.engine.lower import NotLowerableError
from striate.engine.plan import make_plan
from striate.engine.program import Program
from striate.engine.table import Table, table_of
from striate.engine.target import host
from striate.engine.threads import checked_threads, numpy_limit
from striate.engine.trust import trusted
from striate.errors import UnsupportedError
from striate.graph.graph import Graph
from striate.reference import run

SWITCH = "STRIATE_ENGINE"  # "reference": compile nothing
SIZES_KEPT = 4  # programs for different sizes of input
NUMPY_VALUES = 2**19  # of the input, at once: NumPy keeps windows beside maps, 3 colour images of 224 x 224


class Engine:
    """``graph`` has one input; batch norms are folded. ``reason``: why NumPy runs, or None."""

    def __init__(
        self,
        graph: Graph,
        weights: Mapping[str, np.ndarray],
        *,
        threads: int | None = None,
        exact: bool = False,
    ) -> None:
        self.graph, self.weights, self.reason = graph, weights, _switched_off()
        self.threads, self.exact = checked_threads(threads), exact
        self._limit = numpy_limit(threads)
        (self._input,) = graph.inputs
        self._programs: OrderedDict[tuple[int, ...], Program] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """The graph's (first) output for images (N, C, H, W)."""
        return self.outputs(x)[0]

    def outputs(self, x: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        """All outputs of the graph for images (N, C, H, W), in its order."""
        program = self.program(x.shape[1:])
        if program is None or not len(x):
            parts = [self._numpy(x[piece]) for piece in pieces(len(x), x.shape[1:], NUMPY_VALUES)]
            return tuple(np.concatenate(part) for part in zip(*parts, strict=True))
        return program({self._input: x}, self.graph.outputs)

    def _numpy(self, x: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        with self._limit():
            result = run(self.graph, self.weights, x, dtype=np.float32)
        return result if isinstance(result, tuple) else (result,)

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
            return self._programs[size]

    def table(self, size: tuple[int, ...], *, measure: bool = False, check: bool = False) -> Table:
        """What runs for inputs of that size, step by step."""
        program = self.program(size)
        if program is None:
            return Table((), 0, "NumPy", self.reason)
        found = layer_errors(program, self.graph, self.weights, size) if check else {}
        return table_of(program, host(), measure=measure, errors=found)

    def _compile(self, size: tuple[int, ...]) -> Program:
        target = host()
        level = trusted(target)
        if level == "none":
            raise UnsupportedError("compiled kernels disagree with their definition on this machine")
        settings = Settings(target, self.exact or level == "plain", self.threads)
        plan = make_plan(self.graph, self.weights, {self._input: ("N", *size)}, settings)
        return Program(plan, target, self.threads, self._limit)


def pieces(count: int, sizes: tuple[int, ...], values: int) -> list[slice]:
    """A batch, cut where its input exceeds so many values; an empty one is one piece: it has a shape too."""
    step = max(1, values // max(1, prod(sizes)))
    return [slice(first, first + step) for first in range(0, max(count, 1), step)]


def _switched_off() -> str | None:
    if os.environ.get(SWITCH) == "reference":
        return f"{SWITCH}=reference is set"
    return None
