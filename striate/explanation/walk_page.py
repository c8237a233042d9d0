"""A walk as a page of its own: one file, nothing is loaded from outside, steps under keys and a slider."""

from __future__ import annotations

import json
from importlib.resources import files

from striate.explanation.walk import Walk


def walk_page(walk: Walk) -> str:
    """The HTML of a page that plays ``walk``. Its script reads the steps; it computes nothing itself."""
    template = files("striate.explanation").joinpath("templates", "walk.html").read_text(encoding="utf-8")
    data = json.dumps(walk.to_json(), allow_nan=False).replace("<", "\\u003c")
    return template.replace("/*WALK*/", data)
