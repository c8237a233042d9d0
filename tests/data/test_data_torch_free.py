"""A bundle decodes and prepares images where torch is not installed."""

from __future__ import annotations

import subprocess
import sys

FREE = "array_source arrays augment braces cache catalogue check dataset decode download draws facts"
FREE += " file_source files findings folder frame idx likeness listing memory named npz opening pack pixels"
FREE += " preprocess presets refusals remote sampling scan shards size source split store table tar"
FREE += " transfer twins"


def imports_torch(module: str) -> bool:
    code = f"import sys, {module}; sys.exit(3 if 'torch' in sys.modules else 0)"
    return {0: False, 3: True}[subprocess.run([sys.executable, "-c", code], check=False).returncode]


def test_the_files_named_torch_free_are() -> None:
    assert not imports_torch(", ".join(f"striate.data.{name}" for name in FREE.split()))


def test_the_test_above_can_fail() -> None:
    assert imports_torch("striate.data.batches")
