"""What a torch module tells beyond its graph: which modules it is made of, who owns which tensor."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from striate.explanation.module_facts import ModuleFacts


def module_facts(module: nn.Module) -> ModuleFacts:
    """Leaves and parameters of ``module``, under all names that they have."""
    from striate.explanation.module_facts import ModuleFacts

    leaves = {
        path: _class(part)
        for path, part in module.named_modules(remove_duplicate=False)
        if next(part.children(), None) is None
    }
    first: dict[int, str] = {}
    sizes, owners = {}, {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        sizes[name] = parameter.numel()
        owners[name] = first.setdefault(id(parameter), name)
    trainable = frozenset(name for name, tensor in module.named_parameters() if tensor.requires_grad)
    return ModuleFacts(leaves, sizes, owners, trainable)


def _class(module: nn.Module) -> str:
    """ "Conv2d" for torch's own, "package.Class" for others."""
    kind = type(module)
    return kind.__name__ if kind.__module__.startswith("torch.nn.") else f"{kind.__module__}.{kind.__name__}"
