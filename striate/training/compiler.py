"""torch.compile for the training step: what it needs, and what is done where that is missing.

The network's modules, and with them the names and weights in checkpoints, stay as they are: what is compiled
is another way to run them. Evaluation, which happens once an epoch, runs the network itself.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import torch
from torch import nn

from striate.training.settings import TrainSettings


def missing(device: str) -> str | None:
    """What torch.compile would need for ``device`` ("cpu", "cuda") and does not find here; None: nothing."""
    if device == "cuda":
        return "Triton" if find_spec("triton") is None else None
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        get_cpp_compiler()
    except (InvalidCxxCompiler, RuntimeError, OSError):
        return "a C++ compiler (g++ or clang++)"
    return None


def compiled(module: nn.Module, device: str, settings: TrainSettings) -> nn.Module:
    """``module`` as torch.compile runs it, for batches of one size.

    On a GPU whole steps are recorded and replayed (CUDA graphs), unless gradients are gathered over several
    parts: those of a part would lie where the next part's are written.
    """
    replayed = device == "cuda" and settings.accumulate == 1
    prepared: Any = torch.compile(module, dynamic=False, mode="reduce-overhead" if replayed else None)
    return prepared  # type: ignore[no-any-return]


def compiled_if_it_can_be(
    module: nn.Module,
    device: str,
    settings: TrainSettings,
    rehearse: Callable[[nn.Module], None],
    warn: Callable[[str], None],
) -> nn.Module:
    """``compiled``, once ``rehearse`` has run it; where that fails, ``module`` itself and a sentence."""
    prepared = compiled(module, device, settings)
    try:
        rehearse(prepared)
    except Exception as error:  # a compiler may fail in any way, and the network itself still runs
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        warn(f"torch.compile cannot compile this network ({reason:.200}): it is trained without.")
        torch._dynamo.reset()
        return module
    return prepared
