"""Axes with round marks, and lines and dots where the numbers say."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest

from striate.report.axis import Axis
from striate.report.chart import FIRST, SECOND, Line, draw

SVG = "{http://www.w3.org/2000/svg}"


def marks(axis: Axis, *values: float) -> list[str]:
    return [text for _, text in axis.over(values).marks]


@pytest.mark.parametrize(
    ("axis", "values", "expected"),
    [
        (Axis(whole=True), [1, 2, 3], ["1", "2", "3"]),
        (Axis(whole=True), [1], ["1"]),
        (Axis(whole=True), [1, 40], ["0", "10", "20", "30", "40"]),
        (Axis(low=0), [0.5, 1.3], ["0.00", "0.25", "0.50", "0.75", "1.00", "1.25"]),
        (Axis(low=0), [0.00125, 0.005], ["0.000", "0.001", "0.002", "0.003", "0.004", "0.005"]),
        (Axis(low=0, high=1.04), [], ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (Axis(write=lambda value: f"{value:.0%}"), [0.846, 0.928], ["86%", "88%", "90%", "92%"]),
        (Axis(low=0), [0, 0], ["0.0", "0.1", "0.2", "0.3", "0.4", "0.5"]),
        (Axis(low=0), [math.nan, 3, math.inf], ["0", "1", "2", "3"]),
    ],
)
def test_marks_are_round_numbers(axis: Axis, values: list[float], expected: list[str]) -> None:
    assert marks(axis, *values) == expected


@pytest.mark.parametrize("values", [[5e-9, 6e-9], [1, 1e9], [-3, 7], [0.5], [0], [1e-300], []])
@pytest.mark.parametrize("axis", [Axis(), Axis(whole=True), Axis(low=0)])
def test_marks_are_few_in_order_and_within_the_axis(axis: Axis, values: list[float]) -> None:
    scale = axis.over(values)
    places = [scale.place(mark) for mark, _ in scale.marks]
    assert places == sorted(set(places)) and all(-1e-6 <= place <= 1 + 1e-6 for place in places)
    assert len(places) <= axis.most + 1
    assert all(0 <= scale.place(value) <= 1 for value in values if axis.low is None or value >= axis.low)


def drawn(*lines: Line) -> ElementTree.Element:
    svg = draw("a <label>", lines, Axis("across", 0, 10), Axis("up", 0, 1))
    return ElementTree.fromstring(svg.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1))


def test_lines_and_dots_lie_where_the_numbers_say() -> None:
    first = Line([(0, 0), (5, 0.5), (10, 1)], FIRST, radii=[1, 2, 3])
    second = Line([(0, 1), (1, math.nan), (2, 1), (10, 0)], SECOND)
    root = drawn(first, second)
    assert root.get("aria-label") == "a <label>"
    paths = [path.get("d") for path in root.iter(f"{SVG}path") if FIRST in path.get("style", "")]
    [points] = [re.findall(r"[ML]([\d.]+) ([\d.]+)", path) for path in paths]
    (x0, y0), (x1, y1), (x2, y2) = ((float(x), float(y)) for x, y in points)
    assert x0 < x1 < x2 and y0 > y1 > y2  # up is up
    assert x1 == pytest.approx((x0 + x2) / 2, abs=0.02) and y1 == pytest.approx((y0 + y2) / 2, abs=0.02)
    dots = [tuple(float(dot.get(name)) for name in ("cx", "cy", "r")) for dot in root.iter(f"{SVG}circle")]
    assert dots == [(x0, y0, 1), (x1, y1, 2), (x2, y2, 3)]
    [gap] = [path.get("d") for path in root.iter(f"{SVG}path") if SECOND in path.get("style", "")]
    assert gap.count("M") == 2 and gap.count("L") == 1


def test_titles_and_marks_are_text_beside_the_picture() -> None:
    root = drawn(Line([(0, 0), (10, 1)], FIRST))
    texts = {text.text: (float(text.get("x")), float(text.get("y"))) for text in root.iter(f"{SVG}text")}
    assert {"across", "up", "0", "10", "0.0", "1.0"} <= set(texts)
    _, _, width, height = map(float, root.get("viewBox").split())
    assert all(0 < x < width and 0 < y <= height for x, y in texts.values())
    assert texts["0.0"][1] > texts["1.0"][1] and texts["0"][0] < texts["10"][0]


def test_the_text_under_the_last_mark_has_room() -> None:
    svg = draw("", [], Axis("sure", 0, 1, lambda value: f"{value:.0%}"), Axis())
    [x] = re.findall(r'<text x="([\d.]+)"[^>]*>100%<', svg)
    width = float(re.findall(r'viewBox="0 0 ([\d.]+)', svg)[0])
    assert width - 16 < float(x) < width - 12  # four letters of 9 units height, in the middle below the mark


def test_nothing_to_draw_is_an_empty_picture() -> None:
    assert not list(drawn(Line([], FIRST), Line([(math.nan, 1)], SECOND)).iter(f"{SVG}circle"))
