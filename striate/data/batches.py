"""Images become batches on a device, the same ones however often a run is interrupted.

The bytes stay as they are until a batch is taken; a batch is gathered, varied and normalised by
whole-batch tensor operations. Memory is laid out channels last throughout, one channel included: a
batch is the (N, C, H, W) view of an (N, H, W, C) array, which torch would not choose by itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from striate.data.augment import Augmentation
from striate.data.colour import scaled
from striate.data.cropping import Pictures
from striate.data.dataset import ImageSet
from striate.data.draws import order, uniform
from striate.data.mixing import mixture
from striate.data.pixels import Pixels, Selected
from striate.data.preprocess import Preprocessing
from striate.data.sampling import balanced_order
from striate.data.variation import Varied
from striate.errors import ArgumentError, DataError

_RESIDENT = 0.25  # the share of a GPU's free memory that the images may take
_AHEAD = 3  # batches that are read while the GPU works on another
_MIX = 400  # the first stream of the draws of a mixture


@dataclass(frozen=True)
class _Rows:
    """The images of one batch, or of its part for one process."""

    images: NDArray[np.int64]
    """Which, (n,)."""
    draws: NDArray[np.int64]
    """What their variations are drawn by: the image's number, and for its further times others."""
    partners: NDArray[np.int64]
    """For each of the first ``own``, at which place of these rows the image is that it is mixed with."""
    own: int
    """How many of them, the first, belong to the batch; the others are only mixed in."""


class Batches:
    """Batches of one split, a function of (seed, epoch, step).

    With ``shuffle`` each epoch has its own order, and the last batch is dropped if it is not full
    (unless it is the only one). Without, the order is that of the set and nothing is dropped.
    With ``balanced`` the order is one in which all classes come equally often (see ``sampling``).
    With ``part`` (rank, processes) every batch is dealt out to the processes, one image after the other,
    and this one reads its own; a batch that has none for it comes with its first image, for the shape.
    ``classes`` is how many there are; it is needed where images are mixed or balanced.
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
        balanced: bool = False,
        classes: int | None = None,
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
        if balanced and images.labels.ndim == 2:
            raise ArgumentError(
                "balance must not be 'sampler' where images have several labels, which cannot all come "
                "equally often: give 'loss'."
            )
        self.images, self.batch_size, self.seed = images, batch_size, seed
        self.augmentation, self.shuffle, self.part = augmentation, shuffle, part
        self.device, self.dtype = torch.device(device), dtype
        self._preprocessing, self._balanced = preprocessing, balanced
        self._classes = classes if classes is not None else int(images.labels.max()) + 1
        scale, offset = preprocessing.scale_and_offset()
        self._scale, self._offset = (torch.from_numpy(a).to(self.device) for a in (scale, offset))
        whole = images.whole if augmentation is not None else None
        self._aspects = whole.aspects if whole is not None else None
        self._pixels = _at_hand(whole.pixels if whole is not None else images.images, self.device)
        self._labels = torch.from_numpy(images.labels).to(self.device)
        crops = augmentation is not None and (augmentation.scale_crop is not None or whole is not None)
        self._parts = crops and self.device.type == "cpu"

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

        x is (N, C, H, W), channels last in memory, normalised. y is int64 (N,); where images are mixed, or
        may have several labels, float (N, K).
        """
        if not 0 <= start_step <= len(self):
            raise ArgumentError(
                f"start_step must lie between 0 and the {len(self)} steps of an epoch, got {start_step}: "
                "give the number of steps already done."
            )
        rows = self._all_rows(epoch, range(start_step, len(self), stride))
        if self._parts:
            for some in rows:
                yield self._batch(self._pictures(some), some, epoch)
        elif isinstance(self._pixels, Tensor):
            for some in rows:
                yield self._batch(self._gathered(self._pixels, some), some, epoch)
        elif self.device.type == "cpu":  # threads of our own would be in the way of those that compute
            for some in rows:
                yield self._batch(self._read(some), some, epoch)
        else:
            for pixels, some in _ahead(rows, self._read):
                yield self._batch(pixels, some, epoch)

    def _all_rows(self, epoch: int, steps: Iterable[int]) -> Iterator[_Rows]:
        """What each of the steps of an epoch consists of."""
        count = len(self.images)
        times = np.zeros(count, np.int64)
        if self._balanced:
            rows, times = balanced_order(self.seed, epoch, self.images.labels, self._classes)
        else:
            rows = order(self.seed, epoch, count) if self.shuffle else np.arange(count)
        mixes = self.augmentation is not None and self.augmentation.mixes
        rank, processes = self.part
        for step in steps:
            places = np.arange(step * self.batch_size, min(count, (step + 1) * self.batch_size))
            own = places[rank::processes]
            own = own if len(own) else places[:1]
            every, beside = _with_partners(own, count) if mixes else (own, np.arange(len(own)))
            yield _Rows(rows[every], rows[every] + count * times[every], beside, len(own))

    def _gathered(self, pixels: Tensor, some: _Rows) -> Tensor:
        return pixels[torch.from_numpy(some.images).to(pixels.device)].to(self.device)

    def _pictures(self, some: _Rows) -> Tensor | Pictures:
        """Images of which only parts are wanted: where they lie decoded, or else read."""
        if isinstance(self._pixels, Tensor):
            every = self._pixels.numpy()
            return [every[row] for row in some.images]
        lying = self._pixels.where_they_lie(some.images) if isinstance(self._pixels, Selected) else None
        return lying if lying is not None else self._read(some)

    def _read(self, some: _Rows) -> Tensor:
        """Images that are not at hand as a tensor, read into one."""
        pixels = torch.from_numpy(np.ascontiguousarray(self._pixels[some.images]))
        if self.device.type == "cuda":
            pixels = pixels.pin_memory()
        return pixels

    def _batch(self, pixels: Tensor | Pictures, some: _Rows, epoch: int) -> tuple[Tensor, Tensor]:
        if isinstance(pixels, Tensor):
            pixels = pixels.to(self.device, non_blocking=True)
        labels = self._labels[torch.from_numpy(some.images).to(self.device)]
        varying, how = self.augmentation or Augmentation(), self._preprocessing
        if self.augmentation is None and isinstance(pixels, Tensor):
            values = scaled(pixels, self._scale, self._offset)
        else:
            varied = Varied(varying, self.seed, epoch, some.draws)
            aspects = self._aspects[some.images] if self._aspects is not None else None
            pixels = varied.shape(pixels, how.image_size, aspects, how.crop)
            values = varied.holes(varied.look(pixels, self._scale, self._offset))
            if varying.mixes:
                values, labels = self._mixed(values, labels, some, epoch)
        targets = labels.float() if labels.dim() == 2 else labels
        return values.to(self.dtype).permute(0, 3, 1, 2), targets

    def _mixed(self, values: Tensor, labels: Tensor, some: _Rows, epoch: int) -> tuple[Tensor, Tensor]:
        """The batch's own images, mixed with their partners."""
        how = self.augmentation or Augmentation()
        draws = [uniform(self.seed, epoch, some.draws[: some.own], _MIX + k) for k in range(4)]
        height, width = values.shape[1:3]
        mix = mixture(np.stack(draws, axis=1), how.mixup, how.cutmix, (height, width))
        wanted = (F.one_hot(labels, self._classes) if labels.dim() == 1 else labels).float()
        beside = torch.from_numpy(some.partners).to(values.device)
        own = slice(0, some.own)
        return mix.images(values[own], values[beside]), mix.targets(wanted[own], wanted[beside])


def _with_partners(own: NDArray[np.int64], count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places of an epoch and, behind them, those of the partners that are not among them; and for each of
    ``own``, at which place of these its partner stands."""
    partners = np.minimum(own ^ 1, count - 1)
    every = np.concatenate([own, np.setdiff1d(partners, own)])
    place = {number: at for at, number in enumerate(every.tolist())}
    return every, np.array([place[number] for number in partners.tolist()], np.int64)


def _at_hand(pixels: Pixels, device: torch.device) -> Tensor | Pixels:
    """A tensor where the images lie in memory, on the device if it has room; else what they were."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        if np.prod(pixels.shape, dtype=object) < _RESIDENT * free and _kept(pixels):
            return torch.from_numpy(np.array(pixels)).to(device)
    return torch.from_numpy(pixels) if isinstance(pixels, np.ndarray) else pixels


def _kept(pixels: Pixels) -> bool:
    """Whether the images are decoded somewhere, so that all of them can be read at once."""
    return isinstance(pixels, np.ndarray) or getattr(pixels, "kept", False)


def _ahead(rows: Iterator[_Rows], read: Callable[[_Rows], Tensor]) -> Iterator[tuple[Tensor, _Rows]]:
    """``read`` for each of the rows, by one thread, a few batches ahead of whoever takes them; in order."""
    pool = ThreadPoolExecutor(1)
    waiting: deque[tuple[Future[Tensor], _Rows]] = deque()
    try:
        for some in rows:
            waiting.append((pool.submit(read, some), some))
            if len(waiting) > _AHEAD:
                pixels, first = waiting.popleft()
                yield pixels.result(), first
        while waiting:
            pixels, first = waiting.popleft()
            yield pixels.result(), first
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
