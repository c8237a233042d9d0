"""The explanation of a network: rows, totals, one layer unfolded, JSON, HTML."""

import json
import sys
from pathlib import Path

import pytest

from striate import ops
from striate.errors import ShapeError, UnknownNameError
from striate.explanation import call, explain_graph
from striate.graph import Graph, Node

sys.path.append(str(Path(__file__).parents[1] / "arithmetic"))
from arithmetic_networks import Writer, chain, lenet5, resnet


def test_the_table_of_lenet():
    lines = explain_graph(lenet5()).table().splitlines()
    headings = "layer word output parameters multiply-adds memory sees jump"
    assert lines[0].split() == headings.split()
    assert " ".join(lines[2].split()) == "conv2d0 Conv2d (N, 6, 28, 28) 156 117,600 18.4 KiB 5 1"
    assert "linear7" in lines[9] and "48,120" in lines[9] and lines[9].endswith("whole (32)     -")
    text = "\n".join(lines)
    assert "61,706 parameters (241.0 KiB as float32), 95.8% of them in dense layers" in text
    assert "416,520 multiply-adds = 833,040 FLOPs; apart from them 6,518 bias additions" in text
    assert "counted are multiply-adds of convolution and linear layers for one image; bias," in text


def test_one_layer_unfolded():
    assert explain_graph(lenet5(28, padding=2)).layer("conv2d0").splitlines()[:14] == [
        "conv2d0: Conv2d(1, 6, kernel_size=5, padding=2)",
        "reads x (N, 1, 28, 28), gives (N, 6, 28, 28)",
        "",
        "height, width = floor((W - F + 2*P) / S) + 1",
        "              = floor((28 - 5 + 2*2) / 1) + 1",
        "              = 28",
        "",
        "parameters = (n*m*C + 1) * K",
        "           = (5*5*1 + 1) * 6",
        "           = 156",
        "",
        "multiply-adds = output positions * kernel*C * K",
        "              = 28*28 * 5*5*1 * 6",
        "              = 117600",
    ]


def test_the_floor_and_the_field_are_told():
    graph = chain(("N", 1, 7, 8), ops.MaxPool2d(2), ops.Conv2d(1, 1, 3))
    pool = explain_graph(graph).layer("maxpool2d0")
    assert "the last 1 row of the input is never read" in pool
    assert "one value sees 2 x 2 pixels; the first one begins at pixel (0, 0), the image at 0" in pool
    assert "the next begins 2 further on" in pool
    assert "W size of the input, F size of the kernel" in pool


def test_fractional_bounded_and_gated_fields():
    w = Writer("N", 1, 8, 8)
    up = w.add(ops.Upsample(scale_factor=2, mode="bilinear"), name="up")
    w.add(ops.AdaptiveAvgPool2d(1), up, name="squeeze")
    w.add(ops.Multiply(), up, "squeeze", name="gated")
    rows = {line.split()[0]: line.split() for line in explain_graph(w.graph()).table().splitlines()[2:5]}
    assert rows["up"][-3:] == ["<=", "2", "1/2"]
    assert rows["gated"][-4:] == ["whole", "(<=", "2)", "1/2"]
    assert rows["squeeze"][-1] == "-"


def test_totals():
    totals = explain_graph(lenet5()).totals
    assert (totals.parameters, totals.stored, totals.multiply_adds, totals.flops) == (
        61706,
        0,
        416520,
        833040,
    )
    assert totals.head_share == pytest.approx((48120 + 10164 + 850) / 61706)
    batch = explain_graph(lenet5(), (4, 1, 32, 32))
    assert batch.totals.multiply_adds == 4 * 416520
    assert "for a batch of 4 images" in batch.convention


def test_fixed_and_tied_tensors_are_remarked():
    w = Writer("N", 8)
    tied = {"weight": "w"}
    w.add(ops.Linear(8, 8, bias=False), name="a", tensors=tied)
    w.add(ops.Linear(8, 8, bias=False), name="b", tensors=tied)
    w.add(ops.RBF(8, 2), name="out")
    explanation = explain_graph(w.graph(), trainable={"w"})
    assert "it shares tensors with a, where they are counted" in explanation.layer("b")
    assert "16 of its 16 values are fixed, not learned" in explanation.layer("out")
    assert explanation.totals.parameters == 64
    assert "16 stored values are not learned" in explanation.table()


def test_the_most_expensive_layer():
    assert explain_graph(lenet5()).most_expensive == "conv2d3"
    assert (
        explain_graph(chain(("N", 1, 4, 4), ops.MaxPool2d(2), ops.Flatten())).most_expensive == "maxpool2d0"
    )


def test_an_unknown_layer_suggests_the_nearest():
    explanation = explain_graph(lenet5())
    with pytest.raises(UnknownNameError, match=r"got 'conv2d1': did you mean .*conv2d0"):
        explanation.layer("conv2d1")
    with pytest.raises(UnknownNameError, match=r"got '\?': the layers are conv2d0, .*, \.\.\.\."):
        explanation.layer("?")


def test_a_network_that_does_not_fit_is_refused_by_layer():
    with pytest.raises(ShapeError, match="linear7"):
        explain_graph(lenet5(), (1, 28, 28))


def test_json_has_plain_values_only():
    explanation = explain_graph(resnet([2, 2, 2, 2], bottleneck=False))
    written = json.loads(json.dumps(explanation.to_json(), allow_nan=False))
    assert written["totals"]["parameters"] == 11_689_512
    features = next(layer for layer in written["layers"] if layer["name"] == "features")
    assert features["outputs"] == [["N", 512, 7, 7]]
    assert features["field"] == {
        "size": [435, 435],
        "jump": [32.0, 32.0],
        "start": [-217.0, -217.0],
        "whole": [False, False],
        "exact": True,
    }
    first = explanation.layer_json(explanation.rows[0].name)
    assert json.loads(json.dumps(first)) == written["layers"][0]
    assert first["derivations"][0]["substitution"] == "floor((224 - 7 + 2*3) / 2) + 1"


def test_html_is_escaped_and_complete():
    name = "<script>alert(1)</script>"
    node = Node(name, ops.MaxPool2d(2), ("x",))
    html = explain_graph(Graph({"x": ("N", 1, 4, 4)}, (node,), (name,))).to_html()
    assert "<script" not in html
    assert html.count("<details>") == html.count("</details>") == html.count("<tr>") - 1 == 1
    assert "floor((4 - 2 + 2*0) / 2) + 1" in html
    assert '<td class="number">' in html


@pytest.mark.parametrize(
    ("op", "written"),
    [
        (
            ops.Conv2d(3, 64, 7, 2, 3, bias=False),
            "Conv2d(3, 64, kernel_size=7, stride=2, padding=3, bias=False)",
        ),
        (ops.Conv2d(3, 64, (1, 7)), "Conv2d(3, 64, kernel_size=(1, 7))"),
        (ops.MaxPool2d(2), "MaxPool2d(kernel_size=2)"),
        (ops.MaxPool2d(3, 2), "MaxPool2d(kernel_size=3, stride=2)"),
        (ops.MaxPool1d(3, 2), "MaxPool1d(kernel_size=3, stride=2)"),
        (ops.Linear(400, 120), "Linear(400, 120)"),
        (ops.BatchNorm(64), "BatchNorm(64)"),
        (ops.Pad(((1, 1), (1, 1))), "Pad(padding=((1, 1), (1, 1)))"),
        (ops.Mean((2, 3)), "Mean(dim=(2, 3))"),
        (ops.Reshape((4, 4)), "Reshape(shape=(4, 4))"),
        (ops.ReLU(), "ReLU()"),
        (ops.Upsample(scale_factor=2), "Upsample(scale_factor=2.0)"),
    ],
    ids=str,
)
def test_a_word_is_written_as_one_would_write_it(op, written):
    assert call(op) == written
    assert eval(f"ops.{written}") == op


def test_a_layer_without_field_or_parameters():
    w = Writer("N", 3, 4, 4)
    w.add(ops.Constant((3, 1, 1)), name="mean")
    w.add(ops.Subtract(), "x", "mean", name="centred")
    explanation = explain_graph(w.graph())
    assert explanation.layer("mean").splitlines()[1] == "reads nothing, gives (3, 1, 1)"
    assert explanation.row("mean").field is None
    assert explanation.totals.head_share == 0.0
    assert explanation.to_json()["layers"][0]["field"] is None
