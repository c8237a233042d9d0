"""A walk in the terminal: picture, kernel, every step as a sum, the output."""

from __future__ import annotations

import textwrap

import numpy as np

from striate.explanation.text import merged
from striate.explanation.walk import Array, Walk, number

SHOWN = 64  # steps printed; the rest are in the page
WIDTH = 100


def walk_text(walk: Walk) -> str:
    """Everything about a small walk; of a long one, the first steps."""
    lines = [walk.title, "", *_sizes(walk), ""]
    lines += _planes("picture, padding included" if _grown(walk) else "picture", walk.padded)
    if walk.kernels is not None:
        for index, kernel in enumerate(walk.kernels):
            bias = "" if walk.biases is None else f", bias {number(float(walk.biases[index]))}"
            lines += _planes(f"kernel{_numbered(index, len(walk.kernels))}{bias}", kernel)
    lines += ["step by step"]
    for step in walk.steps[:SHOWN]:
        map_ = f"{step.map}, " if len(walk.output) > 1 else ""
        where = f"({map_}{step.row}, {step.column})"
        lines += textwrap.wrap(step.text, WIDTH, initial_indent=f"  {where}  ", subsequent_indent=" " * 10)
    if len(walk.steps) > SHOWN:
        lines.append(f"  and {len(walk.steps) - SHOWN:,} more: --out FILE.html shows all")
    return "\n".join([*lines, "", *_planes("output", walk.output)]).rstrip()


def _sizes(walk: Walk) -> list[str]:
    return [line for size in merged(walk.sizes) for line in size.text().splitlines()]


def _grown(walk: Walk) -> bool:
    return bool(walk.padded.shape != walk.picture.shape)


def _numbered(index: int, count: int) -> str:
    return f" {index}" if count > 1 else ""


def _planes(title: str, planes: Array) -> list[str]:
    """Each channel as rows of aligned numbers; a dot where nothing counts."""
    cells = np.vectorize(lambda v: number(float(v)) if np.isfinite(v) else ".", otypes=[object])(planes)
    width = max(len(str(cell)) for cell in cells.flat)
    lines = []
    for index, plane in enumerate(cells):
        lines.append(f"{title}{f', channel {index}' if len(cells) > 1 else ''}")
        lines += ["  " + " ".join(str(cell).rjust(width) for cell in row) for row in plane]
        lines.append("")
    return lines
