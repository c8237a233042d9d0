"""What happened while a module ran: one step an operation, and the one at which it ended.

Written by ``trial``, read by the remedies. Shapes here are numbers, the batch included.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Sizes = tuple[int, ...]


@dataclass(frozen=True)
class Value:
    """A tensor that went into a step. ``maker``: index of the step that made it; None: input or parameter."""

    shape: Sizes
    dtype: str
    maker: int | None = None


@dataclass(frozen=True)
class Layer:
    """What was called: "Conv2d" with PyTorch's arguments, or the name of a function: "cat", "add", "view"."""

    kind: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One operation. ``name`` is the module's path, or that of the module around a function: "block1.add"."""

    name: str
    layer: Layer
    inputs: tuple[Value, ...]
    output: Sizes | None
    """None for the step that failed."""
    source: str | None = None
    """ "net.py:12": the line of the forward that called it."""
    module: str | None = None
    """The path of the module, where the step is one."""
    dtype: str | None = None
    """The type of the module's weights."""


@dataclass(frozen=True)
class Trace:
    """A run of a module. ``error``: what was raised; the last step is then the one that failed."""

    title: str
    inputs: tuple[Value, ...]
    steps: tuple[Step, ...]
    outputs: tuple[Sizes, ...] = ()
    error: str | None = None

    @property
    def failed(self) -> Step | None:
        """The step at which the run ended."""
        return self.steps[-1] if self.error is not None and self.steps else None

    def behind(self, value: Value) -> Iterator[Step]:
        """The steps that made a value, from the last one back, along first inputs."""
        maker = value.maker
        while maker is not None:
            step = self.steps[maker]
            yield step
            maker = next((one.maker for one in step.inputs if one.maker is not None), None)

    def text(self, shown: int = 16) -> str:
        """The layers with what came out of each; of a long way the last ``shown``."""
        given = ", ".join(show(value.shape) for value in self.inputs)
        first = max(0, len(self.steps) - shown)
        rows = [("input", "", given, "")]
        if first:
            rows.append((f"... {first} more", "", "", ""))
        for step in self.steps[first:]:
            result = "FAILS" if step.output is None else show(step.output)
            rows.append((step.name, step.layer.kind, result, step.source or ""))
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        cells = (
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)) for row in rows
        )
        return "\n".join(f"  {line}  {row[3]}".rstrip() for line, row in zip(cells, rows, strict=True))


def show(shape: Sizes) -> str:
    """``"(2, 3, 32, 32)"``."""
    return f"({', '.join(map(str, shape))})"
