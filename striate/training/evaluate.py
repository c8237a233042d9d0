"""Exact evaluation: every image once, in order, in fp32, without augmentation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from striate.errors import DataError
from striate.training.device import Placement


@dataclass(frozen=True)
class Evaluation:
    """What a network answers for a set of images, image by image, in the order of the set."""

    logits: np.ndarray
    """float32 (images, classes)."""
    labels: np.ndarray
    """int64 (images,)."""

    @property
    def images(self) -> int:
        return len(self.labels)

    @property
    def probabilities(self) -> np.ndarray:
        """float32 (images, classes); each row sums to 1."""
        exponentials = np.exp(self.logits - self.logits.max(axis=1, keepdims=True))
        return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))

    @property
    def loss(self) -> float:
        """Mean cross-entropy in nats, without label smoothing."""
        return float(F.cross_entropy(torch.from_numpy(self.logits), torch.from_numpy(self.labels)))

    @property
    def accuracy(self) -> float:
        """Share of images whose largest logit is the true class's; of equal ones the first counts."""
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


def evaluate(module: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], placement: Placement) -> Evaluation:
    """Run ``module`` in evaluation mode over ``batches`` of (images, labels); the module is left as it was.

    Always in fp32, whatever the training's precision, so that these are the numbers that a bundle of the
    network gives. Raises DataError when there is no image.
    """
    logits, labels = [], []
    with evaluating(module):
        for x, y in batches:
            logits.append(module(placement.lay_out(x).float()).float().cpu())
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
