"""The machine that code is made for: how wide its vectors are and how many it can hold.

Every kernel is written once, over ``lanes`` and ``registers``; nothing else in this room knows an instruction
set. The host's own features decide; ``STRIATE_TARGET`` (avx512, avx2, sse) asks for fewer, never for more.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import cache

import llvmlite.binding as llvm

from striate.errors import UnsupportedError

CHOICE = "STRIATE_TARGET"
# of processors with one multiply-add of 512 bits in a cycle of the clock, and two of 256: LLVM's names
HALVING = ("znver4", "icelake-client", "tigerlake", "rocketlake")


@dataclass(frozen=True)
class Target:
    """``lanes``: float32 in a vector. ``registers``: vectors at hand. ``fma``: x * y + z in one rounding.

    ``dots``: x0 * y0 + x1 * y1 + z for pairs of bf16 in one instruction, AVX512_BF16's.
    """

    name: str
    triple: str
    cpu: str
    features: str
    lanes: int
    registers: int
    fma: bool
    dots: bool = False

    @property
    def addresses(self) -> int:
        """Addresses that a loop may keep at hand: half of the processor's integer registers."""
        return 6 if self.triple.startswith("x86_64") else 12

    @property
    def halving(self) -> bool:
        """Whether the processor takes vectors of 512 bits in halves, so that shorter ones are as fast."""
        return self.name == "avx512" and self.cpu in HALVING


# the portable levels; the host replaces cpu and features of its own level by what it really has
LEVELS = {
    "avx512": Target("avx512", "x86_64", "x86-64-v4", "-prefer-256-bit", 16, 32, True),
    "avx2": Target("avx2", "x86_64", "x86-64-v3", "", 8, 16, True),
    "sse": Target("sse", "x86_64", "x86-64", "", 4, 16, False),
    "neon": Target("neon", "aarch64", "generic", "+neon", 4, 32, True),
}
_NEEDS = {
    "avx512": ("avx512f", "avx512vl", "avx512dq", "avx512bw"),
    "avx2": ("avx2", "fma"),
    "sse": ("sse2",),
}
_DOTS = {"avx512": "avx512bf16"}  # the feature that a level must have for it


@cache
def _features() -> dict[str, bool]:
    return dict(llvm.get_host_cpu_features())


def usable() -> tuple[str, ...]:
    """The levels that this machine can execute, the best first."""
    triple = llvm.get_process_triple()
    if triple.startswith(("aarch64", "arm64")):
        return ("neon",)
    if triple.startswith("x86_64"):
        return tuple(name for name, needs in _NEEDS.items() if all(_features().get(need) for need in needs))
    return ()


def host() -> Target:
    """The best level of this machine, or the one that STRIATE_TARGET names.

    Raises UnsupportedError for a machine with no level, or for a level that it does not have.
    """
    levels = usable()
    wanted = os.environ.get(CHOICE) or (levels[0] if levels else "none")
    if wanted not in levels:
        raise UnsupportedError(
            f"{CHOICE} must be one of {', '.join(levels) or 'none (an unknown processor)'}, got {wanted!r}: "
            "unset it; networks run in NumPy where no level fits."
        )
    level = LEVELS[wanted]
    best = wanted == levels[0]
    cpu = llvm.get_host_cpu_name() if best else level.cpu
    features, dots = level.features, False
    if best:
        dots = bool(_features().get(_DOTS.get(wanted, "")))
        own = ",".join(f"{'+' if has else '-'}{name}" for name, has in sorted(_features().items()))
        features = f"{own},{level.features}".strip(",")
    triple = llvm.get_process_triple()
    return Target(level.name, triple, cpu, features, level.lanes, level.registers, level.fma, dots)


def shorter(target: Target) -> Target | None:
    """What the same processor may run instead, as fast; None: nothing."""
    return replace(LEVELS["avx2"], triple=target.triple) if target.halving else None
