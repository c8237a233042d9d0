"""Networks rewritten: another activation in the hidden layers. Weights and their names stay as they are."""

from __future__ import annotations

from torch import nn

from striate.errors import ArgumentError, nearest
from striate.layers.scaled_tanh import ScaledTanh

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "relu6": nn.ReLU6,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "hardswish": nn.Hardswish,
    "tanh": nn.Tanh,
}
"""By torch's names of functions; at its usual slopes, LeakyReLU's 0.01 for one."""

# What a hidden layer squashes its values with. A sigmoid is not among them: in these networks it is a gate.
HIDDEN = (*ACTIVATIONS.values(), ScaledTanh)


def known_activation(name: object) -> str:
    """``name``, if there is such an activation. Raises ArgumentError."""
    if not isinstance(name, str) or name not in ACTIVATIONS:
        names = list(ACTIVATIONS)
        hint = nearest(str(name), names) or "give one of them."
        raise ArgumentError(f"activation must be one of {', '.join(names)}, got {name!r}: {hint}")
    return name


def replace_activations(module: nn.Module, name: str) -> int:
    """Put the activation ``name`` in the place of every one of the hidden layers; returns how many there are.

    The module is changed, its weights are not. Gates (sigmoid, hard sigmoid) keep theirs. Raises
    ArgumentError for an unknown name, and where there is none to replace.
    """
    wanted = ACTIVATIONS[known_activation(name)]
    found = [path for path, part in module.named_modules(remove_duplicate=False) if isinstance(part, HIDDEN)]
    if not found:
        raise ArgumentError(
            f"activation must be left out for a network without one in its hidden layers, got {name!r}: "
            "choose another network, see striate models."
        )
    for path in found:
        module.set_submodule(path, wanted())
    return len(found)
