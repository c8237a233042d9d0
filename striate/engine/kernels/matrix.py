"""1x1 convolution: a product of two matrices, weights (outputs, inputs) times the map (inputs, pixels).

Small weights stay in the cache and each unit carries some pixels through all of them; large ones are read
once, each unit taking one group of output channels for all pixels, or, where groups are few, for a part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from striate.engine.emit import Emitter
from striate.engine.index import Number
from striate.engine.kernels.finish import Finish
from striate.engine.kernels.kernel import Kernel, Operand, Work
from striate.engine.kernels.panels import Panels, Product
from striate.engine.layout import Layout

NEAR = 2**17  # bytes of weights that stay in the second-level cache while pixels pass by
NEAREST = 2**14  # bytes of the map that stay in the first-level cache while weights pass by
PIECES = 16  # of work at least: threads are done at the same time only where the last piece is small
SURPLUS = 0.02  # of all tiles, at most, that are computed twice for it


def matrix(
    source: Layout, target: Layout, finish: Finish, tile: tuple[int, int], *, own: bool = False
) -> Matrix:
    """The kernel for these maps with this tile, in the order that is estimated to be fastest."""
    panels = Panels(source.channels, target.blocks, target.lanes, tile)
    tiles = -(-source.pixels // tile[0])
    together = 0
    if 4 * panels.weights <= NEAR and tiles > 1:
        most = max(1, NEAREST // (4 * panels.deep * tile[0]))
        together = min(range(1, min(most, tiles) + 1), key=lambda n: (-(-tiles // n) * n * (1 + 0.2 / n), n))
    parts = 1 if together else next(n for n in range(-(-PIECES // panels.groups), 0, -1) if _even(tiles, n))
    return Matrix(source, target, panels, together, finish, own, parts)


def _even(tiles: int, parts: int) -> bool:
    return -(-tiles // parts) * parts <= tiles * (1 + SURPLUS)


@dataclass(frozen=True)
class Matrix(Kernel):
    """``together``: tiles of pixels of a unit, for all output channels; 0: a unit is a group of channels.

    ``own``: every image has weights of its own. ``parts``: of the pixels, each a unit of its own for a group.
    """

    family: ClassVar[str] = "matrix"
    source: Layout
    target: Layout
    panels: Panels
    together: int
    finish: Finish
    own: bool = False
    parts: int = 1

    @property
    def operands(self) -> tuple[Operand, ...]:
        return (
            Operand("source", self.source.size),
            Operand("weights", self.panels.weights, shared=not self.own),
            Operand("bias", self.panels.blocks * self.panels.lanes, shared=True),
            Operand("target", self.target.size),
            *self.finish.operands,
        )

    @property
    def tiles(self) -> int:
        return -(-self.source.pixels // self.panels.tile[0])

    @property
    def turns(self) -> int:
        """Tiles of a unit."""
        return self.together or -(-self.tiles // self.parts)

    @property
    def units(self) -> int:
        return -(-self.tiles // self.together) if self.together else self.panels.groups * self.parts

    @property
    def multiply_adds(self) -> int:
        units = self.units if self.together else self.parts
        pixels = units * self.turns * self.panels.tile[0]
        return pixels * self.panels.channels * self.panels.blocks * self.panels.lanes

    def describe(self) -> str:
        p, q = self.panels.tile
        return f"{p} pixels, {q * self.panels.lanes} channels{self.finish.describe()}"

    def body(self, work: Work) -> None:
        to, panels = work.to, self.panels
        turns = 0 if self.together else self.parts * self.turns
        product = Product(panels, self.source, self.target, self.finish, turns)
        whole, rest = panels.blocks // panels.tile[1], panels.rest
        wide = product.code(to, f"{self.symbol}_tile", panels.tile[1]) if whole else None
        narrow = product.code(to, f"{self.symbol}_rest", rest) if rest else None
        unit, part = (work.unit, 0) if self.together else to.divide(work.unit, self.parts)
        first = to.times(unit if self.together else part, self.turns)

        def tiles(inner: Emitter, group: Number) -> None:
            with to.loop(self.turns) as own:
                turn = to.plus(first, own)
                pixel = to.times(turn, panels.tile[0])
                pixel = to.least(pixel, self.source.pixels - panels.tile[0])  # the last may repeat some
                product.call(to, inner, work.buffer, group, pixel, turn)

        if self.together:
            if wide:
                with to.loop(whole) as group:
                    tiles(wide, group)
            if narrow:
                tiles(narrow, whole)
        elif wide and narrow:
            with to.if_else(to.icmp_signed("<", to.raw(unit), to.raw(whole))) as (then, otherwise):
                with then:
                    tiles(wide, to.least(unit, whole - 1))
                with otherwise:
                    tiles(narrow, whole)
        else:
            tiles(wide or narrow, unit)  # type: ignore[arg-type]
