"""The engine's kernels at work on tensors: which of them a convolution in training can have, and their calls.

What decides is the shape, the layout and the processor's level, never a measurement, so that a run that is
resumed, and every process of several, computes the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import torch
from torch import Tensor

from striate.engine.functions import Call, Functions
from striate.engine.kernels.kernel import Kernel
from striate.engine.kernels.whole_map_batch import MapBatch, map_scheme
from striate.engine.kernels.winograd_batch import Batch
from striate.engine.kernels.winograd_weights import OUTPUTS, Transformed, batch_scheme
from striate.engine.target import Target, host
from striate.errors import UnsupportedError

LEVEL = "avx2"  # of processors on which these are measured to be the faster; others leave all to torch
LEAST_TILES = 32  # of a batch: with fewer the transformed weights are not paid back
LEAST_SIZE = 3  # of a map, each way: of smaller ones a tile is mostly outside
PADDING = 2  # at most: every tap is inside for some output


@cache
def level() -> Target | None:
    """The processor, as the kernels are compiled for it; None: all is left to torch."""
    try:
        target = host()
    except UnsupportedError:
        return None
    same = torch.backends.cpu.get_cpu_capability().lower() == target.name
    return target if same and target.name == LEVEL else None


@cache
def functions() -> Functions:
    """Those of this process."""
    target = level()
    if target is None:
        raise UnsupportedError(f"Compiled convolutions need {LEVEL}: leave them to torch.")
    return Functions(target)


def prepare(wanted: Sequence[Kernel], tell: Callable[[int], object]) -> None:
    """Have their code at hand; ``tell`` hears first how many must be compiled, if there are any."""
    uncompiled = functions().uncompiled(wanted)
    if uncompiled:
        tell(len(uncompiled))
    functions().prepare(wanted)


def run(calls: Sequence[Call], images: int) -> None:
    """On torch's threads."""
    functions().run(calls, images, torch.get_num_threads())


@dataclass(frozen=True)
class Convolution:
    """3x3, stride 1: of ``channels`` maps of ``size`` to ``outputs`` maps. ``flipped``: the weights are given
    as (channels, outputs, 3, 3), their taps rotated: the gradient with respect to an input.

    ``order``: from one given weight to the next along each axis.
    """

    channels: int
    outputs: int
    size: tuple[int, int]
    padding: tuple[int, int]
    order: tuple[int, ...]
    flipped: bool = False

    @property
    def kernels(self) -> tuple[Transformed, Batch | MapBatch]:
        return _compiled(self)

    def pays(self, images: int) -> bool:
        """Whether this is right and the quickest way for so many images."""
        target = level()
        if target is None or any(count % target.lanes for count in (self.channels, self.outputs)):
            return False
        if min(self.size) < LEAST_SIZE or not all(0 <= one <= PADDING for one in self.padding):
            return False
        made = self.kernels[1].scheme.target
        return images * -(-made.height // OUTPUTS) * -(-made.width // OUTPUTS) >= LEAST_TILES

    def __call__(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """``x`` (N, channels, H, W), channels last; the result likewise."""
        transform, batch = self.kernels
        target, images = batch.scheme.target, len(x)
        u = x.new_empty(transform.operands[1].size)
        shift = x.new_zeros(self.outputs) if bias is None else bias
        size = (images, self.outputs, target.height, target.width)
        y = torch.empty(size, memory_format=torch.channels_last)
        data = [one.data_ptr() for one in (x, u, shift, y)]
        run(
            [
                Call(transform, (weight.data_ptr(), data[1]), transform.units),
                Call(batch, data, batch.chunks(images)),
            ],
            images,
        )
        return y


@lru_cache(maxsize=4096)
def _compiled(one: Convolution) -> tuple[Transformed, Batch | MapBatch]:
    shape = one.channels, one.outputs, one.size, one.padding
    whole = map_scheme(*shape, functions().target)
    batch = MapBatch(whole) if whole else Batch(batch_scheme(*shape, functions().target))
    output, channel, row, column = one.order
    if one.flipped:
        output, channel = channel, output
    return Transformed(batch.scheme, (output, channel, row, column), one.flipped), batch
