"""striate: one convolutional network through its whole life: defined, derived, checked, trained, run.

The names below are the public surface. They are found on first use (PEP 562), so that ``import striate``
costs nothing and a bundle runs where torch is not installed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

PUBLIC = {
    "Graph": "striate.graph",
    "MinPool2d": "striate.layers",
    "Run": "striate.api",
    "StriateError": "striate.errors",
    "check": "striate.api",
    "compile": "striate.api",
    "create": "striate.api",
    "evaluate": "striate.api",
    "explain": "striate.api",
    "list_models": "striate.api",
    "load": "striate.api",
    "predict": "striate.api",
    "resume": "striate.api",
    "train": "striate.api",
}
ROOMS = ("layers", "ops")  # striate.layers.*, striate.ops.*

if TYPE_CHECKING:
    from striate import layers, ops
    from striate.api import (
        Run,
        check,
        compile,
        create,
        evaluate,
        explain,
        list_models,
        load,
        predict,
        resume,
        train,
    )
    from striate.errors import StriateError
    from striate.graph import Graph
    from striate.layers import MinPool2d

__all__ = [
    "Graph",
    "MinPool2d",
    "Run",
    "StriateError",
    "check",
    "compile",
    "create",
    "evaluate",
    "explain",
    "layers",
    "list_models",
    "load",
    "ops",
    "predict",
    "resume",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in ROOMS:
        return import_module(f"striate.{name}")
    if name in PUBLIC:
        return getattr(import_module(PUBLIC[name]), name)
    raise AttributeError(f"module 'striate' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
