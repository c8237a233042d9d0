"""Exact evaluation: every image once, in order, in fp32, without augmentation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from striate.errors import DataError
from striate.training.device import Placement
from striate.training.objective import Objective, two_columns
from striate.training.team import Team


class Batches(Protocol):
    """A split of the images, batch by batch: see ``loop.Batches``."""

    def __len__(self) -> int: ...

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[tuple[Tensor, Tensor]]: ...


@dataclass(frozen=True)
class Evaluation:
    """What a network answers for a set of images, image by image, in the order of the set."""

    logits: np.ndarray
    """float32 (images, classes)."""
    labels: np.ndarray
    """int64 (images,), or 0 and 1 (images, labels) where an image may have several."""
    one_pass: np.ndarray | None = None
    """Where ``logits`` are the mean over each image and its mirror image: those of the image alone."""

    @property
    def images(self) -> int:
        return len(self.labels)

    @property
    def multi_label(self) -> bool:
        """Whether an image may have several labels."""
        return self.labels.ndim == 2

    @property
    def probabilities(self) -> np.ndarray:
        """float32 (images, classes); each row sums to 1. Of labels, each on its own."""
        if self.multi_label:
            return torch.from_numpy(self.logits).sigmoid().numpy()
        exponentials = np.exp(self.logits - self.logits.max(axis=1, keepdims=True))
        return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))

    def of_one_pass(self) -> Evaluation | None:
        """The answers to the images alone, where ``logits`` are means over two passes; else None."""
        return Evaluation(self.one_pass, self.labels) if self.one_pass is not None else None

    def tempered(self, temperature: float) -> Evaluation:
        """The same answers with logits divided by ``temperature``."""
        return replace(self, logits=self.logits / np.float32(temperature))

    @property
    def loss(self) -> float:
        """Mean cross-entropy in nats, without label smoothing; of labels the binary one."""
        return float(Objective("labels" if self.multi_label else "classes").loss(*self._tensors()))

    @property
    def accuracy(self) -> float:
        """Share of images whose largest logit is the true class's; of equal ones the first counts.

        Of labels: the share of images of which every label is answered rightly, at a probability of a half.
        """
        if self.multi_label:
            return float(((self.logits > 0) == (self.labels > 0)).all(axis=1).mean())
        return float((self.logits.argmax(axis=1) == self.labels).mean())

    @property
    def top5(self) -> float:
        """Share of images whose true class is among the five largest logits (all of them, if fewer).

        Ties go against the network: a class counts as ahead when its logit is equal and its number lower.
        """
        own = np.take_along_axis(self.logits, self.labels[:, None], axis=1)
        lower = np.arange(self.logits.shape[1]) < self.labels[:, None]
        ahead = (self.logits > own) | ((self.logits == own) & lower)
        return float((ahead.sum(axis=1) < 5).mean())

    def _tensors(self) -> tuple[Tensor, Tensor]:
        labels = torch.from_numpy(self.labels)
        return torch.from_numpy(self.logits), labels.float() if self.multi_label else labels


def evaluate(
    module: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    placement: Placement,
    *,
    mirror: bool = False,
) -> Evaluation:
    """Run ``module`` in evaluation mode over ``batches`` of (images, labels); the module is left as it was.

    Always in fp32, whatever the training's precision, so that these are the numbers that a bundle of the
    network gives. With ``mirror`` each answer is the mean of the logits of the image and of its mirror
    image. Raises DataError when there is no image.
    """
    with evaluating(module):
        answers = [_answer(module, x, y, placement, mirror) for x, y in batches]
    if not answers:
        raise DataError("There are no images to evaluate: give a split with at least one image.")
    logits, labels = (torch.cat(parts).numpy() for parts in zip(*answers, strict=True))
    return _evaluation(logits, labels, mirror)


def evaluate_together(
    module: nn.Module,
    batches: Batches,
    placement: Placement,
    team: Team,
    between: Callable[[int], None] = lambda step: None,
    *,
    around_first: AbstractContextManager[object] | None = None,
    mirror: bool = False,
) -> Evaluation:
    """``evaluate`` over epoch 0 of ``batches`` by all processes of ``team``; each gets the whole answer.

    Whole batches are dealt out, so that each is computed as a single process computes it, and every image
    counts once. ``between`` hears, in every process alike, how many batches have been dealt out; the
    lead computes its first batch inside of ``around_first``.
    """
    answers: dict[int, tuple[Tensor, Tensor]] = {}
    with evaluating(module):
        for first in range(0, len(batches), team.size):
            between(first)
            step = first + team.rank
            if step < len(batches):
                images, labels = next(batches.epoch(0, step))
                with around_first if around_first is not None and step == 0 else nullcontext():
                    answers[step] = _answer(module, images, labels, placement, mirror)
    return _evaluation(*_put_together(answers, len(batches), team), mirror)


def _answer(
    module: nn.Module, images: Tensor, labels: Tensor, placement: Placement, mirror: bool
) -> tuple[Tensor, Tensor]:
    """Logits and labels; with ``mirror`` the means over two passes, and beside them the first pass."""

    def logits(given: Tensor) -> Tensor:
        answer = module(placement.lay_out(given).float()).float().cpu()
        return answer if labels.dim() == 2 else two_columns(answer)

    found = logits(images)
    if mirror:
        found = torch.cat([(found + logits(images.flip(3))) / 2, found], dim=1)
    return found, labels.cpu()


def _evaluation(logits: np.ndarray, labels: np.ndarray, mirror: bool) -> Evaluation:
    if not mirror:
        return Evaluation(logits, labels)
    means, first = np.split(logits, 2, axis=1)
    return Evaluation(means, labels, first)


def _put_together(
    answers: dict[int, tuple[Tensor, Tensor]], batches: int, team: Team
) -> tuple[np.ndarray, np.ndarray]:
    """All processes' answers in the order of the batches: each adds its own to the others' zeros."""
    sizes = torch.zeros(batches + 2, dtype=torch.int64)
    for step, (_, labels) in answers.items():
        sizes[step] = len(labels)
    if team.leads:  # it has the first batch
        logits, labels = answers[0]
        sizes[-2], sizes[-1] = logits.shape[1], labels.shape[1] if labels.dim() == 2 else 0
    team.add(sizes)
    *counts, classes, width = sizes.tolist()
    every = torch.zeros(sum(counts), classes)
    wanted = torch.zeros(sum(counts), width) if width else torch.zeros(sum(counts), dtype=torch.int64)
    for step, (logits, labels) in answers.items():
        rows = slice(sum(counts[:step]), sum(counts[: step + 1]))
        every[rows], wanted[rows] = logits, labels.to(wanted.dtype)
    team.add(every)
    team.add(wanted)
    return every.numpy(), wanted.numpy()


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients; every part returns to the mode it was in."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        for part, was_training in modes:
            part.training = was_training
