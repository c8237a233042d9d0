"""The atlas of activations: what is measured is what is known of each of them in closed form."""

from __future__ import annotations

import json
import math
import sys

import numpy as np
import pytest

from striate import ops
from striate.errors import ArgumentError, MissingExtraError, UnknownNameError
from striate.explanation.atlas import ATLAS, TEXTBOOK, atlas
from striate.explanation.atlas_figure import atlas_figure
from striate.explanation.operations import costly, operations
from striate.explanation.portrait import SATURATED, portrait

INF = math.inf
RANGES = {  # low, high, whether they are reached
    "sigmoid": (0, 1, False, False),
    "tanh": (-1, 1, False, False),
    "relu": (0, INF, True, False),
    "leaky_relu": (-INF, INF, False, False),
    "elu": (-1, INF, False, False),
    "selu": (-1.0507009873554805 * 1.6732632423543772, INF, False, False),
    "gelu": (-0.1699712, INF, True, False),
    "silu": (-0.2784645, INF, True, False),
    "prelu": (-INF, INF, False, False),
    "relu6": (0, 6, True, True),
    "hardtanh": (-1, 1, True, True),
    "hardsigmoid": (0, 1, True, True),
    "hardswish": (-0.375, INF, True, False),
}


@pytest.mark.parametrize("name", RANGES)
def test_range(name: str) -> None:
    one = portrait(name, ATLAS[name])
    assert (one.low, one.high) == pytest.approx(RANGES[name][:2], abs=1e-6)
    assert (one.low_reached, one.high_reached) == RANGES[name][2:]


def test_where_the_gradient_fades_and_where_it_dies() -> None:
    sigmoid, tanh = portrait("", ops.Sigmoid()), portrait("", ops.Tanh())
    s = (1 + math.sqrt(1 - 4 * SATURATED)) / 2  # s (1 - s) = SATURATED
    edge = math.log(s / (1 - s))
    assert [*sum(sigmoid.saturated, ())] == pytest.approx([-INF, -edge, edge, INF], abs=1e-6)
    assert tanh.saturated[1] == pytest.approx((math.atanh(math.sqrt(1 - SATURATED)), INF), abs=1e-6)
    assert sigmoid.dead == tanh.dead == ()
    (fades,) = portrait("", ops.ELU()).saturated
    assert fades == pytest.approx((-INF, math.log(SATURATED)), abs=1e-6)
    assert portrait("", ops.ReLU()).dead == ((-INF, 0.0),)
    assert portrait("", ops.ReLU6()).dead == ((-INF, 0.0), (6.0, INF))
    assert portrait("", ops.HardSwish()).dead == ((-INF, -3.0),)
    assert portrait("", ops.LeakyReLU()).dead == portrait("", ops.LeakyReLU()).saturated == ()
    assert portrait("", ops.GELU("tanh")).dead == (), "its slope fades, it is 0 in floating point only"


def test_slope_mean_and_form() -> None:
    sigmoid, gelu = portrait("", ops.Sigmoid()), portrait("", ops.GELU())
    assert (sigmoid.steepest, sigmoid.steepest_at) == (0.25, 0.0)
    assert gelu.steepest_at == pytest.approx(math.sqrt(2), abs=1e-6)
    assert gelu.smooth and not gelu.monotonic
    assert sigmoid.mean == pytest.approx(0.5) and not sigmoid.zero_centred and not sigmoid.odd
    tanh = portrait("", ops.Tanh())
    assert tanh.zero_centred and tanh.odd and tanh.monotonic and tanh.smooth
    relu = portrait("", ops.ReLU())
    assert relu.mean == pytest.approx(1 / math.sqrt(2 * math.pi), abs=1e-6) and not relu.smooth
    selu = portrait("", ops.SELU())
    assert selu.zero_centred and selu.deviation == pytest.approx(1, abs=1e-6), "what its constants are for"


def test_operations_are_those_of_the_formula() -> None:
    assert operations(ops.ReLU()) == {"maximum": 1}
    assert operations(ops.HardSwish()) == {"divide": 1, "add": 1, "clip": 1, "multiply": 1}
    assert costly(operations(ops.Sigmoid())) == 2, "an exponential and a division"
    assert operations(ops.PReLU()) == operations(ops.LeakyReLU())


def test_names() -> None:
    assert [one.name for one in atlas("textbook").portraits] == list(TEXTBOOK)
    assert [one.name for one in atlas("all").portraits] == list(ATLAS)
    assert atlas("LeakyReLU").portraits[0].word == ops.LeakyReLU()
    assert atlas("elu(alpha=2), leaky-relu(0.2)").portraits[1].word == ops.LeakyReLU(0.2)
    assert atlas("elu(alpha=2)").portraits[0].low == pytest.approx(-2)
    assert atlas("clamp(0, 20)").portraits[0].high == 20


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("gelo", UnknownNameError, "got 'gelo': did you mean gelu"),
        ("conv2d", UnknownNameError, "must name an activation"),
        ("softmax", ArgumentError, "looks at a whole axis"),
        ("relu(1)", ArgumentError, "must carry arguments of ReLU"),
        ("elu(alpha=open('x'))", ArgumentError, "write for example elu"),
        ("elu(2", ArgumentError, "must carry arguments of ELU"),
        ("elu()+1()", ArgumentError, "must carry arguments of ELU"),
        ("clamp", ArgumentError, "min_val must be given"),
        ("gelu('erf')", ArgumentError, "approximate must be one of"),
    ],
)
def test_refusals(name: str, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        atlas(name)


def test_text_and_json() -> None:
    text = atlas("gelu").text()
    assert "range          [-0.17, inf)" in text
    assert "falls and rises again, its lowest value is -0.169971; has no corner" in text
    assert "deviation 0.5879: not zero-centred" in text
    table = atlas("sigmoid,relu").text().splitlines()
    assert table[1].split("  ")[0] == "sigmoid"
    assert "x < -4.585, x > 4.585" in table[1] and "x < 0" in table[2]
    (written,) = json.loads(json.dumps(atlas("relu6").to_json(), allow_nan=False))
    assert written["gradient_dies"] == [[None, 0.0], [6.0, None]]
    assert written["range"] == {"low": 0.0, "low_reached": True, "high": 6.0, "high_reached": True}


@pytest.mark.parametrize(
    ("kind", "start"), [(".svg", b"<?xml"), (".png", b"\x89PNG"), (".html", b"<!doctype")]
)
def test_the_figure(kind: str, start: bytes) -> None:
    content = atlas_figure(atlas("textbook"), kind)
    assert content.startswith(start)
    if kind != ".png":
        text = content.decode()
        assert all(f">{name}</text>" in text for name in TEXTBOOK)
        assert "<script" not in text and 'src="http' not in text
    if kind == ".svg":
        assert content == atlas_figure(atlas("textbook"), kind)


def test_a_figure_of_another_kind_or_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ArgumentError, match=r"--out must end in .svg, .png, .html, got '.jpg'"):
        atlas_figure(atlas("relu"), ".jpg")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match="matplotlib"):
        atlas_figure(atlas("relu"), ".svg")


def test_the_gap_in_the_drawn_derivative() -> None:
    from striate.explanation.atlas_figure import _broken

    x = np.linspace(-6, 6, 1201)
    assert np.isnan(_broken(portrait("", ops.ReLU()), x)).sum() == 1
    assert not np.isnan(_broken(portrait("", ops.Sigmoid()), x)).any()
