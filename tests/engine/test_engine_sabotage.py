"""Kernels that are really miscompiled, in a process of their own: noticed before the first answer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from striate.engine import cache

SABOTAGE = """
import sys, warnings
import numpy as np
sys.path.insert(0, sys.argv[1])
from engine_world import chain, random_weights
from striate import ops
from striate.bundle import Bundle
from striate.engine import Network, build, emit
from striate.reference import run

build.MUCH = 10**6  # no helper process, which nobody has sabotaged
right, met = emit.Emitter.multiply_add, []

def wrong(self, a, b, c):
    if sys.argv[2] not in self.function_.name:
        return right(self, a, b, c)
    met.append(1)
    return self.fsub(c, self.fmul(a, b))

emit.Emitter.multiply_add = wrong
graph = chain(ops.Conv2d(16, 16, 3, padding=1), ops.ReLU(), shape=(16, 12, 12))
weights = random_weights(graph)
x = np.random.default_rng(0).standard_normal((2, 16, 12, 12)).astype(np.float32)
with warnings.catch_warnings(record=True) as heard:
    warnings.simplefilter("always")
    network = Network(Bundle(graph, weights, (), {}, {}), threads=1)
    np.testing.assert_allclose(network(x), run(graph, weights, x), atol=1e-4)
assert met
for warning in heard:
    print(warning.message)
print(network.plan())
"""


def sabotaged(family: str, folder: Path) -> str:
    words = [sys.executable, "-c", SABOTAGE, str(Path(__file__).parent), family]
    environment = {**os.environ, cache.FOLDER: str(folder)}
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("family", ["winograd", "strassen"])
def test_a_miscompiled_family_is_not_used(family: str, tmp_path: Path) -> None:
    said = sabotaged(family, tmp_path)
    assert "compiled kernels (all) disagree with their definition on this machine" in said
    assert "compiled kernels (plain)" not in said and "NumPy" not in said
    assert "direct" in said and "winograd" not in said.split("\n", 1)[1]


@pytest.mark.long
def test_where_every_kernel_is_miscompiled_numpy_answers(tmp_path: Path) -> None:
    said = sabotaged("", tmp_path)
    assert "compiled kernels (all) disagree" in said and "compiled kernels (plain) disagree" in said
    assert "every layer runs in NumPy: compiled kernels disagree" in said
