"""How a map is cut for Winograd's form, and where in memory all that belongs to it lies.

Every product reads straight on:
V [position][turn][block of input channels][tile of the turn][lane], U [round][position][group of the round]
[input channel][output of the group], M [position][vector of the round][tile][lane]. Where
last tiles are smaller, the tiles of V's turns are those that have the position.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from striate.engine.emit import Emitter
from striate.engine.index import Number
from striate.engine.kernels.finish import Finish
from striate.engine.kernels.kernel import Operand
from striate.engine.kernels.mosaic import Kind, Mosaic, Region, Run, Side, mosaic
from striate.engine.kernels.multiply import LINE
from striate.engine.kernels.packing import filled_up, in_groups
from striate.engine.kernels.toom_cook import Filtering, filtering, transformed_taps
from striate.engine.layout import Layout

Array = NDArray[np.float32]
ONE = filtering(1, 1)  # along an axis without a window


@dataclass(frozen=True)
class Tiling:
    """``m``: outputs of a tile, ``taps``: of the kernel, each way or ``along`` one axis (down, across) alone;
    the other has 1. ``before``: padding above and left.

    ``tile``: (P, Q), the sums in registers: P tiles by Q vectors of output channels, a group of them.
    ``turns``: times P tiles that are at hand together. ``round``: groups whose M is at hand together, a
    divisor of their number. ``far``: weights come from the third cache or memory. ``fresh``: blocks of input
    channels, a divisor of their number, whose weights are transformed together in every call (then ``round``
    is 1); 0: weights come transformed. ``pool``: of so many outputs each way the largest alone is kept, once
    ``after`` was done to it; ``target`` is the map of these. ``mixed``: the last tiles of each row and column
    are smaller, instead of moved back to end with the map; all tiles are at hand together.
    """

    source: Layout
    target: Layout
    m: int
    before: tuple[int, int]
    tile: tuple[int, int]
    turns: int
    round: int
    finish: Finish
    far: bool = False
    fresh: int = 0
    stride: int = 1
    taps: int = 3
    pool: int = 1
    after: Finish = field(default_factory=Finish)
    mixed: bool = False
    along: tuple[bool, bool] = (True, True)

    @property
    def n(self) -> int:
        return self.m + -(-self.taps // self.stride) - 1

    @property
    def minimal(self) -> Filtering:
        return filtering(self.m, -(-self.taps // self.stride), whole=bool(self.fresh))

    @property
    def forms(self) -> tuple[Filtering, Filtering]:
        """Down and across."""
        down, across = (self.minimal if along else ONE for along in self.along)
        return down, across

    @property
    def wide(self) -> int:
        """Positions in a row of a tile."""
        return self.forms[1].size

    @property
    def positions(self) -> int:
        """Of a tile."""
        return self.forms[0].size * self.wide

    @property
    def phases(self) -> int:
        return self.stride**2

    @property
    def mosaic(self) -> Mosaic | None:
        """None: all tiles are alike."""
        size = self.pool * self.target.height, self.pool * self.target.width
        return mosaic(size, self.forms) if self.mixed else None

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Of the tiles at hand; if all are alike, numbers count from the first of them."""
        if self.mosaic:
            return self.mosaic.kinds
        down, across = (Side(form, tuple(range(form.size)), 0, form.outputs, 1) for form in self.forms)
        return (Kind(down, replace(across, count=self.together), 0),)

    def runs(self, axis: int) -> tuple[Run, ...]:
        """Positions along an axis."""
        return tuple(self.mosaic.runs(axis)) if self.mosaic else (Run(0, self.forms[axis].size, all=True),)

    def shared(self, axis: int, position: int) -> bool:
        """Whether the last tiles along an axis have this position, too."""
        return any(run.all and run.first <= position < run.first + run.count for run in self.runs(axis))

    def sorts(self, kind: Kind) -> list[tuple[bool, bool]]:
        """Of the positions of such tiles, by whether the last tiles have their row and their column."""
        found = dict.fromkeys((down.all, across.all) for down, across in product(self.runs(0), self.runs(1)))
        return [sort for sort in found if kind.has(*sort)]

    def span(self, rows: bool, columns: bool) -> tuple[int, int]:
        """The first tile that has positions of such a row and column, and how many turns there are."""
        if not self.mosaic:
            return 0, self.turns
        first, count = self.mosaic.span(rows, columns)
        return first, -(-count // self.tile[0])

    @property
    def regions(self) -> tuple[Region, ...]:
        if self.mosaic:
            return tuple(
                Region(
                    (down.first, across.first), down.count, across.count, -(-tiles // self.tile[0]), tile=tile
                )
                for down, across, tile, tiles in self.mosaic.parts
            )
        if self.stride == 1:
            return (Region((0, 0), self.positions // self.wide, self.wide, self.turns),)
        last, turns = self.n - 1, self.turns
        return (
            Region((0, 0), last, last, turns, 0, 4),
            Region((last, 0), 1, last, turns, 0, 2),
            Region((0, last), last, 1, turns, 1, 2),
            Region((last, last), 1, 1, turns, 1, 1),
        )

    @property
    def terms(self) -> int:
        """Products of one tile and one channel."""
        return sum(region.rows * region.columns * region.phases for region in self.regions)

    @property
    def sums(self) -> int:
        """Turns of the product, of all positions and phases, for the tiles at hand and one group."""
        return sum(one.rows * one.columns * one.phases * one.turns for one in self.regions)

    @property
    def values(self) -> int:
        """Positions of all tiles at hand."""
        return self.mosaic.values if self.mosaic else self.together * self.positions

    @property
    def rows(self) -> tuple[tuple[int, int], ...]:
        """Rows of U that are made together: those of points p and -p share sums; 0 and infinity have none."""
        return (0, self.n - 1), *((y, y + 1) for y in range(1, self.n - 1, 2))

    @property
    def kept(self) -> tuple[int, int]:
        """Values of a tile that are stored, down and across."""
        return self.forms[0].outputs // self.pool, self.forms[1].outputs // self.pool

    @property
    def across(self) -> int:
        return -(-self.target.width // self.kept[1])

    @property
    def tiles(self) -> int:
        return -(-self.target.height // self.kept[0]) * self.across

    @property
    def together(self) -> int:
        return self.turns * self.tile[0]

    @property
    def slots(self) -> int:
        """Tiles for whose M there is room: a last turn may go beyond those that have a position."""
        if not self.mixed:
            return self.together
        return max(region.tile + region.turns * self.tile[0] for region in self.regions)

    @property
    def chunks(self) -> int:
        return -(-self.tiles // self.together)

    @property
    def groups(self) -> int:
        return -(-self.target.blocks // self.tile[1])

    @property
    def rounds(self) -> int:
        return self.groups // self.round

    @property
    def v_step(self) -> int:
        """From one position's V to the next; one more vector than needed spreads them over the cache."""
        return (self.together * self.phases * self.source.blocks + 1) * self.source.lanes

    @property
    def m_step(self) -> int:
        return (self.slots * self.round * self.tile[1] + 1) * self.target.lanes

    @property
    def weights(self) -> int:
        """Weights of one group and one position, or one tap."""
        return self.phases * self.source.blocks * self.source.lanes * self.tile[1] * self.target.lanes

    @property
    def held(self) -> int:
        """Fresh weights of one position; one cache line more spreads them."""
        return self.fresh * self.source.lanes * self.tile[1] * self.target.lanes + LINE

    @property
    def multiply_adds(self) -> int:
        outputs = self.tile[0] * self.groups * self.tile[1] * self.target.lanes
        return self.chunks * self.sums * outputs * self.source.channels

    def describe(self) -> str:
        p, q = self.tile
        (m, k), (n, j) = ((form.outputs, form.taps) for form in self.forms)
        window = f"{self.taps}x{self.taps} in four phases" if self.stride > 1 else f"{k}x{j}"
        count = (
            f"{self.tiles} tiles, the last smaller"
            if self.mixed
            else f"{self.together} of {self.tiles} tiles"
        )
        form = f"F({m}x{n}, {window}), {count}, "
        return f"{form}{p} x {q * self.target.lanes} channels{self.finish.describe()}{self._pooling()}"

    def _pooling(self) -> str:
        return f" + max of {self.pool}x{self.pool}{self.after.describe()}" if self.pool > 1 else ""

    def operands(self, *first: Operand) -> tuple[Operand, ...]:
        return (
            *first,
            Operand(
                "weights", self.groups * (9 if self.fresh else self.positions) * self.weights, shared=True
            ),
            Operand("bias", self.target.blocks * self.target.lanes, shared=True),
            Operand("target", self.target.size),
            *self.finish.operands,
        )

    def pack(self, weight: Array, bias: Array | None) -> dict[str, Array]:
        """U = G g G^T, computed in float64; to be transformed later: [group][input channel][tap][output]."""
        lanes, q = self.target.lanes, self.tile[1]
        outputs, inputs = weight.shape[:2]
        parts = transformed_taps(weight.astype(np.float64), None if self.fresh else self.forms, self.stride)
        deep, wide = self.source.blocks * self.source.lanes, self.target.blocks * lanes
        u = np.zeros((len(parts[0]), self.phases, deep, wide), np.float32)
        for phase, part in enumerate(parts):
            u[:, phase, :inputs, :outputs] = part.reshape(-1, outputs, inputs).transpose(0, 2, 1)
        each = u.reshape(len(u), -1, wide)
        packed = in_groups(each, q * lanes)
        rounds = packed.reshape(self.rounds, self.round, *packed.shape[1:])  # then position, input, output
        rounds = rounds.transpose((0, 3, 1, 2, 4) if self.fresh else (0, 2, 1, 3, 4))
        shift = filled_up(bias, self.target.blocks * lanes)
        return {"weights": np.ascontiguousarray(rounds).ravel(), "bias": shift}

    def corner(self, to: Emitter, tile: Number, kind: Kind) -> tuple[Number, Number]:
        """The first stored row and column of a tile; the last tiles are moved back to end with the map.

        What is missing in the last turn repeats the last tile. Of tiles of several sizes, ``tile`` counts
        those of one kind.
        """
        if self.mixed:
            down, across = to.divide(tile, kind.across.count)
            sides = (down, kind.down), (across, kind.across)
            y, x = (
                to.plus(side.start // self.pool, to.times(place, side.step // self.pool))
                for place, side in sides
            )
            return y, x
        down, across = to.divide(to.least(tile, self.tiles - 1), self.across)
        high, wide = self.kept
        y = to.least(to.times(down, high), self.target.height - high)
        return y, to.least(to.times(across, wide), self.target.width - wide)

    def source_at(self, to: Emitter, block: Number, corner: tuple[Number, Number]) -> Number:
        y, x = corner
        layout, (top, left) = self.source, self.before
        first = layout.start - top * layout.row - left * layout.lanes
        step = self.stride * self.pool
        rows = to.plus(to.times(y, step * layout.row), to.times(x, step * layout.lanes))
        return to.plus(first, rows, to.times(block, layout.block))

    def target_at(self, to: Emitter, layout: Layout, block: Number, corner: tuple[Number, Number]) -> Number:
        y, x = corner
        rows = to.plus(to.times(y, layout.row), to.times(x, layout.lanes))
        return to.plus(layout.start, rows, to.times(block, layout.block))
