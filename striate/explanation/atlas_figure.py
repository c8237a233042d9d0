"""The atlas as one figure: every activation with its derivative, the flat regions shaded."""

from __future__ import annotations

import io
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.errors import ArgumentError, MissingExtraError
from striate.explanation.atlas import Atlas
from striate.explanation.portrait import SATURATED, Portrait

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KINDS = (".svg", ".png", ".html")
REACH = 6.0  # drawn from -REACH to REACH
COLUMNS = 3
FUNCTION, DERIVATIVE, FLAT = "#1f4e9e", "#c0392b", "#d9d9d9"
_STYLE: Any = {  # Any: the names that matplotlib's stubs allow differ from version to version
    "svg.fonttype": "none",
    "svg.hashsalt": "striate",
    "font.size": 9,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#eeeeee",
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def atlas_figure(atlas: Atlas, kind: str) -> bytes:
    """The figure as the content of a file; ``kind`` is one of ``KINDS``.

    Raises ArgumentError for another kind, MissingExtraError without matplotlib.
    """
    if kind not in KINDS:
        raise ArgumentError(f"--out must end in {', '.join(KINDS)}, got {kind!r}: choose one of these.")
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("A figure of activations", "matplotlib", "train") from None
    with mpl.rc_context():
        mpl.rcdefaults()  # a matplotlibrc of the user's must not change the figure
        mpl.rcParams.update(_STYLE)
        columns = min(COLUMNS, len(atlas.portraits))
        rows = -(-len(atlas.portraits) // columns)
        figure = Figure(figsize=(3.4 * columns, 2.9 * rows + 0.4), layout="constrained")
        panels = figure.subplots(rows, columns, squeeze=False)
        for panel, one in zip(panels.flat, atlas.portraits, strict=False):
            _draw(panel, one)
        for panel in panels.flat[len(atlas.portraits) :]:
            panel.set_axis_off()
        figure.legend(*_legend(figure), loc="outside lower center", ncols=3, frameon=False)
        content = _saved(figure, "png" if kind == ".png" else "svg")
    return _page(atlas, content) if kind == ".html" else content


def _draw(axes: Axes, one: Portrait) -> None:
    x = np.linspace(-REACH, REACH, 1201)
    for low, high in one.saturated:
        axes.axvspan(max(low, -REACH), min(high, REACH), color=FLAT, alpha=0.5, linewidth=0)
    axes.plot(x, one.value(x), color=FUNCTION, label="f(x)", linewidth=1.8)
    axes.plot(x, _broken(one, x), color=DERIVATIVE, label="f'(x)", linewidth=1.4, linestyle="--")
    axes.set_title(one.name, fontsize=10)
    axes.set_xlim(-REACH, REACH)
    axes.set_ylim(-1.9, 3.1)
    axes.axhline(0, color="#888888", linewidth=0.6)
    axes.axvline(0, color="#888888", linewidth=0.6)


def _broken(one: Portrait, x: Any) -> Any:
    """The derivative, with a gap where it jumps: a line drawn there would be a slope that does not exist."""
    slope = one.slope(x).astype(float)
    slope[1:][np.abs(np.diff(slope)) > 0.1] = np.nan
    return slope


def _legend(figure: Figure) -> tuple[list[Any], list[str]]:
    from matplotlib.patches import Patch

    lines, labels = figure.axes[0].get_legend_handles_labels()
    flat = Patch(facecolor=FLAT, alpha=0.5)
    return [*lines, flat], [*labels, f"slope below {SATURATED}"]


def _saved(figure: Figure, form: str) -> bytes:
    stream = io.BytesIO()
    extra: dict[str, Any] = {"metadata": {"Date": None}} if form == "svg" else {"dpi": 160}
    figure.savefig(stream, format=form, **extra)
    return stream.getvalue()


def _page(atlas: Atlas, svg: bytes) -> bytes:
    """A page with the figure and the numbers; nothing is loaded from outside."""
    drawing = svg.decode()
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Activations</title>\n'
        "<style>body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}"
        "svg{max-width:100%;height:auto}pre{overflow-x:auto}</style></head><body>\n"
        f"<h1>Activations and their derivatives</h1>\n{drawing[drawing.index('<svg') :]}\n"
        f"<pre>{escape(atlas.text())}</pre>\n</body></html>\n"
    ).encode()
