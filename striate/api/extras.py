"""Which parts of striate are installed: a sentence instead of ModuleNotFoundError."""

from __future__ import annotations

from importlib.util import find_spec

from striate.errors import MissingExtraError


def require_train(what: str) -> None:
    """Raise MissingExtraError when ``what`` needs torch and it is not installed."""
    if find_spec("torch") is None:
        raise MissingExtraError(what, "torch", "train")
