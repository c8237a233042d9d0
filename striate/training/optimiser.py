"""How a gradient becomes a change of the weights: AdamW, and SGD with Nesterov momentum.

Not ``torch.optim``: the first construction of one of its optimisers imports torch's compiler, which took
1.2 s of a training that can be over in eight. The formulas are a few lines; a test holds them equal to
``torch.optim``'s.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from striate.errors import CheckpointError
from striate.training.settings import TrainSettings

_EPSILON = 1e-8


class Optimiser:
    """Changes the trainable parameters of a module in place, once per ``step``.

    Weight decay is decoupled from the gradient (arXiv:1711.05101) and spares every parameter with fewer
    than two axes: biases, and the scale and shift of a normalisation, which must not be pulled to zero.
    """

    def __init__(self, module: nn.Module, settings: TrainSettings) -> None:
        self._settings = settings
        self._slots = [
            _Slot(name, parameter, settings)
            for name, parameter in module.named_parameters()
            if parameter.requires_grad
        ]

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """One change at learning rate ``lr``. Parameters without a gradient stay as they are."""
        for decays in (True, False):
            slots = [s for s in self._slots if s.decays is decays and s.parameter.grad is not None]
            if slots:
                decay = self._settings.weight_decay if decays else 0.0
                change = _adamw if self._settings.optimiser == "adamw" else _nesterov
                change(slots, lr, decay, self._settings)

    def forget_gradients(self) -> None:
        for slot in self._slots:
            slot.parameter.grad = None

    def clip(self, norm: float) -> None:
        """Scale all gradients together so that their Euclidean norm is at most ``norm``."""
        nn.utils.clip_grad_norm_((slot.parameter for slot in self._slots), norm)

    def state(self) -> dict[str, Tensor]:
        """What must be stored to continue: running means by parameter, and the number of steps."""
        return {f"{s.name}/{key}": tensor for s in self._slots for key, tensor in s.memory.items()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Continue from ``state``. Raises CheckpointError when it belongs to another network."""
        mine = self.state()
        if mine.keys() != state.keys():
            odd = min(mine.keys() ^ state.keys())
            raise CheckpointError(f"The checkpoint holds the optimiser of another network (see {odd}).")
        for key, tensor in mine.items():
            tensor.copy_(state[key])


class _Slot:
    """One parameter with what the optimiser remembers about it. The memory has the parameter's layout."""

    def __init__(self, name: str, parameter: nn.Parameter, settings: TrainSettings) -> None:
        self.name = name
        self.parameter = parameter
        self.decays = parameter.dim() >= 2
        self.memory = {"mean": torch.zeros_like(parameter, requires_grad=False)}
        if settings.optimiser == "adamw":
            self.memory["square"] = torch.zeros_like(parameter, requires_grad=False)
            self.memory["steps"] = torch.zeros((), device=parameter.device)


def _adamw(slots: list[_Slot], lr: float, decay: float, settings: TrainSettings) -> None:
    """w -= lr * (decay * w + m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps)); arXiv:1711.05101, alg. 2."""
    weights, gradients, means, squares, steps = _columns(slots, "mean", "square", "steps")
    torch._foreach_add_(steps, 1)
    fused = getattr(torch, "_fused_adamw_", None)  # private, hence the way around it
    if fused is None:
        adamw_by_the_formula(weights, gradients, means, squares, steps, lr, decay, settings)
        return
    fused(
        weights,
        gradients,
        means,
        squares,
        [],
        steps,
        lr=lr,
        beta1=settings.momentum,
        beta2=settings.beta2,
        weight_decay=decay,
        eps=_EPSILON,
        amsgrad=False,
        maximize=False,
    )


def adamw_by_the_formula(
    weights: list[Tensor],
    gradients: list[Tensor],
    means: list[Tensor],
    squares: list[Tensor],
    steps: list[Tensor],
    lr: float,
    decay: float,
    settings: TrainSettings,
) -> None:
    """What the fused kernel computes, for a torch that no longer has it."""
    b1, b2 = settings.momentum, settings.beta2
    for w, g, m, v, t in zip(weights, gradients, means, squares, steps, strict=True):
        m.lerp_(g, 1 - b1)
        v.mul_(b2).addcmul_(g, g, value=1 - b2)
        taken = float(t)
        root = (v / (1 - b2**taken)).sqrt_().add_(_EPSILON)
        w.mul_(1 - lr * decay).addcdiv_(m, root, value=-lr / (1 - b1**taken))


def _nesterov(slots: list[_Slot], lr: float, decay: float, settings: TrainSettings) -> None:
    """m = momentum * m + g; w -= lr * (decay * w + g + momentum * m): Nesterov's look-ahead as in torch."""
    weights, gradients, means = _columns(slots, "mean")
    torch._foreach_mul_(means, settings.momentum)
    torch._foreach_add_(means, gradients)
    torch._foreach_mul_(weights, 1 - lr * decay)
    torch._foreach_add_(weights, gradients, alpha=-lr)
    torch._foreach_add_(weights, means, alpha=-lr * settings.momentum)


def _columns(slots: Iterable[_Slot], *memory: str) -> list[list[Tensor]]:
    """Slots as lists side by side: parameters, gradients, and each kind of memory."""
    rows = [(s.parameter, s.parameter.grad, *(s.memory[key] for key in memory)) for s in slots]
    return [[tensor for tensor in column if tensor is not None] for column in zip(*rows, strict=True)]
