"""A map cut into Winograd's tiles, of which the last in each row and column may be smaller.

A tile of fewer outputs needs the products of some of the points only: the first ones, and infinity. With the
factors between the two forms moved into its B^T it shares the transformed weights of the large tiles, so that
each position is one product, over those tiles that have it. 14 outputs are 6 + 6 + 2: 20 positions, not 24.

Tiles are numbered so that those of a position follow each other: whole rows and last columns, all whole, last
rows and whole columns, the last of both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import product

from striate.engine.kernels.toom_cook import Filtering, part


@dataclass(frozen=True)
class Run:
    """``count`` positions from ``first`` on; ``all``: the last tile along this axis has them, too."""

    first: int
    count: int
    all: bool


@dataclass(frozen=True)
class Region:
    """Positions (``rows`` x ``columns`` from ``first`` on) whose sums have the phases from ``phase`` on, of
    tiles from number ``tile`` on, in so many ``turns``."""

    first: tuple[int, int]
    rows: int
    columns: int
    turns: int
    phase: int = 0
    phases: int = 1
    tile: int = 0


@dataclass(frozen=True)
class Side:
    """Tiles of one size along an axis: ``count`` of them, each the ``positions`` of ``form``.

    ``start``, ``step``: the outputs before the first, and from one to the next. ``whole``: not the last.
    """

    form: Filtering
    positions: tuple[int, ...]
    start: int
    step: int
    count: int
    whole: bool = True


@dataclass(frozen=True)
class Kind:
    """Tiles of one size, ``first`` being the number of their first."""

    down: Side
    across: Side
    first: int

    @property
    def count(self) -> int:
        return self.down.count * self.across.count

    @property
    def positions(self) -> int:
        return len(self.down.positions) * len(self.across.positions)

    def has(self, rows: bool, columns: bool) -> bool:
        """Whether it has the positions whose row and column the last tiles have (True) or lack."""
        return (rows or self.down.whole) and (columns or self.across.whole)


@dataclass(frozen=True)
class Mosaic:
    """Of ``size`` outputs (rows, columns), by tiles of ``forms`` (down, across)."""

    size: tuple[int, int]
    forms: tuple[Filtering, Filtering]

    @cached_property
    def _axes(self) -> tuple[list[Side], list[Side]]:
        """Along each axis the large tiles and, if they leave something, the last."""
        found = []
        for size, form in zip(self.size, self.forms, strict=True):
            m = form.outputs
            count, rest = divmod(size, m)
            sides = [Side(form, tuple(range(form.size)), 0, m, count)] if count else []
            if rest:
                sides.append(Side(*part(form, rest), count * m, m, 1, whole=False))
            found.append(sides)
        return found[0], found[1]

    @cached_property
    def kinds(self) -> tuple[Kind, ...]:
        rows, columns = self._axes
        found: list[Kind] = []
        order = sorted(product(rows, columns), key=lambda pair: ORDER.index((pair[0].whole, pair[1].whole)))
        for down, across in order:
            found.append(Kind(down, across, found[-1].first + found[-1].count if found else 0))
        return tuple(found)

    @cached_property
    def tiles(self) -> int:
        return sum(kind.count for kind in self.kinds)

    def runs(self, axis: int) -> Iterator[Run]:
        """All positions along an axis."""
        size, last = self.forms[axis].size, self._axes[axis][-1]
        few = len(last.positions)
        if last.whole or few == size:
            yield Run(0, size, True)
            return
        yield Run(0, few - 1, True)
        yield Run(few - 1, size - few, False)
        yield Run(size - 1, 1, True)

    @cached_property
    def parts(self) -> tuple[tuple[Run, Run, int, int], ...]:
        """Positions, and of the tiles that have them the number of the first and the count."""
        pairs = product(self.runs(0), self.runs(1))
        return tuple((down, across, *self.span(down.all, across.all)) for down, across in pairs)

    @cached_property
    def values(self) -> int:
        """Positions of all tiles."""
        return sum(kind.count * kind.positions for kind in self.kinds)

    def span(self, rows: bool, columns: bool) -> tuple[int, int]:
        """The first of the tiles that have such positions, and how many they are."""
        some = [kind for kind in self.kinds if kind.has(rows, columns)]
        return some[0].first, sum(kind.count for kind in some)


ORDER = [(True, False), (True, True), (False, True), (False, False)]  # whole rows, whole columns


mosaic = cache(Mosaic)
