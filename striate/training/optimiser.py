"""The optimiser: which parameter is changed by which rule, at which rate, and what is remembered of it.

Not ``torch.optim``: the first construction of one of its optimisers imports torch's compiler, which took
1.2 s of a training that can be over in eight. The formulas (``update_rules``) are a few lines each; tests
hold them equal to ``torch.optim``'s.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from striate.errors import CheckpointError
from striate.training.settings import TrainSettings
from striate.training.update_rules import RULES, Columns, memories


class Optimiser:
    """Changes the trainable parameters of a module in place, once per ``step``.

    Weight decay spares every parameter with fewer than two axes: biases, and the scale and shift of a
    normalisation, which must not be pulled to zero. ``muon`` is for hidden layers: what has fewer than two
    axes, and the first and the last layer, are changed by AdamW.
    """

    def __init__(
        self, module: nn.Module, settings: TrainSettings, lr_shares: Mapping[str, float] | None = None
    ) -> None:
        """``lr_shares``: by parameter, its learning rate as a share of that of ``step``; 1 if not named."""
        self._settings = settings
        shares = lr_shares or {}
        self._slots = [
            _Slot(name, parameter, rule, shares.get(name, 1.0))
            for name, parameter, rule in _ruled(module, settings.optimiser)
        ]

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """One change at learning rate ``lr``. Parameters without a gradient stay as they are."""
        groups: dict[tuple[str, bool, float], list[_Slot]] = {}
        for slot in self._slots:
            if slot.parameter.grad is not None:
                groups.setdefault((slot.rule, slot.decays, slot.lr_share), []).append(slot)
        for (rule, decays, share), slots in groups.items():
            decay = self._settings.weight_decay if decays else 0.0
            RULES[rule](_columns(slots), lr * share, decay, self._settings)

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

    def __init__(self, name: str, parameter: nn.Parameter, rule: str, lr_share: float) -> None:
        self.name = name
        self.parameter = parameter
        self.rule = rule
        self.lr_share = lr_share
        self.decays = parameter.dim() >= 2
        self.memory = {
            key: torch.zeros((), device=parameter.device)
            if key == "steps"
            else torch.zeros_like(parameter, requires_grad=False)
            for key in memories(rule)
        }


def _ruled(module: nn.Module, rule: str) -> list[tuple[str, nn.Parameter, str]]:
    """Trainable parameters, each with its name and the rule by which it is changed."""
    learning = [(name, parameter) for name, parameter in module.named_parameters() if parameter.requires_grad]
    matrices = [name for name, parameter in learning if parameter.dim() >= 2]
    inner = set(matrices[1:-1]) if rule == "muon" else {name for name, _ in learning}
    return [(name, parameter, rule if name in inner else "adamw") for name, parameter in learning]


def _columns(slots: list[_Slot]) -> Columns:
    memory = {key: [slot.memory[key] for slot in slots] for key in slots[0].memory}
    gradients = [slot.parameter.grad for slot in slots if slot.parameter.grad is not None]
    return Columns([slot.parameter for slot in slots], gradients, memory)
