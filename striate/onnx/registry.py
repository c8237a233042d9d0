"""Which function reads which operator, and in which of its versions.

An operator of ONNX has a version, the opset at which it last changed. A reader names the versions that it
knows; any other is refused, never guessed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from striate.errors import ArgumentError

if TYPE_CHECKING:
    from striate.onnx.call import Call

Reader = Callable[["Call"], Any]  # gives a Value, or one for each output
R = TypeVar("R", bound=Reader)

READERS: dict[str, Reader] = {}
FOLDS: dict[str, Reader] = {}
VERSIONS: dict[str, frozenset[int]] = {}


def reads(operator: str, *versions: int) -> Callable[[R], R]:
    """The function turns ``operator``, in these versions, into words."""
    return _enters(READERS, operator, versions)


def folds(operator: str, *versions: int) -> Callable[[R], R]:
    """The function computes ``operator`` where all its inputs are known before any image is seen."""
    return _enters(FOLDS, operator, versions)


def _enters(table: dict[str, Reader], operator: str, versions: tuple[int, ...]) -> Callable[[R], R]:
    def enter(function: R) -> R:
        if operator in table:
            raise ArgumentError(f"{operator} must have one reader, got a second ({function.__name__}).")
        table[operator] = function
        VERSIONS[operator] = VERSIONS.get(operator, frozenset()) | frozenset(versions)
        return function

    return enter
