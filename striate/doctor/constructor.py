"""The line of source that built a layer, and the same line with other arguments.

A layer is looked for where its parent assigns it: ``self.fc1 = nn.Linear(400, 120)``, or at its place in an
``nn.Sequential(...)``. Where an argument is a name that the parent's ``__init__`` was given, its caller's
line is the one to change. Nothing is executed; a line that is not understood is left alone.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Mapping, Sequence
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
    own = {name: _plain(arguments[name]) for name in names if name in arguments}
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


def _plain(value: Any) -> Any:
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

    def with_arguments(self, **values: Any) -> str | None:
        """The lines with other values; None where one of them is written as more than a number."""
        edits: list[tuple[int, int, int, str]] = []
        added = ""
        for name, value in values.items():
            node = self.argument(name)
            if node is None:
                added += f", {name}={_plain(value)!r}"
            elif any(isinstance(part, ast.Name) for part in ast.walk(node)) or node.lineno != node.end_lineno:
                return None
            else:
                edits.append((node.lineno, node.col_offset, node.end_col_offset or 0, repr(_plain(value))))
        if added:
            end = (self.call.end_lineno or 0, (self.call.end_col_offset or 1) - 1)
            edits.append((*end, end[1], added))
        lines = [line.encode() for line in self.lines]  # ast counts columns in bytes
        for line, start, stop, text in sorted(edits, reverse=True):
            row = lines[line - self.first]
            lines[line - self.first] = row[:start] + text.encode() + row[stop:]
        return textwrap.dedent(b"\n".join(lines).decode()).strip()


def find(root: Any, path: str, needed: Sequence[str]) -> tuple[Written, dict[str, str]] | None:
    """The call that built the module at ``path``, and under which names it takes the arguments ``needed``.

    Goes up to the caller as long as an argument is only passed on. None where no such line is found.
    """
    names = {name: name for name in needed}
    while path:
        found = _call_for(root, path)
        if found is None:
            return None
        written, parent = found
        passed = {name: written.argument(inner) for name, inner in names.items()}
        handed = {name: node.id for name, node in passed.items() if isinstance(node, ast.Name)}
        if not handed or not parent:
            return written, names
        known = _parameters(root.get_submodule(parent))
        if len(handed) != len(passed) or not set(handed.values()) <= set(known):
            return written, names
        path, names = parent, handed
    return None


def _call_for(root: Any, path: str) -> tuple[Written, str] | None:
    """The call that made the module at ``path``, and the path of the module whose class says so."""
    parts = path.split(".")
    for cut in range(len(parts) - 1, -1, -1):
        parent = ".".join(parts[:cut])
        module = root.get_submodule(parent)
        if type(module).__module__.startswith("torch.nn"):
            continue  # a Sequential: the class around it says what is in it
        source = _init_of(type(module))
        if source is None:
            return None
        file, first, text = source
        call = _assigned(ast.parse(textwrap.dedent(text)), parts[cut])
        for index in parts[cut + 1 :]:
            call = _entry(call, index)
        if call is None:
            return None
        made = root.get_submodule(path)
        return _written(file, first, text, call, _names(type(made))), parent
    return None


def _written(file: str, first: int, text: str, call: ast.Call, names: tuple[str, ...]) -> Written:
    """Line numbers and columns of the call, moved from the dedented function to the file."""
    lines = text.splitlines()
    indent = len(lines[0]) - len(lines[0].lstrip())
    start, end = call.lineno, call.end_lineno or call.lineno
    for node in ast.walk(call):
        if isinstance(node, ast.expr):
            node.col_offset += indent
            node.end_col_offset = (node.end_col_offset or 0) + indent
            node.lineno += first - 1
            node.end_lineno = (node.end_lineno or 0) + first - 1
    return Written(file, first + start - 1, tuple(lines[start - 1 : end]), call, names)


def _init_of(cls: type) -> tuple[str, int, str] | None:
    try:
        function = next(vars(owner)["__init__"] for owner in cls.__mro__ if "__init__" in vars(owner))
        lines, first = inspect.getsourcelines(function)
        return inspect.getsourcefile(function) or "", max(first, 1), "".join(lines)
    except (OSError, TypeError):
        return None  # built in, or typed into a prompt


def _assigned(tree: ast.AST, name: str) -> ast.Call | None:
    """The only call assigned to ``self.name``."""
    found = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Attribute) and target.attr == name
    ]
    return found[0] if len(found) == 1 and isinstance(found[0], ast.Call) else None


def _entry(call: ast.Call | None, index: str) -> ast.Call | None:
    """Entry ``index`` of ``nn.Sequential(a, b, ...)`` or ``nn.ModuleList([a, b, ...])``."""
    if call is None or not index.isdigit():
        return None
    entries = call.args
    if len(entries) == 1 and isinstance(entries[0], (ast.List, ast.Tuple)):
        entries = entries[0].elts
    plain = all(isinstance(entry, ast.Call) for entry in entries)
    found = entries[int(index)] if plain and int(index) < len(entries) else None
    return found if isinstance(found, ast.Call) else None


def _names(cls: type) -> tuple[str, ...]:
    return positional(cls.__name__) if cls.__module__.startswith("torch.nn") else _parameters(cls)


def _parameters(thing: Any) -> tuple[str, ...]:
    cls = thing if isinstance(thing, type) else type(thing)
    return tuple(inspect.signature(cls).parameters)


def short_path(file: str) -> str:
    """The file as seen from the working folder, where it lies in it."""
    path = Path(file)
    return path.relative_to(Path.cwd()).as_posix() if path.is_relative_to(Path.cwd()) else str(path)
