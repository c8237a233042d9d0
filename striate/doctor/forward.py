"""The line of a forward that called a layer, with the change that mends it.

Only text is read: the forward of the class around the layer is parsed, never run. A line on which the call
does not stand exactly once is left alone.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from striate.doctor.trace import Step

_ROOMS = ("torch", "F", "functional")  # what a function's name stands behind, where that is no tensor


@dataclass(frozen=True)
class _Line:
    """One physical line of a forward, and the expressions that stand whole on it."""

    text: str
    indent: int
    nodes: tuple[ast.expr, ...]

    def code(self, node: ast.expr) -> str:
        return self.text.encode()[self._span(node)].decode()

    def replaced(self, node: ast.expr, code: str) -> str:
        """ "instead of  ...", "write       ...": the line with other code for ``node``."""
        row, span = self.text.encode(), self._span(node)
        mended = (row[: span.start] + code.encode() + row[span.stop :]).decode()
        return f"instead of  {self.text.strip()}\nwrite       {mended.strip()}"

    def _span(self, node: ast.expr) -> slice:  # ast counts columns in bytes
        return slice(node.col_offset + self.indent, (node.end_col_offset or 0) + self.indent)


def passing(root: Any, step: Step, pattern: str) -> str | None:
    """The line on which the input of ``step`` is put into ``pattern``, such as ``"torch.flatten({}, 1)"``.

    Of a function's call, a view, the pattern takes the place. None where no such line is found.
    """
    line = _line(root, step)
    if line is None:
        return None
    own = step.name.rpartition(".")[2].partition("#")[0] if step.module is not None else step.layer.kind
    calls = [node for node in line.nodes if isinstance(node, ast.Call) and _called(node) == own]
    if len(calls) != 1:
        return None
    given = _input(calls[0], module=step.module is not None)
    if given is None:
        return None
    whole = isinstance(given, (ast.Name, ast.Attribute, ast.Call, ast.Subscript))
    code = line.code(given) if whole or not pattern.startswith("{}") else f"({line.code(given)})"
    return line.replaced(given if step.module is not None else calls[0], pattern.format(code))


def adding(root: Any, step: Step, second: bool, shortcut: str) -> str | None:
    """The line of an addition whose first (or ``second``) summand goes through ``shortcut``."""
    line = _line(root, step)
    if line is None:
        return None
    sums = [node for node in line.nodes if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add)]
    if len(sums) != 1:
        return None
    summand = sums[0].right if second else sums[0].left
    return line.replaced(summand, f"{shortcut}({line.code(summand)})")


def _line(root: Any, step: Step) -> _Line | None:
    """The line of the forward of the module around ``step`` that its source names."""
    owner = type(root.get_submodule(step.name.rpartition(".")[0]))
    if step.source is None or owner.__module__.startswith("torch.nn"):
        return None
    try:
        rows, first = inspect.getsourcelines(owner.forward)
        tree = ast.parse(textwrap.dedent("".join(rows)))
    except (AttributeError, OSError, SyntaxError, TypeError):
        return None
    number = int(step.source.rpartition(":")[2]) - first
    if not 0 <= number < len(rows):
        return None
    indent = len(rows[0]) - len(rows[0].lstrip())
    nodes = (node for node in ast.walk(tree) if isinstance(node, ast.expr))
    return _Line(rows[number], indent, tuple(_on(nodes, number + 1)))


def _on(nodes: Iterator[ast.expr], line: int) -> Iterator[ast.expr]:
    return (node for node in nodes if node.lineno == node.end_lineno == line)


def _called(call: ast.Call) -> str | None:
    """ "fc" in ``self.fc(x)``, "view" in ``x.view(-1)``."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else None


def _input(call: ast.Call, *, module: bool) -> ast.expr | None:
    """What goes in: the first argument, or the tensor whose method is called."""
    if not module and isinstance(call.func, ast.Attribute):
        place = call.func.value
        name = place.id if isinstance(place, ast.Name) else getattr(place, "attr", None)
        if name not in _ROOMS:
            return place
    first = call.args[0] if call.args else None
    return None if isinstance(first, ast.Starred) else first
