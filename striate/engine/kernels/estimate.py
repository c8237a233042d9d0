"""How many cycles the cost model expects of a kernel: what ``net.plan()`` shows beside measured times.

``tile`` and ``panels`` say how the parts of this are thought of. Kernels that only move data, or have no
choice of form, are not estimated.
"""

from __future__ import annotations

from functools import singledispatch

from striate.engine.kernels.core import core
from striate.engine.kernels.dense import Dense
from striate.engine.kernels.direct import Direct
from striate.engine.kernels.gate import GatedWeights
from striate.engine.kernels.grouped import Grouped
from striate.engine.kernels.kernel import Kernel
from striate.engine.kernels.matrix import Matrix
from striate.engine.kernels.opening import Opening, opening_cycles
from striate.engine.kernels.packed import COPY, Packed
from striate.engine.kernels.pair import PairKernel
from striate.engine.kernels.panels import product_cycles
from striate.engine.kernels.rounding import Rounded
from striate.engine.kernels.strassen import Strassen
from striate.engine.kernels.strassen_choice import strassen_cycles
from striate.engine.kernels.tile import FRESH, direct_cycles, winograd_cycles
from striate.engine.kernels.winograd_forms import Product, Tiles
from striate.engine.target import Target

HIDDEN = 0.2  # of the time in which weights arrive, what is not hidden behind sums


@singledispatch
def cycles(kernel: object, machine: Target) -> float:
    """Of one image on one thread, of a core with two multiply-adds a cycle; 0: no opinion."""
    return 0.0


@cycles.register
def _(kernel: Direct, machine: Target) -> float:
    runs = kernel.target.height * -(-kernel.target.width // kernel.tile.columns)
    tiles = -(-runs // kernel.tile.runs)
    return direct_cycles(kernel.tile, tiles, kernel.target, kernel.window, kernel.span, machine)


@cycles.register
def _(kernel: Tiles, machine: Target) -> float:
    return winograd_cycles(kernel.scheme, machine)


@cycles.register
def _(kernel: Product, machine: Target) -> float:
    """With the transform that goes before it."""
    return winograd_cycles(kernel.scheme, machine)


@cycles.register
def _(kernel: Opening, machine: Target) -> float:
    return opening_cycles(kernel, machine)


@cycles.register
def _(kernel: Dense, machine: Target) -> float:
    """Weights that share a word are made two vectors by two operations, half as fast as the sums."""
    size, widening = 4 * kernel.panels.weights // kernel.stored.inputs, kernel.stored.inputs - 1
    return max(kernel.multiply_adds * (1 + widening) / (2 * machine.lanes), size / core(machine).rate(size))


@cycles.register
def _(kernel: Matrix, machine: Target) -> float:
    panels = kernel.panels
    sums = product_cycles(kernel.target.pixels, panels.blocks, panels.channels, panels.tile, machine)
    return max(sums, 4 * panels.weights / core(machine).rate(4 * panels.weights))


@cycles.register
def _(kernel: Packed, machine: Target) -> float:
    """The product, and a copy of what it reads."""
    source, blocks = kernel.source, kernel.groups * kernel.tile[1]
    deep = kernel.stored.deep(source.channels)
    sums = product_cycles(kernel.target.pixels, blocks, deep, kernel.tile, machine)
    copied = kernel.target.pixels * source.blocks * kernel.parts
    size = 4 * blocks * machine.lanes * deep
    return max(sums + COPY * copied, size / core(machine).rate(size))


@cycles.register
def _(kernel: Strassen, machine: Target) -> float:
    return strassen_cycles(kernel, machine)


@cycles.register
def _(kernel: GatedWeights, machine: Target) -> float:
    return 2 * kernel.panels.weights / machine.lanes


@cycles.register
def _(kernel: Rounded, machine: Target) -> float:
    """Read, and written in half of the room."""
    size = 4 * (kernel.source.size + kernel.target.size)
    return max(COPY * kernel.source.pixels * kernel.source.blocks / 2, size / core(machine).rate(size))


@cycles.register
def _(kernel: Grouped, machine: Target) -> float:
    (kh, kw), across = kernel.window.kernel, kernel.tile
    turns = kernel.units * -(-kernel.target.width // across)
    return turns * _row(kh, kw, kernel.window.stride[1], across, len(kernel.lanes_of), machine)


@cycles.register
def _(kernel: PairKernel, machine: Target) -> float:
    panels, (kh, kw) = kernel.panels, kernel.window.kernel
    pixels = kernel.strips * kernel.wide.pixels
    deep = kernel.stored.deep(panels.channels)
    made = product_cycles(pixels, panels.blocks, deep, panels.tile, machine)
    turns = kernel.strips * kernel.strip * -(-kernel.target.width // kernel.tile) * panels.blocks
    return made + turns * _row(kh, kw, kernel.window.stride[1], kernel.tile, 1, machine)


@singledispatch
def once(kernel: Kernel, machine: Target) -> float:
    """Cycles that do not become more with the images of one call: mostly weights, asked for meanwhile."""
    size = sum(4 * operand.size for operand in kernel.operands if operand.shared)
    return HIDDEN * size / core(machine).rate(size)


@once.register
def _(kernel: Dense, machine: Target) -> float:
    return cycles(kernel, machine)


@once.register
def _(kernel: Product, machine: Target) -> float:
    scheme = kernel.scheme
    size = 4 * scheme.operands()[0].size
    if not scheme.fresh:
        return HIDDEN * size / core(machine).rate(size)
    vectors = scheme.source.channels * scheme.groups * scheme.tile[1] * scheme.positions
    return size / core(machine).rate(size) + vectors * FRESH


def _row(kh: int, kw: int, step: int, across: int, seen: int, machine: Target) -> float:
    """Some outputs of a convolution in small groups, side by side."""
    of, loads = core(machine), kh * ((across - 1) * step + kw)
    return max(kh * kw * seen * across / 2, loads * of.load, kh * kw * of.latency) + 2 * across + of.tile / 3
