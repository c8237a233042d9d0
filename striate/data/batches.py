"""Images in memory become batches on a device, the same ones however often a run is interrupted.

The bytes stay as they are until a batch is taken; a batch is gathered, varied and normalised by
whole-batch tensor operations. Memory is laid out channels last throughout, one channel included: a
batch is the (N, C, H, W) view of an (N, H, W, C) array, which torch would not choose by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from striate.data.augment import Augmentation
from striate.data.dataset import ImageSet
from striate.data.draws import order
from striate.data.preprocess import Preprocessing
from striate.data.variation import Varied
from striate.errors import ArgumentError, DataError

_RESIDENT = 0.25  # the share of a GPU's free memory that the images may take


class Batches:
    """Batches of one split, a function of (seed, epoch, step).

    With ``shuffle`` each epoch has its own order, and the last batch is dropped if it is not full
    (unless it is the only one). Without, the order is that of the set and nothing is dropped.
    With ``part`` (rank, processes) every batch is dealt out to the processes, one image after the other,
    and this one reads its own; a batch that has none for it comes with its first image, for the shape.
    Raises DataError when there are no images, ArgumentError when the arguments do not fit.
    """

    def __init__(
        self,
        images: ImageSet,
        preprocessing: Preprocessing,
        batch_size: int,
        *,
        seed: int = 0,
        shuffle: bool = False,
        augmentation: Augmentation | None = None,
        part: tuple[int, int] = (0, 1),
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        if batch_size < 1:
            raise ArgumentError(f"batch_size must be at least 1, got {batch_size}: give a positive number.")
        if not len(images):
            raise DataError("A split without images has no batches: give it images, or leave it out.")
        if augmentation is not None:
            augmentation.check_fits(preprocessing.image_size)
        self.images, self.batch_size, self.seed = images, batch_size, seed
        self.augmentation, self.shuffle, self.part = augmentation, shuffle, part
        self.device, self.dtype = torch.device(device), dtype
        scale, offset = preprocessing.scale_and_offset()
        self._scale, self._offset = (torch.from_numpy(a).to(self.device) for a in (scale, offset))
        self._pixels, self._labels = torch.from_numpy(images.images), torch.from_numpy(images.labels)
        if self.device.type != "cpu" and _fits(self._pixels, self.device):
            self._pixels = self._pixels.to(self.device)
        self._labels = self._labels.to(self.device)

    def __len__(self) -> int:
        """Batches in an epoch."""
        full, rest = divmod(len(self.images), self.batch_size)
        return full if self.shuffle and full else full + bool(rest)

    def whole(self) -> Batches:
        """The same batches, not dealt out."""
        batches = copy(self)
        batches.part = (0, 1)
        return batches

    def size(self, step: int) -> int:
        """Images in the batch of a step, those of all processes together."""
        return min(self.batch_size, len(self.images) - step * self.batch_size)

    def epoch(self, epoch: int, start_step: int = 0, stride: int = 1) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches of an epoch from ``start_step`` on, every ``stride``-th: (x, y).

        x is (N, C, H, W), channels last in memory, normalised; y is int64 (N,).
        """
        if not 0 <= start_step <= len(self):
            raise ArgumentError(
                f"start_step must lie between 0 and the {len(self)} steps of an epoch, got {start_step}: "
                "give the number of steps already done."
            )
        count = len(self.images)
        rows = order(self.seed, epoch, count) if self.shuffle else np.arange(count)
        rank, processes = self.part
        for step in range(start_step, len(self), stride):
            batch = rows[step * self.batch_size : (step + 1) * self.batch_size]
            own = batch[rank::processes]
            yield self._batch(own if len(own) else batch[:1], epoch)

    def _batch(self, rows: NDArray[np.int64], epoch: int) -> tuple[Tensor, Tensor]:
        index = torch.from_numpy(np.ascontiguousarray(rows))
        pixels = self._pixels[index.to(self._pixels.device)].to(self.device, non_blocking=True)
        labels = self._labels[index.to(self.device)]
        varied = Varied(self.augmentation, self.seed, epoch, rows) if self.augmentation else None
        if varied is not None:
            pixels = varied.pixels(pixels)
        values = pixels.to(torch.float32).mul_(self._scale).add_(self._offset)
        if varied is not None:
            values = varied.values(values, 255 * self._scale)
        return values.to(self.dtype).permute(0, 3, 1, 2), labels


def _fits(pixels: Tensor, device: torch.device) -> bool:
    if device.type != "cuda":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    return pixels.nbytes < _RESIDENT * free
