"""The machine: what it is, for the record, and two settings of the process that make training faster."""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from striate.machine import describe as describe_machine
from striate.training.device import Placement, usable_cores

# glibc's mallopt: <malloc.h>
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3


def describe() -> dict[str, Any]:
    """System, processor, cores, memory (GiB), versions and GPU, as JSON values."""
    return describe_machine() | {
        "cores": usable_cores(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "torch": torch.__version__,
    }


@contextmanager
def prepared(placement: Placement) -> Iterator[None]:
    """Inside, the process computes as suits a training on ``placement``; afterwards as it did before.

    Threads and denormals are set back, because other code of the process may need its tiny numbers; the
    allocator keeps its thresholds, which cost nothing.
    """
    threads = torch.get_num_threads()
    products, convolutions = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.set_num_threads(placement.threads)
    torch.set_flush_denormal(True)  # numbers below 1e-38 cost a hundred cycles each and mean nothing here
    if placement.device == "cpu":
        keep_freed_memory()
    else:
        torch.backends.cudnn.benchmark = False  # nothing measured decides anything
        torch.backends.cudnn.deterministic = True
        torch.backends.cuda.matmul.allow_tf32 = placement.precision == "tf32"
        torch.backends.cudnn.allow_tf32 = placement.precision == "tf32"  # torch's default is True: not fp32
    strict = torch.are_deterministic_algorithms_enabled()
    if placement.deterministic:  # not else: the call imports torch's compiler
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what cuBLAS asks for
        torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        if placement.deterministic:
            torch.use_deterministic_algorithms(strict)
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = products, convolutions
        torch.set_flush_denormal(False)
        torch.set_num_threads(threads)


def keep_freed_memory() -> bool:
    """Tell glibc to keep freed blocks instead of returning each to the kernel and asking again.

    Activations of the same sizes come and go every step; zeroing fresh pages for them costs 4-14% of a
    step on small images. Returns False, with nothing changed, where there is no glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    wanted = {_M_MMAP_THRESHOLD: 1 << 30, _M_TRIM_THRESHOLD: (1 << 31) - 1, _M_TOP_PAD: 64 << 20}
    answers = [mallopt(parameter, value) for parameter, value in wanted.items()]
    return all(answer == 1 for answer in answers)
