"""Winograd's transforms of one tile and one vector of channels: V = B^T d B, and A^T M A with what follows.

Both are columns first, then rows. What stands between is held in registers where a tile has up to 36
positions, of which LLVM spills some; of more it would spill most, so that they are written to memory by
loops of one column or row each, whose code is short.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from typing import TYPE_CHECKING

from striate.engine.emit import Emitter, Vector
from striate.engine.index import Memory, Number
from striate.engine.kernels.mosaic import Kind
from striate.engine.kernels.multiply import LINE
from striate.engine.kernels.toom_cook import PHASES, columns_times, rows_times

if TYPE_CHECKING:
    from striate.engine.kernels.winograd import Scheme

AT_ONCE = 36  # positions
Targets = dict[tuple[bool, bool], Memory]  # where V is, by whether the last tiles have the row and the column


@dataclass(frozen=True)
class Transforms:
    """Of tiles of one kind."""

    scheme: Scheme
    kind: Kind

    def forth(self, to: Emitter, source: Memory, targets: Targets, near: bool) -> None:
        """``near``: the map is in the cache, and need not be asked for."""
        scheme = self.scheme
        layout, step = scheme.source, scheme.stride
        wide = step * scheme.forms[1].outputs * layout.lanes
        high = step * (scheme.m - 1) + scheme.taps if scheme.along[0] else 1
        rows = 0 if near else high
        for y in range(rows):  # what the second tile from here will read anew
            for x in range(0, wide, LINE):
                to.prefetch(source, y * layout.row + 2 * wide + 2 * layout.lanes + x, near=3)
        if self.kind.positions <= AT_ONCE or step > 1:
            self._forth_at_once(to, source, targets)
        else:
            self._forth_by_lines(to, source, targets)

    def _forth_at_once(self, to: Emitter, source: Memory, targets: Targets) -> None:
        scheme, (rows, columns) = self.scheme, (self.kind.down.positions, self.kind.across.positions)
        layout, step = scheme.source, scheme.stride
        for phase, odd in enumerate(PHASES if step > 1 else ((0, 0),)):
            high, wide = len(rows) - odd[0], len(columns) - odd[1]
            down = tuple(row[:high] for row in self.kind.down.form.bt[:high])
            across = tuple(row[:wide] for row in self.kind.across.form.bt[:wide])
            seen = [
                [
                    to.get(source, (step * y + odd[0]) * layout.row + (step * x + odd[1]) * layout.lanes)
                    for y in range(high)
                ]
                for x in range(wide)
            ]
            made = [rows_times(to, down, column) for column in seen]
            place = phase * scheme.tile[0] * layout.blocks * layout.lanes
            for y in range(high):
                for x, value in enumerate(rows_times(to, across, [column[y] for column in made])):
                    target = targets[scheme.shared(0, rows[y]), scheme.shared(1, columns[x])]
                    to.put(value, target, (rows[y] * scheme.wide + columns[x]) * scheme.v_step + place)

    def _forth_by_lines(self, to: Emitter, source: Memory, targets: Targets) -> None:
        scheme, down, across = self.scheme, self.kind.down, self.kind.across
        layout, step = scheme.source, scheme.v_step
        high, wide = len(down.positions), len(across.positions) * layout.lanes
        held = to.own(high * wide)
        with to.loop(len(across.positions)) as x:
            column = to.times(x, layout.lanes)
            seen = [to.get(source, to.plus(column, y * layout.row)) for y in range(high)]
            for y, value in enumerate(rows_times(to, down.form.bt, seen)):
                to.put(value, held, to.plus(column, y * wide))
        for all_, places in self._sorted_rows():
            with to.loop(len(places)) as i:
                row = to.times(to.entry_of(places, i), wide)
                seen = [to.get(held, to.plus(row, x)) for x in range(0, wide, layout.lanes)]
                at = to.times(to.entry_of([down.positions[y] for y in places], i), scheme.wide * step)
                made = rows_times(to, across.form.bt, seen)
                for x, value in zip(across.positions, made, strict=True):
                    to.put(value, targets[all_, scheme.shared(1, x)], to.plus(at, x * step))

    def _sorted_rows(self) -> Iterator[tuple[bool, list[int]]]:
        """Rows of the tile whose positions the last tiles have, too, and others."""
        positions = self.kind.down.positions
        for all_ in (True, False):
            places = [y for y, row in enumerate(positions) if self.scheme.shared(0, row) == all_]
            if places:
                yield all_, places

    def back(self, to: Emitter, m: Memory, bias: Memory, target: Memory, more: Sequence[Memory]) -> None:
        scheme, lanes = self.scheme, to.lanes
        layouts = scheme.target, *((scheme.finish.added,) if scheme.finish.added else ())
        for memory, layout in zip((target, *more), layouts, strict=True):
            for y in range(scheme.kept[0]):  # where the next tile will be
                for x in range(0, scheme.kept[1] * lanes, LINE):
                    at_next = y * layout.row + scheme.kept[1] * lanes + x
                    to.prefetch(memory, at_next, near=3, write=memory is target)
        shift = to.get(bias, 0)
        if self.kind.positions <= AT_ONCE:
            self._back_at_once(to, m, shift, target, more)
        else:
            self._back_by_lines(to, m, shift, target, more)

    def _column(self, to: Emitter, m: Memory, x: Number) -> list[Vector]:
        """A^T times a column of M, of number ``x`` in the tile."""
        scheme, down, across = self.scheme, self.kind.down, self.kind.across
        first = to.times(to.entry_of(across.positions, x), scheme.m_step)
        seen = [to.get(m, to.plus(first, y * scheme.wide * scheme.m_step)) for y in down.positions]
        return columns_times(to, down.form.at, seen)

    def _back_at_once(
        self, to: Emitter, m: Memory, shift: Vector, target: Memory, more: Sequence[Memory]
    ) -> None:
        pool, across = self.scheme.pool, self.kind.across
        columns = [self._column(to, m, x) for x in range(len(across.positions))]
        for line in range(self.kind.down.form.outputs // pool):
            rows = [[column[line * pool + y] for column in columns] for y in range(pool)]
            self._store(
                to, [columns_times(to, across.form.at, row) for row in rows], shift, line, target, more
            )

    def _back_by_lines(
        self, to: Emitter, m: Memory, shift: Vector, target: Memory, more: Sequence[Memory]
    ) -> None:
        pool, across, lanes = self.scheme.pool, self.kind.across, to.lanes
        wide, outputs = len(across.positions) * lanes, self.kind.down.form.outputs
        held = to.own(outputs * wide)
        with to.loop(len(across.positions)) as x:
            for y, value in enumerate(self._column(to, m, x)):
                to.put(value, held, to.plus(to.times(x, lanes), y * wide))
        with to.loop(outputs // pool) as line:
            first = to.times(line, pool * wide)
            rows = [
                [to.get(held, to.plus(first, y * wide + x)) for x in range(0, wide, lanes)]
                for y in range(pool)
            ]
            self._store(
                to, [columns_times(to, across.form.at, row) for row in rows], shift, line, target, more
            )

    def _store(
        self,
        to: Emitter,
        rows: list[list[Vector]],
        shift: Vector,
        line: Number,
        target: Memory,
        more: Sequence[Memory],
    ) -> None:
        """One row of what is kept: bias and finish, of pooled results the largest."""
        scheme, added, results = self.scheme, self.scheme.finish.added, dict[int, list[Vector]]()
        for values in rows:
            for x, value in enumerate(values):
                at = to.plus(to.times(line, added.row), x * added.lanes) if added else 0
                other = to.get(more[0], at) if added else None
                result = scheme.finish.apply(to, to.fadd(value, shift), other)
                results.setdefault(x // scheme.pool, []).append(result)
        for x, some in results.items():
            largest = reduce(partial(to.intrinsic, "llvm.maximum"), some)
            place = to.plus(to.times(line, scheme.target.row), x * scheme.target.lanes)
            to.put(scheme.after.apply(to, largest), target, place)
