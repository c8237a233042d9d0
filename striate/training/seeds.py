"""Where randomness comes from: every draw is a function of the run's seed and of what it is for.

Nothing here remembers how many numbers were drawn before, so that a run resumed at any step draws what the
uninterrupted run would have drawn, and no state of a generator has to be stored.
"""

from __future__ import annotations

import hashlib

import torch


def derive(seed: int, *purpose: str | int) -> int:
    """A number in 0..2^63-1 that depends on ``seed``, on every part of ``purpose``, and on nothing else."""
    text = "/".join(str(part) for part in (seed, *purpose))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def seed_weights(seed: int) -> None:
    """Call before a network is made: its random weights follow from ``seed`` alone."""
    torch.manual_seed(derive(seed, "weights"))


def seed_step(seed: int, step: int) -> None:
    """Call before step ``step``: what dropout draws in it follows from the seed and the step alone.

    ``torch.manual_seed`` would do the same and visit every kind of device, 70 times as long.
    """
    number = derive(seed, "step", step)
    torch.default_generator.manual_seed(number)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.manual_seed(number)
