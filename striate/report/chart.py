"""matplotlib figures as inline SVG that takes its colours and its letters from the page around it.

A figure is drawn in marker colours; in the SVG each becomes a CSS variable, so that one drawing is right
on a light and on a dark page. Text stays text. The same numbers give the same bytes.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from striate.errors import MissingExtraError
from striate.machine import collecting_seldom

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, SOFT, GRID, FIRST, SECOND = "#010101", "#020202", "#030303", "#040404", "#050505"
_VARIABLES = {INK: "--ink", SOFT: "--soft", GRID: "--line", FIRST: "--one", SECOND: "--two"}
_STYLE: Any = {  # Any: the names that matplotlib's stubs allow differ from version to version
    "svg.fonttype": "none",  # letters, not outlines: smaller, and found by the browser's search
    "svg.hashsalt": "striate",  # names inside the SVG do not change from run to run
    "font.size": 9,
    "axes.edgecolor": GRID,
    "axes.labelcolor": SOFT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
}


def draw(name: str, label: str, plot: Callable[[Axes], None], size: tuple[float, float] = (3.7, 2.4)) -> str:
    """An ``<svg>`` of ``size`` inches with what ``plot`` puts on its axes.

    ``name`` keeps the ids of several drawings on a page apart, ``label`` is read out in place of the picture.
    Raises MissingExtraError without matplotlib.
    """
    try:
        with collecting_seldom():
            import matplotlib as mpl
            from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("A report", "matplotlib", "train") from None
    with mpl.rc_context():
        mpl.rcdefaults()  # a matplotlibrc of the user's must not change the page
        mpl.rcParams.update(_STYLE)
        figure = Figure(figsize=size, layout="constrained")
        figure.patch.set_visible(False)
        axes = figure.add_subplot()
        axes.patch.set_visible(False)
        axes.grid(axis="x", visible=False)
        plot(axes)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return _inline(file.getvalue(), name, label)


def _inline(svg: str, name: str, label: str) -> str:
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->\n?", "", svg, flags=re.DOTALL)
    svg = re.sub(r' xmlns(:\w+)?="[^"]*"| width="[^"]*pt"| height="[^"]*pt"', "", svg)
    svg = svg.replace("xlink:href", "href")
    used = set(re.findall(r"#([\w-]+)", svg))
    svg = re.sub(r' id="([^"]*)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", svg)
    svg = re.sub(r'(href="|url\()#', rf"\1#{name}-", svg)
    svg = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", svg)
    svg = re.sub(r"font-family: [^;\"]*;? ?", "", svg)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, f"var({variable})")
    return svg.replace("<svg", f'<svg role="img" aria-label="{html.escape(label)}"', 1).strip()
