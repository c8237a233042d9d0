"""Exact evaluation: every image once, in order, in fp32, without augmentation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from striate.errors import DataError
from striate.training.device import Placement
from striate.training.objective import Objective, two_columns


@dataclass(frozen=True)
class Evaluation:
    """What a network answers for a set of images, image by image, in the order of the set."""

    logits: np.ndarray
    """float32 (images, classes)."""
    labels: np.ndarray
    """int64 (images,), or 0 and 1 (images, labels) where an image may have several."""

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


def evaluate(module: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], placement: Placement) -> Evaluation:
    """Run ``module`` in evaluation mode over ``batches`` of (images, labels); the module is left as it was.

    Always in fp32, whatever the training's precision, so that these are the numbers that a bundle of the
    network gives. Raises DataError when there is no image.
    """
    logits, labels = [], []
    with evaluating(module):
        for x, y in batches:
            answer = module(placement.lay_out(x).float()).float().cpu()
            logits.append(answer if y.dim() == 2 else two_columns(answer))
            labels.append(y.cpu())
    if not labels:
        raise DataError("There are no images to evaluate: give a split with at least one image.")
    return Evaluation(torch.cat(logits).numpy(), torch.cat(labels).numpy())


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
