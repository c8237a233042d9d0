"""3x3 convolution with a quarter (m = 4) or less than half (m = 2) of the multiplications.

The map is cut into tiles of m x m outputs. Each tile's (m+2) x (m+2) inputs are transformed (V = B^T d B),
the weights were transformed once (U = G g G^T); for each of the (m+2)^2 positions the sum over channels is
then a matrix product of its own, M = U V, and the outputs are A^T M A. Transforms work on vectors of channels
and have few multiplications; the matrix products are where the time goes, and there are 36 multiply-adds
instead of 144 (m = 4). ``winograd_forms`` has the kernels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from striate.engine.emit import Emitter
from striate.engine.index import Memory, Number
from striate.engine.kernels.direct import Reduction, multiply_taps
from striate.engine.kernels.finish import Finish
from striate.engine.kernels.kernel import Operand, Work
from striate.engine.kernels.toom_cook import as_array, columns_times, filtering, rows_times
from striate.engine.layout import Layout

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Scheme:
    """``m``: outputs of a tile, each way. ``before``: padding above and left. ``together``: tiles at a time.

    ``tile``: (P, Q), the matrix product's sums in registers: P tiles by Q vectors of output channels.
    """

    source: Layout
    target: Layout
    m: int
    before: tuple[int, int]
    together: int
    tile: tuple[int, int]
    finish: Finish

    @property
    def n(self) -> int:
        return self.m + 2

    @property
    def across(self) -> int:
        return -(-self.target.width // self.m)

    @property
    def tiles(self) -> int:
        return -(-self.target.height // self.m) * self.across

    @property
    def groups(self) -> int:
        return -(-self.target.blocks // self.tile[1])

    @property
    def v_step(self) -> int:
        """From one position's V to the next; one more vector than needed spreads them over the cache."""
        return (self.together * self.source.blocks + 1) * self.source.lanes

    @property
    def m_step(self) -> int:
        return (self.together * self.tile[1] + 1) * self.target.lanes

    @property
    def weights(self) -> int:
        """Transformed weights of one group and one position."""
        return self.source.blocks * self.source.lanes * self.tile[1] * self.target.lanes

    @property
    def multiply_adds(self) -> int:
        p = self.tile[0]
        rounds = -(-self.tiles // self.together) * -(-self.together // p) * p
        return self.n**2 * rounds * self.groups * self.tile[1] * self.target.lanes * self.source.channels

    def describe(self) -> str:
        p, q = self.tile
        form = f"F({self.m}x{self.m}, 3x3), {self.together} of {self.tiles} tiles, "
        return f"{form}{p} x {q * self.target.lanes} channels{self.finish.describe()}"

    def operands(self, *first: Operand) -> tuple[Operand, ...]:
        added = self.finish.added
        return (
            *first,
            Operand("weights", self.groups * self.n**2 * self.weights, shared=True),
            Operand("bias", self.target.blocks * self.target.lanes, shared=True),
            Operand("target", self.target.size),
            *((Operand("added", added.size),) if added else ()),
        )

    def pack(self, weight: Array, bias: Array | None) -> dict[str, Array]:
        """U = G g G^T in float64, as [group][position][input channel][output channel]."""
        lanes, q = self.target.lanes, self.tile[1]
        outputs, inputs = weight.shape[:2]
        g = as_array(filtering(self.m, 3).g)
        u = np.zeros((self.n**2, self.source.blocks * lanes, self.target.blocks * lanes), np.float32)
        flat = np.kron(g, g) @ weight.reshape(outputs * inputs, 9).T.astype(np.float64)
        u[:, :inputs, :outputs] = flat.reshape(-1, outputs, inputs).transpose(0, 2, 1)
        firsts = [min(i * q, self.target.blocks - q) * lanes for i in range(self.groups)]
        packed = np.stack([u[:, :, first : first + q * lanes] for first in firsts])
        padded = np.zeros(self.target.blocks * lanes, np.float32)
        if bias is not None:
            padded[:outputs] = bias
        return {"weights": np.ascontiguousarray(packed).ravel(), "bias": padded}

    # --- code -------------------------------------------------------------------------------------------

    def corner(self, to: Emitter, tile: Number) -> tuple[Number, Number]:
        """The first output row and column of a tile; the last tiles are moved back to end with the map."""
        down, across = to.divide(tile, self.across)
        y = to.least(to.times(down, self.m), self.target.height - self.m)
        return y, to.least(to.times(across, self.m), self.target.width - self.m)

    def source_at(self, to: Emitter, block: Number, tile: Number) -> Number:
        y, x = self.corner(to, tile)
        layout, (top, left) = self.source, self.before
        first = layout.start - top * layout.row - left * layout.lanes
        rows = to.plus(to.times(y, layout.row), to.times(x, layout.lanes))
        return to.plus(first, rows, to.times(block, layout.block))

    def target_at(self, to: Emitter, layout: Layout, block: Number, tile: Number) -> Number:
        y, x = self.corner(to, tile)
        rows = to.plus(to.times(y, layout.row), to.times(x, layout.lanes))
        return to.plus(layout.start, rows, to.times(block, layout.block))

    def transform(self, work: Work, name: str) -> Emitter:
        """V = B^T d B of one tile and one vector of channels; (source, V)."""
        to = Emitter(work.to.mod, name, work.to.target, 2, inner=True)
        source, v = to.memories
        n, bt, layout = self.n, filtering(self.m, 3).bt, self.source
        columns = [
            rows_times(to, bt, [to.get(source, y * layout.row + x * layout.lanes) for y in range(n)])
            for x in range(n)
        ]
        for y in range(n):
            for x, value in enumerate(rows_times(to, bt, [column[y] for column in columns])):
                to.put(value, v, (y * n + x) * self.v_step)
        to.ret_void()
        return to

    def product(self, work: Work, name: str) -> Emitter:
        """P tiles x Q vectors of M at one position: a sum over all input channels; (V, weights, M)."""
        to = Emitter(work.to.mod, name, work.to.target, 3, inner=True)
        v, weights, m = to.memories
        p, q = self.tile
        lanes = to.lanes
        sums = [[to.variable(to.constant(0)) for _ in range(q)] for _ in range(p)]
        full, rest = divmod(self.source.channels, lanes)
        step = self.together * lanes
        parts = [Reduction([(full, step, lanes)], lanes)] if full else []
        if rest:
            parts.append(Reduction([], rest, full * step, full * lanes))
        multiply_taps(to, parts, v, weights, [i * lanes for i in range(p)], sums)
        for i, row in enumerate(sums):
            for j, variable in enumerate(row):
                to.put(to.read(variable), m, (j * self.together + i) * lanes)
        to.ret_void()
        return to

    def back(self, work: Work, name: str) -> Emitter:
        """A^T M A, bias and finish, of one tile and one vector of channels; (M, bias, target[, added])."""
        added, n, at = self.finish.added, self.n, filtering(self.m, 3).at
        to = Emitter(work.to.mod, name, work.to.target, 4 if added else 3, inner=True)
        m, bias, target, *more = to.memories
        columns = [
            columns_times(to, at, [to.get(m, (y * n + x) * self.m_step) for y in range(n)]) for x in range(n)
        ]
        shift = to.get(bias, 0)
        for y in range(self.m):
            for x, value in enumerate(columns_times(to, at, [column[y] for column in columns])):
                other = to.get(more[0], y * added.row + x * added.lanes) if added else None
                result = self.finish.apply(to, to.fadd(value, shift), other)
                to.put(result, target, y * self.target.row + x * self.target.lanes)
        to.ret_void()
        return to

    def multiply(self, work: Work, inner: Emitter, v: Memory, m: Memory, group: Number) -> None:
        """All positions of one group of output channels."""
        to, p = work.to, self.tile[0]
        lanes, n = to.lanes, self.n
        weights = work.buffer("weights")
        own = to.times(group, n * n * self.weights)
        with to.loop(n * n) as position:
            u = to.plus(own, to.times(position, self.weights))
            with to.loop(-(-self.together // p)) as turn:
                first = to.times(to.least(to.times(turn, p), self.together - p), lanes)
                v_at = to.plus(to.times(position, self.v_step), first)
                m_at = to.plus(to.times(position, self.m_step), first)
                to.run(inner, (v, v_at), (weights, u), (m, m_at))

    def finish_tiles(self, work: Work, inner: Emitter, m: Memory, group: Number, first: Number) -> None:
        """Outputs of all tiles at hand, for one group of output channels."""
        to, q, lanes = work.to, self.tile[1], work.to.lanes
        start = to.least(to.times(group, q), self.target.blocks - q)
        with to.loop(q) as i, to.loop(self.together) as t:
            block, tile = to.plus(start, i), to.plus(first, t)
            m_at = to.plus(to.times(i, self.together * lanes), to.times(t, lanes))
            arguments = [
                (m, m_at),
                (work.buffer("bias"), to.times(block, lanes)),
                (work.buffer("target"), self.target_at(to, self.target, block, tile)),
            ]
            if self.finish.added:
                added = self.target_at(to, self.finish.added, block, tile)
                arguments.append((work.buffer("added"), added))
            to.run(inner, *arguments)
