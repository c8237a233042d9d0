"""What all tests share: a cache of their own, so that none reads or fills that of the user.

The suite's workers have one between them, so that each kernel is compiled once.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import pytest


def pytest_configure() -> None:
    """Torch and thousands of tests are a million objects: Python looks seldom for cycles among them."""
    gc.set_threshold(50_000, 20, 50)


def pytest_collection_finish() -> None:
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        base = tmp_path_factory.getbasetemp()
        shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
        patch.setenv("STRIATE_CACHE", str(shared / "cache"))
        yield
