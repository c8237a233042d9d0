"""Winograd's scheme for a convolution of a training, and its transformed weights, which change every step.

U = G g G^T is made of the weights where they lie, for the convolution or (``flipped``) for its gradient with
respect to the input, which is a convolution of the output's gradient with the taps rotated and the two axes
of channels exchanged. It lies as ``tiling`` says, but for a gap between positions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

from llvmlite import ir

from striate.engine.emit import I32, Emitter, Vector
from striate.engine.index import Memory, Number
from striate.engine.kernels.finish import Finish
from striate.engine.kernels.kernel import Kernel, Operand, Work
from striate.engine.kernels.multiply import LINE, fits_registers
from striate.engine.kernels.tile import turn
from striate.engine.kernels.toom_cook import Filtering, rows_times
from striate.engine.kernels.whole_map import Form
from striate.engine.kernels.winograd import Scheme
from striate.engine.layout import Layout
from striate.engine.target import Target

TAPS = 3
OUTPUTS = 4  # of a tile, each way
TURNS = 4  # of a chunk: measured; V and M of so many tiles stay in the second cache, or nearly
TOGETHER = (4, 2, 1)  # groups of outputs whose M is at hand together, if their number allows
DEEP = 512  # channels from which on it is one group: V fills the cache alone
MOST_VECTORS = 4  # of outputs in a group


def batch_scheme(
    channels: int, outputs: int, size: tuple[int, int], padding: tuple[int, int], machine: Target
) -> Scheme:
    """For maps of ``size`` (H, W); channels and outputs fill whole vectors."""
    lanes, (height, width), (top, left) = machine.lanes, size, padding
    source = Layout(channels, height, width, lanes)
    target = Layout(outputs, height + 2 * top - TAPS + 1, width + 2 * left - TAPS + 1, lanes)
    p, q = tile_of(target.blocks, machine)
    together = round_of(channels, target.blocks // q)
    return Scheme(source, target, OUTPUTS, padding, (p, q), TURNS, together, Finish(), far=True)


def tile_of(blocks: int, machine: Target) -> tuple[int, int]:
    """Values by vectors of ``blocks`` output vectors: the sums that take the fewest cycles each."""
    tiles = [
        (p, q)
        for q in range(1, MOST_VECTORS + 1)
        for p in range(1, machine.registers)
        if blocks % q == 0 and fits_registers(p, q, machine.registers)
    ]
    return min(tiles, key=lambda tile: turn(*tile, machine) / (tile[0] * tile[1]))


def round_of(channels: int, groups: int) -> int:
    """How many groups of outputs have their M at hand together."""
    return next(n for n in (TOGETHER if channels < DEEP else (1,)) if groups % n == 0)


class Transforming(Protocol):
    """What there must be known of a scheme to transform its weights."""

    @property
    def source(self) -> Layout: ...
    @property
    def target(self) -> Layout: ...
    @property
    def tile(self) -> tuple[int, int]: ...
    @property
    def minimal(self) -> Filtering | Form: ...
    @property
    def n(self) -> int: ...
    @property
    def groups(self) -> int: ...
    @property
    def round(self) -> int: ...
    @property
    def rounds(self) -> int: ...
    @property
    def weights(self) -> int: ...


def position_step(scheme: Transforming) -> int:
    """From the transformed weights of one position to the next; a cache line more spreads them."""
    return scheme.round * scheme.weights + LINE


def transformed(scheme: Transforming) -> int:
    """Transformed weights, with the gaps between positions."""
    return scheme.rounds * scheme.n**2 * position_step(scheme)


@dataclass(frozen=True)
class Transformed(Kernel):
    """U from weights (K, C, 3, 3). ``steps``: from one weight to the next along (output, input, row, column)
    of the convolution that ``scheme`` computes. Unit: a group of outputs, for one vector of inputs."""

    family: ClassVar[str] = "winograd weights"
    scheme: Transforming
    steps: tuple[int, int, int, int]
    flipped: bool

    @property
    def operands(self) -> tuple[Operand, ...]:
        scheme = self.scheme
        given = scheme.source.channels * scheme.target.channels * TAPS**2
        return Operand("given", given, shared=True), Operand("weights", transformed(scheme), shared=True)

    @property
    def units(self) -> int:
        return self.scheme.groups * self.scheme.source.blocks

    @property
    def whole_batch(self) -> bool:
        return True

    def body(self, work: Work) -> None:
        to, scheme, lanes = work.to, self.scheme, work.to.lanes
        g, n, wide = scheme.minimal.g, scheme.n, scheme.tile[1] * lanes
        group, block = to.divide(work.unit, scheme.source.blocks)
        number, inside = to.divide(group, scheme.round)
        given, made = work.buffer("given"), work.buffer("weights")
        each = position_step(scheme)
        begin = to.plus(to.times(number, n**2 * each), to.times(inside, scheme.weights))
        with to.loop(lanes) as lane:
            channel = to.plus(to.times(block, lanes), lane)
            for q in range(0, wide, lanes):
                output = to.plus(to.times(group, wide), q)
                first = to.plus(to.times(output, self.steps[0]), to.times(channel, self.steps[1]))
                taps = [[self._taps(to, given, first, y, x) for y in range(TAPS)] for x in range(TAPS)]
                columns = [rows_times(to, g, column) for column in taps]
                for y in range(n):
                    for x, value in enumerate(rows_times(to, g, [column[y] for column in columns])):
                        at = to.plus(begin, to.times(channel, wide), (y * n + x) * each + q)
                        to.put(value, made, at)

    def _taps(self, to: Emitter, given: Memory, first: Number, y: int, x: int) -> Vector:
        """One tap for a vector of outputs."""
        if self.flipped:
            y, x = TAPS - 1 - y, TAPS - 1 - x
        step, _, row, column = self.steps
        at = to.plus(first, y * row + x * column)
        if step == 1:
            return to.get(given, at)
        found = ir.Constant(to.vector, ir.Undefined)
        for lane in range(to.lanes):
            one = to.load(to.address(given, to.plus(at, lane * step), 1), typ=ir.FloatType(), align=4)
            found = to.insert_element(found, one, ir.Constant(I32, lane))
        return found
