"""Auxiliary classifiers: what a network with side branches answers while it learns, and what is made of it.

The protocol between models and training: in evaluation mode every network answers its class scores, a tensor
(N, classes); in training mode it answers either that, or ``Scores``. Whoever wants the scores in both cases
calls ``logits_of``, and whoever wants a loss ``cross_entropy``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor
from torch.nn import functional as F


class Scores(NamedTuple):
    """The answer, in training mode, of a network that also classifies from the middle.

    Szegedy et al. 2014 (GoogLeNet, arXiv 1409.4842, section 5) add the losses of such heads to bring
    gradient to early layers, and drop the heads afterwards. A named tuple, so that
    torch's DistributedDataParallel sees the tensors in it.
    """

    logits: Tensor
    """(N, classes), of the network's end."""
    auxiliary: tuple[Tensor, ...]
    """(N, classes) of each head, the one nearest to the image first."""
    weight: float
    """What each head's loss is multiplied by before it is added."""


def logits_of(answer: Tensor | Scores) -> Tensor:
    """The scores (N, classes) of the network's end."""
    return answer.logits if isinstance(answer, Scores) else answer


def with_auxiliary(answer: Tensor | Scores, loss: Callable[[Tensor], Tensor]) -> Tensor:
    """``loss`` of the end's scores, plus the weighted one of each head."""
    whole = loss(logits_of(answer))
    if isinstance(answer, Scores):
        for head in answer.auxiliary:
            whole = whole + answer.weight * loss(head)
    return whole


def cross_entropy(answer: Tensor | Scores, labels: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Mean cross-entropy in nats over ``labels`` (N,), in fp32, plus the weighted one of each head."""
    return with_auxiliary(
        answer, lambda logits: F.cross_entropy(logits.float(), labels, label_smoothing=label_smoothing)
    )
