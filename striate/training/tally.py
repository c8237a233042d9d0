"""Sums over the epoch so far, and the time they took."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import torch
from torch import Tensor

from striate.training.team import Team

T = TypeVar("T")


class Tally:
    """Loss, right answers and images of one epoch. Kept on the device: adding does not wait for a GPU."""

    def __init__(self, device: str) -> None:
        self._sums = torch.zeros(3, dtype=torch.float64, device=device)

    def add(self, loss: Tensor, right: Tensor, images: int, team: Team) -> None:
        """Take in a batch: the mean loss, the count of right answers and the size of every process's part."""
        batch = torch.zeros_like(self._sums)
        if images:
            batch[0], batch[1], batch[2] = loss * images, right, images
        team.add(batch)
        self._sums += batch

    def read(self) -> tuple[float, float]:
        """Mean loss (nats) and share of right answers; waits for the device. NaN before the first batch."""
        loss, right, images = self._sums.tolist()
        return (loss / images, right / images) if images else (math.nan, math.nan)

    def state(self) -> dict[str, Tensor]:
        return {"sums": self._sums}

    def restore(self, state: dict[str, Tensor]) -> None:
        self._sums.copy_(state["sums"])


class Stopwatch:
    """Time of an epoch in this process: in all, in steps and in waiting for data. Seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began = clock()
        self._stopped: float | None = None
        self.waited = 0.0
        self.steps = 0
        self.images = 0

    def waiting_for(self, batches: Iterable[T]) -> Iterator[T]:
        """``batches``, with the time that each took to come added to ``waited``."""
        iterator = iter(batches)
        while True:
            asked = self._clock()
            try:
                batch = next(iterator)
            except StopIteration:
                return
            finally:
                self.waited += self._clock() - asked
            yield batch

    def count(self, images: int) -> None:
        self.steps += 1
        self.images += images

    def stop(self) -> None:
        """From now on ``seconds`` stands still."""
        self._stopped = self._clock()

    @property
    def seconds(self) -> float:
        return (self._clock() if self._stopped is None else self._stopped) - self._began

    def images_per_second(self) -> float:
        return self.images / max(self.seconds, 1e-9)

    def seconds_per_step(self) -> float:
        return self.seconds / max(self.steps, 1)

    def wait_share(self) -> float:
        return min(1.0, self.waited / max(self.seconds, 1e-9))
