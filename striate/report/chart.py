"""Lines and dots as inline SVG that takes its colours and its letters from the page around it.

Drawn here and not by a library: to import one for four small pictures took longer than an epoch of a small
training. Colours are CSS variables, so that one drawing is right on a light and on a dark page. Text stays
text, found by the browser's search. The same numbers give the same bytes.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

from striate.report.axis import Axis, Scale

SOFT, GRID, FIRST, SECOND = "var(--soft)", "var(--line)", "var(--one)", "var(--two)"
WIDTH, HEIGHT = 266.0, 173.0  # of the whole drawing; the page stretches it
_LETTER, _LETTER_WIDTH = 9.0, 5.8  # height, and width on average of what stands at an axis
_EDGE, _GAP = 4.0, 4.0  # around the drawing; between the axis and its marks' texts
_LINE = _LETTER + _GAP  # a line of text

Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """Points (x, y) that a line joins; where one is not finite, it has a gap."""

    points: Sequence[Point]
    colour: str
    width: float = 1.8
    radii: Sequence[float] = ()
    """Of a dot on each point; none: no dots."""


def draw(label: str, lines: Sequence[Line], x: Axis, y: Axis, height: float = HEIGHT) -> str:
    """An ``<svg>`` of ``WIDTH`` x ``height`` with the lines on two axes, the later ones on top.

    ``label`` is read out in place of the picture.
    """
    across = x.over(point[0] for line in lines for point in line.points)
    up = y.over(point[1] for line in lines for point in line.points)
    widest = max((len(text) for _, text in up.marks), default=0) * _LETTER_WIDTH
    left = _EDGE + (_LINE if y.title else 0.0) + widest + _GAP
    bottom = height - _EDGE - (_LINE if x.title else 0.0) - _LINE
    box = _Box(left, _EDGE, _right(left, across), bottom, across, up)
    parts = [*_across(box, x, height), *_up(box, y)]
    for line in lines:
        parts += _joined(box, line)
    head = (
        f'<svg role="img" aria-label="{html.escape(label)}" viewBox="0 0 {WIDTH:g} {height:g}" '
        'style="stroke-linejoin: round; stroke-linecap: round">'
    )
    return "\n".join([head, *parts, "</svg>"])


def _right(left: float, across: Scale) -> float:
    """Where the axes end on the right, so that the text under the last mark has room."""
    end = WIDTH - _EDGE
    if not across.marks or across.place(across.marks[-1][0]) <= 0:
        return end
    mark, text = across.marks[-1]
    room = WIDTH - len(text) * _LETTER_WIDTH / 2 - left
    return min(end, left + (room - _EDGE / 2) / across.place(mark))


@dataclass(frozen=True)
class _Box:
    """The rectangle inside of the axes, in the drawing's units; y goes down."""

    left: float
    top: float
    right: float
    bottom: float
    across: Scale
    up: Scale

    def x(self, value: float) -> float:
        return self.left + self.across.place(value) * (self.right - self.left)

    def y(self, value: float) -> float:
        return self.bottom - self.up.place(value) * (self.bottom - self.top)


def _across(box: _Box, axis: Axis, height: float) -> list[str]:
    """The axis along the bottom."""
    parts = [_stroke(f"M{box.left:.2f} {box.bottom:.2f}H{box.right:.2f}", GRID, 0.8)]
    parts += [_text(box.x(mark), box.bottom + _LINE - 1, "middle", text) for mark, text in box.across.marks]
    if axis.title:
        parts.append(_text((box.left + box.right) / 2, height - _EDGE, "middle", axis.title))
    return parts


def _up(box: _Box, axis: Axis) -> list[str]:
    """The axis on the left, with a thin line across the picture at each mark."""
    parts = [_stroke(f"M{box.left:.2f} {box.top:.2f}V{box.bottom:.2f}", GRID, 0.8)]
    for mark, text in box.up.marks:
        y = box.y(mark)
        parts.append(_stroke(f"M{box.left:.2f} {y:.2f}H{box.right:.2f}", GRID, 0.6))
        parts.append(_text(box.left - _GAP, y + 0.35 * _LETTER, "end", text))
    if axis.title:
        x, y = _EDGE + _LETTER, (box.top + box.bottom) / 2
        parts.append(_text(x, y, "middle", axis.title, f' transform="rotate(-90 {x:.2f} {y:.2f})"'))
    return parts


def _joined(box: _Box, line: Line) -> list[str]:
    """A line, and its dots."""
    path, dots, pen = [], [], "M"
    for index, (x, y) in enumerate(line.points):
        if not (math.isfinite(x) and math.isfinite(y)):
            pen = "M"
            continue
        place = box.x(x), box.y(y)
        path.append(f"{pen}{place[0]:.2f} {place[1]:.2f}")
        pen = "L"
        if line.radii:
            dots.append(
                f'<circle cx="{place[0]:.2f}" cy="{place[1]:.2f}" r="{line.radii[index]:.2f}" '
                f'style="fill: {line.colour}"/>'
            )
    return [_stroke("".join(path), line.colour, line.width), *dots] if path else []


def _stroke(path: str, colour: str, width: float) -> str:
    return f'<path d="{path}" style="fill: none; stroke: {colour}; stroke-width: {width:g}"/>'


def _text(x: float, y: float, anchor: str, text: str, more: str = "") -> str:
    style = f"font-size: {_LETTER:g}px; text-anchor: {anchor}; fill: {SOFT}"
    return f'<text x="{x:.2f}" y="{y:.2f}" style="{style}"{more}>{html.escape(text)}</text>'
