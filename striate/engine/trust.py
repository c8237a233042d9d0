"""Before a machine's first answer, the kernels are compared with their definition on a small network.

A compiler or a processor may have a fault that no test of ours has met. If the fast kernels disagree, plain
ones are used; if these do too, NumPy. Either way a warning says so. A check that was passed is remembered
beside the object code, until the source, the processor or LLVM changes. The network is in ``trial``.
"""

from __future__ import annotations

import warnings
from functools import cache
from importlib import import_module

from striate.engine import cache as disk
from striate.engine.target import Target

ALLOWED = 1e-4  # relative: a wrong lane or tile gives more than a tenth
PASSED = b"passed"


@cache
def trusted(target: Target) -> str:
    """ "all" kernels, "plain" ones (no Winograd, no Strassen), or "none"."""
    for level, exact in (("all", False), ("plain", True)):
        if _passes(level, target, f"({level})", "slower ones are used", exact=exact):
            return level
    return "none"


@cache
def trusted_precision(target: Target, precision: str) -> bool:
    """Whether kernels that read weights of that precision may be used; float32 is ``trusted``'s matter."""
    if precision == "fp32":
        return True
    which, instead = f"that read {precision} weights", "weights stay float32"
    return _passes(precision, target, which, instead, precision=precision)


def _passes(
    level: str, target: Target, which: str, instead: str, *, exact: bool = False, precision: str = "fp32"
) -> bool:
    """Whether the kernels of a level agree with their definition, now or when this was last looked at."""
    if _passed(level, target):
        return True
    trial = import_module("striate.engine.trial")  # all kernels: not needed where the check is remembered
    if precision == "fp32":
        error = trial.disagreement(trial.compiled(target, exact, precision))
    else:
        error = trial.of_precision(target, precision)
    if error < ALLOWED:
        disk.write(_name(level, target), PASSED)
        return True
    warnings.warn(
        f"compiled kernels {which} disagree with their definition on this machine ({target.name}, "
        f"{target.cpu}): {instead}. Please report it.",
        RuntimeWarning,
        stacklevel=3,
    )
    return False


def remembered(target: Target, precision: str = "fp32") -> bool:
    """Whether all kernels have passed, without checking them now."""
    return _passed("all", target) and (precision == "fp32" or _passed(precision, target))


def _passed(level: str, target: Target) -> bool:
    return disk.read(_name(level, target)) == PASSED


def _name(level: str, target: Target) -> str:
    return disk.key(f"check {level}", target)
