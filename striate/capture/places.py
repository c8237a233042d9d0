"""Where an operation stands: the innermost module that was running, and the user's line that called it."""

from __future__ import annotations

import re
import sys
from functools import lru_cache
from pathlib import Path

import torch
from torch import fx, nn

from striate.sketch import Place

FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+)')
TORCH = str(Path(torch.__file__).parent)


class Places:
    """Finds the place of each node of a program that was exported from ``module``."""

    def __init__(self, module: nn.Module) -> None:
        parts = module.named_modules()
        self._builtin = {path for path, part in parts if type(part).__module__.startswith("torch.nn.")}

    def of(self, node: fx.Node) -> Place:
        stack: dict[str, tuple[str, object]] = node.meta.get("nn_module_stack", {})
        call, (path, _) = next(reversed(stack.items()), ("", ("", None)))
        return Place(path, call, path in self._builtin, _source(node.meta.get("stack_trace")))


def _source(trace: str | None) -> str | None:
    """ "net.py:12": the innermost frame of the trace that is not inside torch."""
    frames = [match.group("file", "line") for match in FRAME.finditer(trace or "")]
    own = [(file, line) for file, line in frames if not file.startswith((TORCH, "torch/", "<"))]
    return f"{_short(own[-1][0], str(Path.cwd()))}:{own[-1][1]}" if own else None


@lru_cache(maxsize=256)
def _short(file: str, working: str) -> str:
    """The file relative to ``working`` or to the folder that Python imports it from; else as it is."""
    for folder in (working, *sorted(sys.path, key=len, reverse=True)):
        if folder and Path(file).is_relative_to(folder):
            return Path(file).relative_to(folder).as_posix()
    return file
