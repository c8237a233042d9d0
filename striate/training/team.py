"""The processes of one training, as one of them sees them: who it is, and what they tell each other.

A single process is a team too, in which nothing has to be told; the loop therefore has one form. How a team
comes together stands in ``distributed``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist

LEAD = 0  # writes checkpoints, the run folder and the console


class Team:
    """One process that trains alone."""

    rank, size = 0, 1

    @property
    def leads(self) -> bool:
        """Whether this is the one process that writes and speaks."""
        return self.rank == LEAD

    def own(self, images: int) -> int:
        """How many of a batch of ``images`` are this process's: they are dealt out one by one."""
        return len(range(self.rank, images, self.size))

    def any(self, *flags: bool) -> tuple[bool, ...]:
        """Each flag: whether it is true in any process. All must ask together."""
        return flags

    def add(self, tensor: Tensor) -> None:
        """Replace ``tensor`` by its sum over the processes."""

    def follow(self, tensors: Iterable[Tensor]) -> None:
        """Replace ``tensors`` by the lead's."""

    def tell(self, work: Callable[[], Any]) -> Any:
        """What ``work`` returns in the lead, which alone does it: plain JSON values."""
        return work()

    def share(self, module: nn.Module, rehearse: Callable[[nn.Module], None]) -> nn.Module:
        """``module`` so that its gradients become the mean over the processes, its buffers the lead's.

        ``rehearse`` passes images forward and gradients back, and puts all numbers back but the gradients.
        """
        return module


class Group(Team):
    """One of several processes that torch.distributed has joined."""

    def __init__(self) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()

    def any(self, *flags: bool) -> tuple[bool, ...]:
        votes = torch.tensor(flags, dtype=torch.int32)  # on the CPU: through gloo, whatever else is there
        dist.all_reduce(votes, dist.ReduceOp.MAX)
        return tuple(bool(vote) for vote in votes)

    def add(self, tensor: Tensor) -> None:
        dist.all_reduce(tensor)

    def follow(self, tensors: Iterable[Tensor]) -> None:
        for tensor in tensors:
            plain = tensor.detach().contiguous()  # the layout of the lead's may differ
            dist.broadcast(plain, LEAD)
            if plain.data_ptr() != tensor.data_ptr():
                tensor.detach().copy_(plain)

    def tell(self, work: Callable[[], Any]) -> Any:
        text = bytearray(json.dumps(work()).encode()) if self.leads else bytearray()
        length = torch.tensor([len(text)])
        dist.broadcast(length, LEAD)
        content = (
            torch.frombuffer(text, dtype=torch.uint8)
            if self.leads
            else torch.empty(int(length), dtype=torch.uint8)
        )
        dist.broadcast(content, LEAD)
        return json.loads(content.numpy().tobytes())

    def share(self, module: nn.Module, rehearse: Callable[[nn.Module], None]) -> nn.Module:
        parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
        if not parameters:
            return module
        rehearse(module)
        unused = any(parameter.grad is None for parameter in parameters)
        shared = nn.parallel.DistributedDataParallel(module, find_unused_parameters=unused)
        rehearse(shared)  # torch adds gradients up in another order in its first step: not in one of ours
        return shared


def all_processes() -> int:
    """How many processes train together, as torchrun tells it; 1 outside of it."""
    return max(1, int(os.environ.get("WORLD_SIZE", "1"))) if "RANK" in os.environ else 1


def local_processes() -> int:
    """How many of them share this machine."""
    return max(1, int(os.environ.get("LOCAL_WORLD_SIZE", "1"))) if "RANK" in os.environ else 1
