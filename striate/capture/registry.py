"""Which function reads which aten operation: one dict, filled by the family files, no name twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from striate.errors import ArgumentError

if TYPE_CHECKING:
    from striate.capture.call import Call, Value

    Reader: TypeAlias = Callable[[Call], Value | list[Value]]

READERS: dict[str, Reader] = {}


def reads(*operations: str) -> Callable[[Reader], Reader]:
    """Enter a reader for operations such as "aten.conv2d.default"; ArgumentError when one has a reader.

    A name in place ("aten.relu_.default") needs no entry of its own: see ``reader_of``.
    """

    def enter(reader: Reader) -> Reader:
        for operation in operations:
            if operation in READERS:
                raise ArgumentError(f"operation {operation} must have one reader, it has two: remove one.")
            READERS[operation] = reader
        return reader

    return enter


def reader_of(operation: str) -> Reader | None:
    """The reader of an operation, or of its form that does not write in place; None when there is none."""
    return READERS.get(operation) or READERS.get(functional_name(operation))


def functional_name(operation: str) -> str:
    """ "aten.add_.Tensor" -> "aten.add.Tensor"; other names as they are."""
    parts = operation.split(".")
    if len(parts) == 3 and parts[1].endswith("_") and not parts[1].startswith("_"):
        parts[1] = parts[1][:-1]
    return ".".join(parts)
