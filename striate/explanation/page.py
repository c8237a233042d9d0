"""An explanation as a fragment of HTML: a table of layers whose names unfold into derivations.

No style and no script of its own: the page that takes it in gives ``.layers`` its look. All text is escaped.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from striate.explanation import text

if TYPE_CHECKING:
    from striate.explanation.explanation import Explanation, Row


def fragment(explanation: Explanation) -> str:
    """``<table class="layers">`` and the totals under it."""
    head = "".join(f'<th scope="col">{escape(heading)}</th>' for heading in text.HEADINGS)
    body = "\n".join(_row(row) for row in explanation.rows)
    lines = "\n".join(f"<li>{escape(line)}</li>" for line in text.summary(explanation))
    return (
        f'<table class="layers">\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n'
        f'<ul class="totals">\n{lines}\n</ul>\n'
    )


def _row(row: Row) -> str:
    name, *others = text.cells(row)
    unfolded = f"<details><summary>{escape(name)}</summary><pre>{escape(text.layer(row))}</pre></details>"
    rest = "".join(_cell(column, cell) for column, cell in enumerate(others, start=1))
    return f'<tr><th scope="row">{unfolded}</th>{rest}</tr>'


def _cell(column: int, cell: str) -> str:
    kind = ' class="number"' if column >= text.NUMERIC_FROM else ""
    return f"<td{kind}>{escape(cell)}</td>"
