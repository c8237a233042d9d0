"""Kernels called on raw addresses give what their definition says, with any threads."""

from __future__ import annotations

import os

import numpy as np
import pytest

from striate.engine import openmp
from striate.engine.functions import Call, Functions
from striate.engine.kernels.channels_last import ChannelsLast
from striate.engine.layout import Layout
from striate.engine.target import host


@pytest.fixture(params=["openmp", "crew"])
def functions(request, monkeypatch):
    if request.param == "crew":
        monkeypatch.setattr(openmp, "NAMES", ("no_such_name",))
    else:
        pytest.importorskip("torch")  # brings an OpenMP library along
        assert openmp.found(host()) is not None
    return Functions(host())


def _moved(functions: Functions, threads: int) -> None:
    """Planes of 3 channels put together, 5 images, then the result's own copy of it."""
    source, target = Layout(3, 6, 7, 1), Layout(3, 6, 7, 4)
    kernel = ChannelsLast(source, target)
    x = np.random.default_rng(0).standard_normal((5, 3, 6, 7)).astype(np.float32)
    found = np.zeros(5 * target.size, np.float32)
    buffer = np.zeros(5 * source.size, np.float32)
    source.write(source.view(buffer), x)
    addresses = [buffer.ctypes.data, found.ctypes.data]
    functions.run([Call(kernel, addresses, 5 * kernel.units)], 5, threads)
    np.testing.assert_array_equal(target.read(target.view(found), 5), x)
    assert functions.missing([kernel]) == []


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_calls_are_shared_out(functions, threads):
    _moved(functions, threads)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_has_threads_of_its_own():
    functions = Functions(host())
    _moved(functions, 1)
    functions._openmp = None
    _moved(functions, 2)
    child = os.fork()
    if child == 0:
        try:
            _moved(functions, 2)
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
