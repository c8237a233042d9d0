"""How a map is cut for Winograd's form, and where in memory all that belongs to it lies.

Every product reads straight on:
V [position][turn][block of input channels][tile of the turn][lane], U [round][position][group of the round]
[input channel][output of the group], M [position][vector of the round][tile][lane].
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from striate.engine.emit import Emitter
from striate.engine.index import Number
from striate.engine.kernels.finish import Finish
from striate.engine.kernels.kernel import Operand
from striate.engine.kernels.multiply import LINE
from striate.engine.kernels.packing import filled_up, in_groups
from striate.engine.kernels.toom_cook import Filtering, as_array, filtering
from striate.engine.layout import Layout

Array = NDArray[np.float32]
PHASES = ((0, 1), (0, 0), (1, 0), (1, 1))  # of rows and columns; stride 1: only even and even


@dataclass(frozen=True)
class Region:
    """Positions (``rows`` x ``columns`` from ``first`` on) whose sums have the phases from ``phase`` on."""

    first: tuple[int, int]
    rows: int
    columns: int
    phase: int
    phases: int


@dataclass(frozen=True)
class Tiling:
    """``m``: outputs of a tile, each way. ``taps``: of the kernel. ``before``: padding above and left.

    ``tile``: (P, Q), the sums in registers: P tiles by Q vectors of output channels, a group of them.
    ``turns``: times P tiles that are at hand together. ``round``: groups whose M is at hand together, a
    divisor of their number. ``far``: weights come from the third cache or memory. ``fresh``: blocks of input
    channels, a divisor of their number, whose weights are transformed together in every call (then ``round``
    is 1); 0: weights come transformed. ``pool``: of so many outputs each way the largest alone is kept, once
    ``after`` was done to it; ``target`` is the map of these.
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

    @property
    def n(self) -> int:
        return self.minimal.size

    @property
    def minimal(self) -> Filtering:
        return filtering(self.m, -(-self.taps // self.stride), whole=bool(self.fresh))

    @property
    def phases(self) -> int:
        return self.stride**2

    @property
    def regions(self) -> tuple[Region, ...]:
        n, last = self.n, self.n - 1
        if self.stride == 1:
            return (Region((0, 0), n, n, 0, 1),)
        return (
            Region((0, 0), last, last, 0, 4),
            Region((last, 0), 1, last, 0, 2),
            Region((0, last), last, 1, 1, 2),
            Region((last, last), 1, 1, 1, 1),
        )

    @property
    def terms(self) -> int:
        """Products of one tile and one channel."""
        return sum(region.rows * region.columns * region.phases for region in self.regions)

    @property
    def rows(self) -> tuple[tuple[int, int], ...]:
        """Rows of U that are made together: those of points p and -p share sums; 0 and infinity have none."""
        return (0, self.n - 1), *((y, y + 1) for y in range(1, self.n - 1, 2))

    @property
    def kept(self) -> int:
        """Values of a tile that are stored, each way."""
        return self.m // self.pool

    @property
    def across(self) -> int:
        return -(-self.target.width // self.kept)

    @property
    def tiles(self) -> int:
        return -(-self.target.height // self.kept) * self.across

    @property
    def together(self) -> int:
        return self.turns * self.tile[0]

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
        return (self.together * self.round * self.tile[1] + 1) * self.target.lanes

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
        outputs = self.chunks * self.together * self.groups * self.tile[1] * self.target.lanes
        return self.terms * outputs * self.source.channels

    def describe(self) -> str:
        p, q = self.tile
        window = f"{self.taps}x{self.taps}" + (" in four phases" if self.stride > 1 else "")
        form = f"F({self.m}x{self.m}, {window}), {self.together} of {self.tiles} tiles, "
        return f"{form}{p} x {q * self.target.lanes} channels{self.finish.describe()}{self._pooling()}"

    def _pooling(self) -> str:
        return f" + max of {self.pool}x{self.pool}{self.after.describe()}" if self.pool > 1 else ""

    def operands(self, *first: Operand) -> tuple[Operand, ...]:
        return (
            *first,
            Operand("weights", self.groups * (9 if self.fresh else self.n**2) * self.weights, shared=True),
            Operand("bias", self.target.blocks * self.target.lanes, shared=True),
            Operand("target", self.target.size),
            *self.finish.operands,
        )

    def pack(self, weight: Array, bias: Array | None) -> dict[str, Array]:
        """U = G g G^T, computed in float64; to be transformed later: [group][input channel][tap][output]."""
        lanes, q = self.target.lanes, self.tile[1]
        outputs, inputs = weight.shape[:2]
        parts = self._transformed(weight.astype(np.float64))
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

    def _transformed(self, weight: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """For each phase [position][output and input]; to be transformed later: [tap][output and input]."""
        flat = weight.reshape(-1, self.taps**2).T
        if self.fresh:
            return [flat]
        g = as_array(self.minimal.g)
        if self.stride == 1:
            return [np.kron(g, g) @ flat]
        even, odd = np.zeros((2, self.n, self.taps))
        even[:, ::2], odd[:-1, 1::2] = g, g[:-1, :-1]
        axes = even, odd
        return [np.kron(axes[y], axes[x]) @ flat for y, x in PHASES]

    def corner(self, to: Emitter, tile: Number) -> tuple[Number, Number]:
        """The first stored row and column of a tile; the last tiles are moved back to end with the map.

        What is missing in the last turn repeats the last tile.
        """
        down, across = to.divide(to.least(tile, self.tiles - 1), self.across)
        y = to.least(to.times(down, self.kept), self.target.height - self.kept)
        return y, to.least(to.times(across, self.kept), self.target.width - self.kept)

    def source_at(self, to: Emitter, block: Number, tile: Number) -> Number:
        y, x = self.corner(to, tile)
        layout, (top, left) = self.source, self.before
        first = layout.start - top * layout.row - left * layout.lanes
        step = self.stride * self.pool
        rows = to.plus(to.times(y, step * layout.row), to.times(x, step * layout.lanes))
        return to.plus(first, rows, to.times(block, layout.block))

    def target_at(self, to: Emitter, layout: Layout, block: Number, tile: Number) -> Number:
        y, x = self.corner(to, tile)
        rows = to.plus(to.times(y, layout.row), to.times(x, layout.lanes))
        return to.plus(layout.start, rows, to.times(block, layout.block))
