"""How a gradient becomes a change of the weights: SGD with Nesterov momentum, AdamW, LAMB, Muon.

Each rule is a function of parameters side by side, all with one learning rate and one decay, and changes them
and their memory in place. Decay is decoupled from the gradient everywhere (arXiv:1711.05101).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from striate.training.settings import TrainSettings

EPSILON = 1e-8
LARGEST_TRUST = 10.0  # of LAMB; the authors' own bound

# Newton-Schulz iteration towards the nearest orthogonal matrix: coefficients and number of steps of Keller
# Jordan, "Muon: an optimizer for hidden layers in neural networks", 2024, kellerjordan.github.io/posts/muon
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
NEWTON_SCHULZ_STEPS = 5
MUON_MOMENTUM = 0.95
RMS_OF_ADAM = (
    0.2  # root mean square of one of Adam's changes per learning rate, arXiv:2502.16982, section 2.2
)


@dataclass(frozen=True)
class Columns:
    """Parameters, their gradients and what is remembered of them, in the same order."""

    weights: list[Tensor]
    gradients: list[Tensor]
    memory: Mapping[str, list[Tensor]]

    def __getitem__(self, name: str) -> list[Tensor]:
        return self.memory[name]


def nesterov(at: Columns, lr: float, decay: float, settings: TrainSettings) -> None:
    """m = momentum * m + g; w -= lr * (decay * w + g + momentum * m): Nesterov's look-ahead as in torch."""
    torch._foreach_mul_(at["mean"], settings.momentum)
    torch._foreach_add_(at["mean"], at.gradients)
    torch._foreach_mul_(at.weights, 1 - lr * decay)
    torch._foreach_add_(at.weights, at.gradients, alpha=-lr)
    torch._foreach_add_(at.weights, at["mean"], alpha=-lr * settings.momentum)


def adamw(at: Columns, lr: float, decay: float, settings: TrainSettings) -> None:
    """w -= lr * (decay * w + m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps)); arXiv:1711.05101, alg. 2."""
    torch._foreach_add_(at["steps"], 1)
    fused = getattr(torch, "_fused_adamw_", None)  # private, hence the way around it
    if fused is None:
        adamw_by_the_formula(at, lr, decay, settings)
        return
    fused(
        at.weights,
        at.gradients,
        at["mean"],
        at["square"],
        [],
        at["steps"],
        lr=lr,
        beta1=settings.momentum,
        beta2=settings.beta2,
        weight_decay=decay,
        eps=EPSILON,
        amsgrad=False,
        maximize=False,
    )


def adamw_by_the_formula(at: Columns, lr: float, decay: float, settings: TrainSettings) -> None:
    """What the fused kernel computes, for a torch that no longer has it."""
    for w, change in zip(at.weights, _adams_change(at, settings), strict=True):
        w.mul_(1 - lr * decay).sub_(change, alpha=lr)


def lamb(at: Columns, lr: float, decay: float, settings: TrainSettings) -> None:
    """r = Adam's change + decay * w; w -= lr * (|w| / |r|) * r, a ratio a layer; arXiv:1904.00962, alg. 2.

    The ratio, at most 10, lets every layer change by the same share of itself, however large the batch.
    Biases and norms, whose decay is 0, change as with AdamW: a norm of few numbers would say little.
    """
    torch._foreach_add_(at["steps"], 1)
    for w, change in zip(at.weights, _adams_change(at, settings), strict=True):
        if decay == 0 and w.dim() < 2:
            w.sub_(change, alpha=lr)
            continue
        change.add_(w, alpha=decay)
        long, step = torch.linalg.vector_norm(w), torch.linalg.vector_norm(change)
        trust = torch.where((long > 0) & (step > 0), long / step, torch.ones_like(long))
        w.sub_(change.mul_(trust.clamp(max=LARGEST_TRUST)), alpha=lr)


def muon(at: Columns, lr: float, decay: float, settings: TrainSettings) -> None:
    """m = 0.95 m + 0.05 g; w -= lr * (decay * w + s * orthogonal(0.05 g + 0.95 m)), as torch.optim.Muon.

    A convolution's weight is the matrix (out_channels, all the rest). s makes the change as large as one of
    Adam's, so that both take the same learning rate (arXiv:2502.16982).
    """
    for w, g, m in zip(at.weights, at.gradients, at["mean"], strict=True):
        m.lerp_(g, 1 - MUON_MOMENTUM)
        matrix = g.lerp(m, MUON_MOMENTUM).flatten(1)
        size = RMS_OF_ADAM * max(matrix.shape) ** 0.5
        w.mul_(1 - lr * decay).sub_(orthogonal(matrix).view(w.shape), alpha=lr * size)


def orthogonal(matrix: Tensor) -> Tensor:
    """About the nearest matrix whose singular values are 1, without a decomposition; (rows, columns)."""
    a, b, c = NEWTON_SCHULZ
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (torch.linalg.matrix_norm(x) + 1e-7)
    for _ in range(NEWTON_SCHULZ_STEPS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.T if tall else x).contiguous()


def _adams_change(at: Columns, settings: TrainSettings) -> list[Tensor]:
    """Adam's change per learning rate, its memory brought up to date; ``steps`` is counted already."""
    b1, b2 = settings.momentum, settings.beta2
    changes = []
    for g, m, v, t in zip(at.gradients, at["mean"], at["square"], at["steps"], strict=True):
        m.lerp_(g, 1 - b1)
        v.mul_(b2).addcmul_(g, g, value=1 - b2)
        taken = float(t)
        root = (v / (1 - b2**taken)).sqrt_().add_(EPSILON)
        changes.append(m / (1 - b1**taken) / root)
    return changes


def memories(rule: str) -> Sequence[str]:
    """What a rule remembers of each parameter; "steps" is one number, the others have its shape."""
    return ("mean",) if rule in ("sgd", "muon") else ("mean", "square", "steps")


RULES = {"sgd": nesterov, "adamw": adamw, "lamb": lamb, "muon": muon}
