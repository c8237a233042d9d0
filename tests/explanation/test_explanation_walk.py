"""A window step by step: the steps add up to what the reference computes, for every argument."""

from __future__ import annotations

import ast
import io
import itertools
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from striate import ops
from striate.errors import ArgumentError, ShapeError
from striate.explanation.walk import walk
from striate.explanation.walk_film import walk_film
from striate.explanation.walk_page import walk_page
from striate.explanation.walk_text import walk_text

WORDS = [
    ops.Conv2d(1, 1, 3, 2, 1),
    ops.Conv2d(1, 1, (3, 2), (1, 2), ((1, 0), (0, 1)), bias=False),
    ops.Conv2d(1, 1, 3, dilation=2, padding=2),
    ops.Conv2d(1, 1, 3, padding="same"),
    ops.Conv2d(1, 1, 3, padding=1, padding_mode="reflect"),
    ops.Conv2d(1, 1, 3, padding=2, padding_mode="circular"),
    ops.Conv2d(1, 1, 3, padding=1, padding_mode="replicate"),
    ops.Conv2d(4, 2, 2, groups=2),
    ops.MaxPool2d(2),
    ops.MaxPool2d(3, 2, 1, ceil_mode=True),
    ops.MaxPool2d(2, 2, dilation=2),
    ops.MinPool2d(3, 2, 1),
    ops.AvgPool2d(3, 2, 1),
    ops.AvgPool2d(3, 2, 1, count_include_pad=False),
    ops.AvgPool2d(2, 2, ceil_mode=True),
    ops.AvgPool2d(2, divisor_override=3),
]


@pytest.mark.parametrize("word", WORDS, ids=str)
def test_every_step_is_the_sum_that_it_says(word) -> None:
    walked = walk(word, 5, 6, channels=getattr(word, "in_channels", 1))
    assert len(walked.steps) == walked.output.size
    for step in walked.steps:
        formula, _, result = step.text.rpartition(" = ")
        assert calculated(formula) == pytest.approx(step.result)
        assert float(result) == pytest.approx(step.result, rel=1e-3)
        assert walked.output[step.map, step.row, step.column] == step.result
        for tap in step.taps:
            if tap.counted:
                assert walked.padded[tap.channel, tap.row, tap.column] == tap.value


def calculated(formula: str) -> float:
    """What a sum of products, a maximum, or a mean comes to, without calling anything."""
    if match := re.fullmatch(r"(min|max)\((.*)\)", formula):
        return {"min": min, "max": max}[match[1]](map(float, match[2].split(", ")))
    tree = ast.parse(formula, mode="eval").body
    allowed = (ast.BinOp, ast.Constant, ast.UnaryOp, ast.operator, ast.unaryop)
    assert all(isinstance(node, allowed) for node in ast.walk(tree))
    return float(eval(compile(ast.Expression(tree), "", "eval"), {}))


def test_the_textbooks_convolution_in_the_terminal() -> None:
    text = walk_text(walk(ops.Conv2d(1, 1, 3, 2, 1), 5, 5))
    assert text.startswith("Conv2d(1, 1, kernel_size=3, stride=2, padding=1) on 1x5x5 gives 1x3x3")
    assert "= floor((5 - 3 + 2*1) / 2) + 1\n" in text
    assert text.count(" = ") == 3 + 9
    assert "  0 0 0 0 0 0 0\n" in text
    many = walk_text(walk(ops.Conv2d(3, 2, 3, 2, 1), 5, 5, channels=3))
    assert "kernel 1, bias " in many and "output, channel 1" in many and "(1, 2, 2)" in many
    assert max(map(len, many.splitlines())) <= 100


def test_padding_of_a_maximum_never_wins() -> None:
    walked = walk(ops.MaxPool2d(3, 2, 1), 4, 4)
    assert np.isnan(walked.padded[0, 0]).all()
    assert walked.steps[0].text.count(",") == 3, "four of nine values are of the picture"
    assert "  . . . . . .\n" in walk_text(walked)


def test_a_long_walk_is_cut_in_the_terminal_and_refused_when_endless() -> None:
    assert "and 36 more: --out FILE.html" in walk_text(walk(ops.MaxPool2d(1), 10, 10))
    with pytest.raises(ArgumentError, match="at most 2,500 values to walk through, got 10,000"):
        walk(ops.Conv2d(1, 1, 1), 100, 100)
    with pytest.raises(ArgumentError, match=r"must be an \.html file for more than 400 steps, got 441"):
        walk_film(walk(ops.MaxPool2d(1), 21, 21))
    with pytest.raises(ShapeError, match="kernel_size must fit"):
        walk(ops.Conv2d(1, 1, 7), 5, 5)


def test_the_same_seed_gives_the_same_picture() -> None:
    first, again, other = (walk(ops.MaxPool2d(2), 4, 4, seed=seed).picture for seed in (1, 1, 2))
    assert (first == again).all() and (first != other).any()


def test_the_film_has_a_frame_a_step() -> None:
    walked = walk(ops.Conv2d(1, 1, 3, 2, 1), 5, 5)
    film = Image.open(io.BytesIO(walk_film(walked)))
    assert film.n_frames == 9 and film.info["loop"] == 0
    frames = []
    for index in range(9):
        film.seek(index)
        frames.append(np.asarray(film.convert("RGB")))
    assert all((a != b).any() for a, b in itertools.pairwise(frames))
    assert len({frame.shape for frame in frames}) == 1
    assert Image.open(io.BytesIO(walk_film(walk(ops.MaxPool2d(2, ceil_mode=True), 5, 5)))).n_frames == 9


def test_the_page_holds_the_walk_and_asks_for_nothing() -> None:
    walked = walk(ops.MaxPool2d(3, 2, 1), 5, 5)
    page = walk_page(walked)
    inside = re.search(r'<script type="application/json" id="walk">(.*?)</script>', page, re.DOTALL)
    assert inside is not None
    assert json.loads(inside[1]) == walked.to_json()
    assert not re.search(r"(src|href)=|url\(|@import|https?://", page)
    for key in ("ArrowLeft", "ArrowRight", "Home", "End", '" "'):
        assert key in page
    assert 'type="range"' in page


@pytest.mark.apt
def test_the_page_plays_in_a_browser(tmp_path) -> None:
    """The script shows the first step, and the last when the key for it is pressed."""
    browser = shutil.which("chromium")
    assert browser is not None, "apt-get install chromium"
    press = '<script>document.dispatchEvent(new KeyboardEvent("keydown", {key: "End"}));</script></body>'
    walked = walk(ops.Conv2d(1, 1, 3, 2, 1), 5, 5)
    for page, step in ((walk_page(walked), 0), (walk_page(walked).replace("</body>", press), 8)):
        path = tmp_path / "walk.html"
        path.write_text(page, encoding="utf-8")
        done = subprocess.run(
            [browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", path.as_uri()],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert f"{step + 1} of 9" in done.stdout
        assert walked.steps[step].text in done.stdout
        assert done.stdout.count('class="done"') == step
