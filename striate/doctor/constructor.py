"""The call that builds a layer: as code of its own, and as a line of somebody's file with other arguments."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_WINDOW = ("kernel_size", "stride", "padding")
_CONV = ("in_channels", "out_channels", *_WINDOW, "dilation", "groups", "bias")
_POSITIONAL: dict[str, tuple[str, ...]] = {
    "Linear": ("in_features", "out_features", "bias"),
    "LazyLinear": ("out_features", "bias"),
    "MaxPool": (*_WINDOW, "dilation"),
    "AvgPool": _WINDOW,
    "ConvTranspose": ("in_channels", "out_channels", *_WINDOW, "output_padding", "groups", "bias"),
    "Conv": _CONV,
    "BatchNorm": ("num_features",),
    "InstanceNorm": ("num_features",),
    "GroupNorm": ("num_groups", "num_channels"),
    "LayerNorm": ("normalized_shape",),
    "PReLU": ("num_parameters",),
    "ChannelShuffle": ("groups",),
}
DEFAULTS = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": True, "output_padding": 0}


def positional(kind: str) -> tuple[str, ...]:
    """The names of a PyTorch layer's arguments in their order; () for a layer that is not known here."""
    return next((names for start, names in _POSITIONAL.items() if kind.startswith(start)), ())


def constructor(kind: str, arguments: Mapping[str, Any]) -> str:
    """``"nn.Conv2d(6, 16, 5, padding=2)"``: the call that builds a layer, defaults left out."""
    names = positional(kind)
    own = {name: plain(arguments[name]) for name in names if name in arguments}
    pool = "Pool" in kind
    parts = []
    for index, (name, value) in enumerate(own.items()):
        if name == "stride" and pool:
            if value != own.get("kernel_size"):
                parts.append(f"stride={value}")
        elif name not in DEFAULTS:
            parts.append(str(value) if index < 3 else f"{name}={value}")
        elif value != DEFAULTS[name]:
            parts.append(f"{name}={value!r}")
    return f"nn.{kind}({', '.join(parts)})"


def plain(value: Any) -> Any:
    """(3, 3) as 3."""
    if isinstance(value, (tuple, list)) and value and all(entry == value[0] for entry in value):
        return value[0]
    return tuple(value) if isinstance(value, list) else value


@dataclass(frozen=True)
class Written:
    """A call in a source file; ``lines`` are the physical lines it stands on, from line ``first``."""

    file: str
    first: int
    lines: tuple[str, ...]
    call: ast.Call
    names: tuple[str, ...]
    """The names of the positional arguments of what is called."""

    @property
    def place(self) -> str:
        """ "net.py:12"."""
        return f"{short_path(self.file)}:{self.first}"

    @property
    def text(self) -> str:
        """The lines as they are, without their indentation."""
        return textwrap.dedent("\n".join(self.lines)).strip()

    def argument(self, name: str) -> ast.expr | None:
        """What is written for an argument."""
        for keyword in self.call.keywords:
            if keyword.arg == name:
                return keyword.value
        if name in self.names and self.names.index(name) < len(self.call.args):
            found = self.call.args[self.names.index(name)]
            return None if isinstance(found, ast.Starred) else found
        return None

    @property
    def called(self) -> str:
        """ "nn.Linear" in ``nn.Linear(400, 120)``."""
        return ast.unparse(self.call.func)

    def with_call(self, call: str) -> str:
        """The lines with another call in the place of this one."""
        lines = [line.encode() for line in self.lines]  # ast counts columns in bytes
        head = lines[0][: self.call.col_offset]
        tail = lines[-1][self.call.end_col_offset :]
        return textwrap.dedent((head + call.encode() + tail).decode()).strip()

    def with_arguments(self, **values: Any) -> str | None:
        """The lines with other values; None where one of them is written as more than a number."""
        edits: list[tuple[int, int, int, str]] = []
        added = ""
        for name, value in values.items():
            node = self.argument(name)
            if node is None:
                added += f", {name}={plain(value)!r}"
            elif any(isinstance(part, ast.Name) for part in ast.walk(node)) or node.lineno != node.end_lineno:
                return None
            else:
                edits.append((node.lineno, node.col_offset, node.end_col_offset or 0, repr(plain(value))))
        if added:
            end = (self.call.end_lineno or 0, (self.call.end_col_offset or 1) - 1)
            edits.append((*end, end[1], added))
        lines = [line.encode() for line in self.lines]  # ast counts columns in bytes
        for line, start, stop, text in sorted(edits, reverse=True):
            row = lines[line - self.first]
            lines[line - self.first] = row[:start] + text.encode() + row[stop:]
        return textwrap.dedent(b"\n".join(lines).decode()).strip()


def short_path(file: str) -> str:
    """The file as seen from the working folder, where it lies in it."""
    path = Path(file)
    return path.relative_to(Path.cwd()).as_posix() if path.is_relative_to(Path.cwd()) else str(path)
