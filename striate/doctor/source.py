"""Where in the source a layer was built.

A layer is looked for where its parent assigns it: ``self.fc1 = nn.Linear(400, 120)``, or at its place in an
``nn.Sequential(...)``. Where an argument is a name that the parent's ``__init__`` was given, its caller's
line is the one to change. Nothing is executed; a line that is not understood is left alone.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Sequence
from typing import Any

from striate.doctor.constructor import Written, positional


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
