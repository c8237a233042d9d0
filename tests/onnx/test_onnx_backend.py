"""The ONNX backend's own node tests: what is accepted gives their outputs (all: bench/onnx_backend.py)."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "bench"))
from onnx_backend import READERS, cases, operators, outcome

CASES = [case for case in cases() if operators(case) <= set(READERS) | {"Constant"}]


@pytest.mark.parametrize("part", range(8))
def test_what_is_accepted_is_right(part: int) -> None:
    found: Counter[str] = Counter()
    for case in CASES[part::8]:
        result, reason = outcome(case)
        found[result] += 1
        assert result != "failed", f"{case.name}: {reason}"
    assert found["passed"] > 25
