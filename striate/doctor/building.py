"""A module that cannot even be built: arguments of a layer that contradict each other.

Looks at the traceback of what the constructor raised: the arguments in PyTorch's frame, the line in the
user's file.
"""

from __future__ import annotations

import ast
import linecache
from math import gcd
from traceback import walk_tb
from typing import Any

from striate.doctor.constructor import Written, constructor, positional, short_path
from striate.doctor.findings import NetworkFinding, NetworkReport

RULE = "impossible-groups"


def diagnose_building(title: str, fault: BaseException) -> NetworkReport | None:
    """The report of a layer whose channels its groups do not divide; None for any other error."""
    frames = [(frame, line) for frame, line in walk_tb(fault.__traceback__)]
    if not frames:
        return None
    inner, user = frames[-1][0], None
    for frame, line in frames:
        inside = str(frame.f_globals.get("__name__", "")).startswith(("torch.", "striate.", "importlib"))
        user = user if inside else (frame.f_code.co_filename, line)
    arguments = dict(inner.f_locals)
    kind = type(arguments.get("self")).__name__
    found = _divisible(arguments)
    if found is None or user is None or not positional(kind):
        return None
    says, change = found
    call = constructor(kind, {**arguments, **change})
    file, line = user
    written = _call_at(file, line, kind)
    mended = written.with_arguments(**change) if written is not None else None
    fix = (
        f"write {call}"
        if mended is None or written is None
        else f"instead of  {written.text}\nwrite       {mended}"
    )
    finding = NetworkFinding("error", RULE, says, None, fix, f"{short_path(file)}:{line}")
    return NetworkReport(title, (finding,), f"{title} cannot be built:")


def _divisible(arguments: dict[str, Any]) -> tuple[str, dict[str, int]] | None:
    """What the groups of a convolution or a group norm do not divide, and the groups that would."""
    if isinstance(groups := arguments.get("groups"), int) and "out_channels" in arguments:
        into, out = arguments["in_channels"], arguments["out_channels"]
        if into % groups or out % groups:
            says = f"{groups} groups must divide in_channels={into} and out_channels={out}."
            return says, {"groups": gcd(into, out, groups)}
    if isinstance(groups := arguments.get("num_groups"), int) and "num_channels" in arguments:
        channels = arguments["num_channels"]
        if channels % groups:
            return f"{groups} groups must divide {channels} channels.", {"num_groups": gcd(channels, groups)}
    return None


def _call_at(file: str, line: int, kind: str) -> Written | None:
    """The call of that layer on a line of a file."""
    lines = linecache.getlines(file)
    try:
        tree = ast.parse("".join(lines))
    except SyntaxError:
        return None
    found = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and node.lineno <= line <= (node.end_lineno or line)
        and ast.unparse(node.func).endswith(kind)
    ]
    if len(found) != 1:
        return None
    (call,) = found
    own = tuple(text.rstrip("\n") for text in lines[call.lineno - 1 : call.end_lineno])
    return Written(file, call.lineno, own, call, positional(kind))
