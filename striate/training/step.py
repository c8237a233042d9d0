"""One change of the weights. This is the only place where it happens, in every precision."""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import Tensor, nn

from striate.errors import TrainingError
from striate.training.device import Placement
from striate.training.evaluate import evaluating
from striate.training.objective import Objective, two_columns
from striate.training.optimiser import Optimiser
from striate.training.settings import TrainSettings


def update(
    module: nn.Module,
    optimiser: Optimiser,
    images: Tensor,
    labels: Tensor,
    lr: float,
    settings: TrainSettings,
    placement: Placement,
    objective: Objective,
    share: float = 1.0,
    parts: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Change the weights once for ``images`` (N, C, H, W) and ``labels``, which the objective understands.

    ``share`` is what these images count when several processes work on a batch, 1 for an equal part of it;
    ``parts`` in how many pieces they pass through the network (None: as many as the settings say).

    Returns, without waiting for a GPU, the objective's loss over the batch (nats) and the number of images
    that were answered rightly, both as tensors of no axes. bf16 needs no loss scaling: its exponent has the
    range of fp32's.
    """
    optimiser.forget_gradients()
    parts = parts or min(settings.accumulate, len(images))
    losses, right = [], []
    for number, (part, asked) in enumerate(
        zip(images.tensor_split(parts), labels.tensor_split(parts), strict=True), start=1
    ):
        alone = getattr(module, "no_sync", nullcontext) if number < parts else nullcontext
        with alone():  # of several processes: gradients are exchanged once, with those of the last part
            with placement.autocast():
                answer = module(placement.lay_out(part))
            loss = objective.loss(answer, asked) * (len(part) / len(images))
            (loss * share if share != 1 else loss).backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            losses.append(loss.detach())
            right.append(objective.right(answer, asked))
    if settings.grad_clip is not None:
        optimiser.clip(settings.grad_clip)
    optimiser.step(lr)
    return torch.stack(losses).sum(), torch.stack(right).sum()


def rehearse(
    forward: nn.Module,
    module: nn.Module,
    images: Tensor,
    labels: Tensor,
    placement: Placement,
    objective: Objective,
) -> None:
    """Pass images through ``forward``, which is ``module`` or runs it, and their gradients back; only the
    gradients stay."""
    before = [buffer.clone() for buffer in module.buffers()]
    with placement.autocast():
        answer = forward(placement.lay_out(images))
    objective.loss(answer, labels.to(placement.device)).backward()  # type: ignore[no-untyped-call]
    with torch.no_grad():
        for buffer, old in zip(module.buffers(), before, strict=True):
            buffer.copy_(old)


def check_fit(
    module: nn.Module, images: Tensor, labels: Tensor, placement: Placement, objective: Objective
) -> None:
    """Refuse a network that cannot answer these labels, before the first step.

    Raises TrainingError: the answer is not (N, classes), or a label is beyond the last class.
    """
    with evaluating(module):
        logits = module(placement.lay_out(images[:2]).float())
    if not isinstance(logits, Tensor) or logits.dim() != 2 or len(logits) != len(images[:2]):
        found = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise TrainingError(
            f"A network to train must answer (images, classes), this one answers {found} for "
            f"{tuple(images[:2].shape)}: give it a classifying head."
        )
    answered = (logits if objective.task == "labels" else two_columns(logits)).shape[1]
    if labels.dim() == 2 and labels.shape[1] != answered:
        raise TrainingError(
            f"The network answers {answered} {objective.task} and the data has {labels.shape[1]}: create the "
            f"network with classes={labels.shape[1]}."
        )
    largest = int(labels.max())
    if labels.dim() == 1 and largest >= answered:
        raise TrainingError(
            f"The network answers {answered} classes and the data has a label {largest} (from 0): "
            f"create the network with classes={largest + 1} or more."
        )
