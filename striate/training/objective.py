"""What is asked of a network, as a loss: one class an image, or any number of labels.

One class of K is asked of K outputs (cross-entropy of the softmax) or, where K is 2, of a single one, the
logit of the second class against the first (binary cross-entropy of the sigmoid, which is the softmax of
(0, logit)). Labels are asked of one output each, independently: binary cross-entropy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from striate.layers.auxiliary import Scores, logits_of, with_auxiliary

Task = Literal["classes", "labels"]


class Objective:
    """The loss of a training, and what it counts as a right answer.

    ``task``: "classes", targets int64 (N,) or probabilities (N, K) of a mixed image; or "labels", targets
    0 to 1 (N, K). ``label_smoothing`` spreads that much probability evenly: over the classes, or over yes and
    no of each label. ``weights`` (K,) balance a set: an image counts as much as its class's weight, a label
    that is there as much as its own. They are not divided by their sum, so that the loss of a batch is the
    mean of the losses of its parts, however many processes share it.
    """

    def __init__(
        self, task: Task = "classes", label_smoothing: float = 0.0, weights: Sequence[float] | None = None
    ) -> None:
        self.task, self.label_smoothing = task, label_smoothing
        self._weights = torch.tensor(weights, dtype=torch.float32) if weights is not None else None

    def loss(self, answer: Tensor | Scores, targets: Tensor) -> Tensor:
        """The mean over the batch in nats, in fp32, with the share of auxiliary heads."""
        if self._weights is not None:
            self._weights = self._weights.to(targets.device)
        one = self._of_labels if self.task == "labels" else self._of_classes
        return with_auxiliary(answer, lambda logits: one(logits.float(), targets))

    def right(self, answer: Tensor | Scores, targets: Tensor) -> Tensor:
        """How many images were answered rightly, of labels: with every label; no axes."""
        logits = logits_of(answer)
        if self.task == "labels":
            return ((logits > 0) == (targets > 0.5)).all(1).sum()
        wanted = targets.argmax(1) if targets.dim() == 2 else targets
        return (two_columns(logits).argmax(1) == wanted).sum()

    def _of_classes(self, logits: Tensor, targets: Tensor) -> Tensor:
        logits = two_columns(logits)
        smoothing = self.label_smoothing
        if self._weights is None:
            return F.cross_entropy(logits, targets, label_smoothing=smoothing)
        weights = targets.float() @ self._weights if targets.dim() == 2 else self._weights[targets]
        each = F.cross_entropy(logits, targets, label_smoothing=smoothing, reduction="none")
        return (weights * each).mean()

    def _of_labels(self, logits: Tensor, targets: Tensor) -> Tensor:
        smooth = targets * (1 - self.label_smoothing) + self.label_smoothing / 2
        return F.binary_cross_entropy_with_logits(logits, smooth, pos_weight=self._weights)


def two_columns(logits: Tensor) -> Tensor:
    """A single output z (N, 1) as the logits (0, z) of two classes (N, 2); others as they are."""
    return torch.cat([torch.zeros_like(logits), logits], dim=1) if logits.shape[1] == 1 else logits
