"""The suite of words once more, every buffer ending at a page that may not be touched."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from striate.engine.memory import GUARD

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the walls are made with mprotect")

ONE_TOO_FAR = """
import ctypes
from striate.engine.memory import allocate
buffer = allocate(1000)
buffer[:] = 1
ctypes.memset(buffer.ctypes.data, 0, 4 * 1000 + {beyond})
"""


def _run(*arguments: str) -> int:
    environment = {**os.environ, GUARD: "1"}
    return subprocess.run([sys.executable, *arguments], env=environment, check=False).returncode


def test_a_wall_stops_the_first_byte_beyond() -> None:
    assert _run("-c", ONE_TOO_FAR.format(beyond=0)) == 0
    assert _run("-c", ONE_TOO_FAR.format(beyond=1)) < 0  # killed by a signal


@pytest.mark.long
def test_no_kernel_touches_a_wall() -> None:
    here = Path(__file__).parent
    files = [
        str(here / f"test_engine_{name}.py")
        for name in (
            "words",
            "targets",
            "program",
            "packed",
            "pooled",
            "opening",
            "strassen",
            "winograd",
            "gradients",
        )
    ]
    assert _run("-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-k", "not leak", *files) == 0
