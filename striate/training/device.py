"""Where and in which number format to compute: decided by features of the chip, never by measuring."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from striate.errors import ArgumentError
from striate.machine import processors
from striate.training import compiler, kernels
from striate.training.settings import TrainSettings
from striate.training.team import all_processes, local_processes


@dataclass(frozen=True)
class Placement:
    """What ``auto`` became. It stands in ``settings.json`` and in every checkpoint."""

    device: str
    """``cpu`` or ``cuda``."""
    precision: str
    """``fp32``, ``tf32`` or ``bf16``: the format in which convolutions and products are computed."""
    memory_format: str
    """``channels_last`` or ``contiguous``."""
    threads: int
    """CPU threads of one operation."""
    processes: int = 1
    """How many train together."""
    deterministic: bool = False
    """Whether operations without a deterministic form are refused."""
    compiled: bool = False
    """Whether torch.compile prepares the network."""
    own_convolutions: bool = False
    """Whether convolutions are computed by compiled kernels of ours where these pay."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def move(self, module: nn.Module) -> nn.Module:
        """``module`` with its weights on the device and in the layout; the module itself is changed."""
        module.to(self.device)
        if self.memory_format == "channels_last" and _has_maps(module):
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return module

    def lay_out(self, images: Tensor) -> Tensor:
        """``images`` on the device and in the layout; (N, C, H, W) stays (N, C, H, W).

        With one channel torch cannot tell the two layouts apart and falls back to the slow one, in which
        bf16 activations cost eight times as much; strides that name the channel as the last axis tell it.
        """
        images = images.to(self.device, non_blocking=True)
        if self.precision != "bf16":
            images = images.float()
        if self.memory_format != "channels_last" or images.dim() != 4:
            return images
        if images.shape[1] == 1:
            return images.contiguous().squeeze(1).unsqueeze(-1).permute(0, 3, 1, 2)
        return images.contiguous(memory_format=torch.channels_last)

    def autocast(self) -> AbstractContextManager[Any]:
        """Inside it convolutions and products are computed in ``precision``; weights stay fp32."""
        return torch.autocast(self.device, dtype=torch.bfloat16, enabled=self.precision == "bf16")


def device_of(settings: TrainSettings) -> str:
    """What ``auto`` is here, or the device asked for. Raises ArgumentError for one that is not there."""
    there = torch.cuda.is_available()
    if settings.device == "cuda" and not there:
        raise ArgumentError("device must be one that is there, got 'cuda' and torch sees none: use auto.")
    return settings.device if settings.device != "auto" else "cuda" if there else "cpu"


def place(settings: TrainSettings) -> Placement:
    """Turn every ``auto`` of ``settings`` into a choice.

    Raises ArgumentError for ``device="cuda"`` without a CUDA device, and ``precision="tf32"`` without tensor
    cores that have it.
    """
    device = device_of(settings)
    precision = settings.precision
    if precision == "auto":
        precision = "bf16" if has_bf16(device) else "fp32"
    elif precision == "tf32" and not has_tf32(device):
        raise ArgumentError(
            "precision must be what the machine has, got 'tf32', which takes a GPU of compute capability 8.0 "
            "or more: leave it out."
        )
    layout = "channels_last" if settings.memory_format == "auto" else settings.memory_format
    threads = settings.threads or max(1, usable_cores() // local_processes())
    compiled = settings.compile and compiler.missing(device) is None
    own = settings.convolutions == "auto" and not compiled and has_own_convolutions(device, precision)
    processes, strict = all_processes(), settings.deterministic
    return Placement(device, precision, layout, threads, processes, strict, compiled, own)


def told(settings: TrainSettings, placement: Placement) -> list[str]:
    """Sentences about what was asked for and the machine lacks."""
    found = []
    if placement.precision == "bf16" and not has_bf16(placement.device):
        found.append(
            "This processor has no bf16 and only imitates it, more slowly than fp32: leave --precision out."
        )
    if settings.compile and not placement.compiled:
        found.append(
            f"torch.compile needs {compiler.missing(placement.device)}, which is not here: the network is "
            "trained as it is."
        )
    return found


def has_own_convolutions(device: str, precision: str) -> bool:
    """True where kernels of ours are the faster ones for what is computed."""
    return device == "cpu" and precision == "fp32" and kernels.level() is not None


def has_tf32(device: str) -> bool:
    """True where convolutions and products may be rounded to 10 bits of mantissa, and are faster for it."""
    return device == "cuda" and torch.cuda.get_device_capability() >= (8, 0)


def has_bf16(device: str) -> bool:
    """True where the chip computes in bf16 itself.

    torch also accepts bf16 on chips that only imitate it, where it is slower than fp32: hence the question
    for the instruction, AVX512_BF16 or AMX on a CPU, compute capability 8.0 on a GPU.
    """
    if device == "cuda":
        return torch.cuda.get_device_capability() >= (8, 0)
    questions = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(bool(getattr(torch.cpu, question, bool)()) for question in questions)


def usable_cores() -> int:
    """Cores that this process may use, but not more threads than torch itself would take."""
    return max(1, min(processors(), _THREADS_OF_TORCH))


def _has_maps(module: nn.Module) -> bool:
    """channels_last is a layout of four axes; a network for sequences or volumes has none such."""
    return any(parameter.dim() == 4 for parameter in module.parameters())


_THREADS_OF_TORCH = torch.get_num_threads()  # before anybody changes it
