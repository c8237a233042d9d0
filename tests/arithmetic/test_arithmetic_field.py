"""Receptive fields: the published anchors, and agreement with what outputs depend on."""

from fractions import Fraction

import pytest
import torch
import torch.nn.functional as F
from arithmetic_networks import Writer, alexnet, chain, lenet5, mobilenet_v1, resnet, vgg16
from hypothesis import given, settings
from hypothesis import strategies as st

from striate import ops
from striate.arithmetic import graph_fields

SETTINGS = settings(max_examples=80, deadline=None, derandomize=True)


def last_map(graph):
    """The field of the last value that still has a place in the image."""
    fields = graph_fields(graph)
    return [field for field in fields.values() if None not in field.jump][-1]


@pytest.mark.parametrize(
    ("graph", "size"),
    [
        (vgg16(), 212),
        (mobilenet_v1(), 315),
        (resnet([2, 2, 2, 2], bottleneck=False), 435),
        (resnet([3, 4, 6, 3], bottleneck=False), 899),
        (resnet([3, 4, 6, 3], bottleneck=True), 427),
        (resnet([3, 4, 23, 3], bottleneck=True), 971),
        (resnet([3, 8, 36, 3], bottleneck=True), 1451),
        (resnet([3, 4, 6, 3], bottleneck=True, stride_in_last_unit=True), 483),
        (resnet([3, 4, 23, 3], bottleneck=True, stride_in_last_unit=True), 1027),
        (resnet([3, 8, 36, 3], bottleneck=True, stride_in_last_unit=True), 1507),
    ],
    ids=["vgg16", "mobilenet", "r18", "r34", "r50", "r101", "r152", "slim50", "slim101", "slim152"],
)
def test_published_fields(graph, size):
    """google-research/receptive_field's table, and the same networks as torchvision strides them."""
    field = last_map(graph)
    assert field.size == (size, size)
    assert field.jump == (32, 32)
    assert field.exact
    assert not field.notes


def test_alexnet_sees_195_pixels_and_its_head_sees_the_image():
    graph = alexnet()
    fields = graph_fields(graph)
    features = fields["maxpool2d12"]
    assert (features.size, features.jump, features.start) == ((195, 195), (32, 32), (-66, -66))
    assert features.whole == (False, False)
    assert fields[graph.nodes[-1].name].whole == (True, True)


def test_each_window_gives_its_reason():
    reasons = graph_fields(lenet5())["conv2d3"].derivations
    assert [str(reason) for reason in reasons] == ["6 + (5 - 1)*2 = 14"] * 2
    assert reasons[0].formula == "R + (F - 1)*J"


WINDOW = st.tuples(st.integers(1, 4), st.integers(1, 2), st.integers(0, 1), st.integers(1, 3))
LENGTH = 60


@st.composite
def layers(draw, resampling):
    """A chain of 1-d words, each with the function that runs it; means, so that nothing cancels."""
    kinds = ["conv", "pool", "pad", "slice"] + (["transposed", "nearest", "linear"] if resampling else [])
    chosen = draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=4))
    return [_layer(kind, *draw(WINDOW)) for kind in chosen]


def _layer(kind, k, s, p, d):
    weight = torch.full((1, 1, k), 1 / k, dtype=torch.float64)
    p = min(p, k // 2)
    match kind:
        case "conv":
            return ops.Conv1d(1, 1, k, s, p, d, bias=False), lambda x: F.conv1d(x, weight, None, s, p, d)
        case "pool":
            return ops.AvgPool1d(k, s, p), lambda x: F.avg_pool1d(x, k, s, p)
        case "pad":
            return ops.Pad(((p, d),)), lambda x: F.pad(x, (p, d))
        case "slice":
            return ops.Slice(2, k, None, s), lambda x: x[:, :, k::s]
        case "transposed":
            word = ops.ConvTranspose1d(1, 1, k, s, p, bias=False, dilation=d)
            return word, lambda x: F.conv_transpose1d(x, weight, None, s, p, dilation=d)
        case _:
            word = ops.Upsample(scale_factor=s, mode=kind)
            return word, lambda x: F.interpolate(x, scale_factor=s, mode=kind)


def run(made, x):
    for _, function in made:
        x = function(x)
    return x


def reached(function, length=LENGTH):
    """For each output: the first and last pixel it depends on, and whether no padding took part.

    The words of these chains are linear: pushing every unit picture through gives all derivatives at once.
    """
    units = torch.eye(length, dtype=torch.float64)[:, None, :]
    matrix = function(units)[:, 0, :].T
    found = []
    for row in matrix:
        pixels = row.nonzero().flatten().tolist()
        unpadded = bool(torch.isclose(row.sum(), torch.ones((), dtype=torch.float64)))
        found.append((pixels[0], pixels[-1], unpadded) if pixels else None)
    return found


@SETTINGS
@given(layers(resampling=False))
def test_outputs_depend_on_exactly_the_field(made):
    """Size, jump and start are exact: output i sees the pixels from start + i * jump on."""
    *_, field = graph_fields(chain((1, 1, LENGTH), *(word for word, _ in made))).values()
    assert field.exact
    for i, interval in enumerate(reached(lambda x: run(made, x))):
        if interval is not None and interval[2]:
            first = field.start[0] + i * field.jump[0]
            assert interval[:2] == (first, first + field.size[0] - 1)


@SETTINGS
@given(layers(resampling=True))
def test_after_resampling_the_field_is_a_bound(made):
    *_, field = graph_fields(chain((1, 1, LENGTH), *(word for word, _ in made))).values()
    for i, interval in enumerate(reached(lambda x: run(made, x))):
        if interval is not None:
            first = field.start[0] + i * field.jump[0]
            assert first <= interval[0]
            assert interval[1] <= first + field.extent[0]
            assert interval[1] - interval[0] + 1 <= field.size[0]


@SETTINGS
@given(layers(resampling=False), st.integers(1, 6), st.booleans())
def test_branches_join_to_their_hull(made, kernel, concatenate):
    """A chain and a convolution of the image at the same jump meet; the sum depends on the hull."""
    w = Writer(1, 1, LENGTH)
    for word, _ in made:
        w.add(word)
    end, jump = w.last, int(graph_fields(w.graph())[w.last].jump[0])
    weight = torch.full((1, 1, kernel), 1 / kernel, dtype=torch.float64)
    one = reached(lambda x: run(made, x))
    two = reached(lambda x: F.conv1d(x, weight, None, jump))
    least = min(len(one), len(two))
    side = w.add(ops.Conv1d(1, 1, kernel, jump, bias=False), "x")
    cut = [w.add(ops.Slice(2, 0, least), value) for value in (end, side)]
    joined = w.add(ops.Concat(1) if concatenate else ops.Add(), *cut)
    field = graph_fields(w.graph())[joined]
    for i, (a, b) in enumerate(zip(one[:least], two[:least], strict=True)):
        if a is not None and a[2]:
            first = field.start[0] + i * field.jump[0]
            assert (min(a[0], b[0]), max(a[1], b[1])) == (first, first + field.size[0] - 1)


def test_shifted_branches_are_reported():
    w = Writer(1, 1, 8)
    a = w.add(ops.Conv1d(1, 1, 2, padding=((0, 1),)))
    field_ = w.add(ops.Add(), a, "x")
    field = graph_fields(w.graph())[field_]
    assert field.notes == ("the branches are shifted against each other by 1/2 pixels along image axis 0",)
    assert (field.size, field.start) == ((2,), (0,))


def test_branches_of_other_jumps_are_reported():
    w = Writer(1, 1, 8)
    a = w.add(ops.MaxPool1d(2), "x")
    b = w.add(ops.Slice(2, 0, 4), "x")
    field = graph_fields(w.graph(w.add(ops.Add(), a, b)))[w.last]
    assert field.notes == (
        "the branches move 2 and 1 pixels a step along image axis 0: they are not aligned",
    )
    assert not field.exact
    assert field.size == (8,)


def test_a_gate_lets_every_value_depend_on_the_whole_image():
    """Squeeze-and-excitation: windows see 3 pixels, the gate the whole image."""
    w = Writer("N", 4, 16, 16)
    x = w.add(ops.Conv2d(4, 4, 3, padding=1))
    w.add(ops.AdaptiveAvgPool2d(1))
    w.add(ops.Conv2d(4, 4, 1))
    gate = w.add(ops.Sigmoid())
    for order in [(x, gate), (gate, x)]:
        joined = w.add(ops.Multiply(), *order)
        field = graph_fields(w.graph())[joined]
        assert (field.size, field.jump, field.whole) == ((3, 3), (1, 1), (True, True))
    after = w.add(ops.Conv2d(4, 4, 3), joined)
    assert graph_fields(w.graph())[after].size == (5, 5)
    assert graph_fields(w.graph())[after].whole == (True, True)


@pytest.mark.parametrize("op", [ops.GlobalResponseNorm(4), ops.Softmax(2)], ids=str)
def test_a_norm_over_space_sees_it_all(op):
    field = graph_fields(chain((1, 4, 6, 6), op))["globalresponsenorm0" if hasattr(op, "eps") else "softmax0"]
    assert field.whole[0]
    assert field.jump == (1, 1)


def test_space_to_depth_by_reshape_keeps_count_of_pixels():
    """(1, H, W) -> (4, H/2, W/2) by reshape and permute; a 1x1 convolution then sees 2x2 pixels."""
    graph = chain(
        ("N", 1, 8, 8),
        ops.Reshape((1, 4, 2, 4, 2)),
        ops.Permute((0, 1, 3, 5, 2, 4)),
        ops.Reshape((4, 4, 4)),
        ops.Conv2d(4, 8, 1),
    )
    field = graph_fields(graph)["conv2d3"]
    assert (field.size, field.jump, field.start, field.exact) == ((2, 2), (2, 2), (0, 0), True)


def test_sizes_that_cut_across_pixels_give_a_bound():
    field = graph_fields(chain(("N", 1, 6, 4), ops.Reshape((8, 3)), ops.Linear(3, 2)))["linear1"]
    assert not field.exact
    assert field.size == (6, 4)


def test_channels_last_linear_layers_see_one_pixel():
    """ConvNeXt's pointwise layers: permute, linear, permute."""
    graph = chain(
        ("N", 3, 8, 8),
        ops.Permute((0, 2, 3, 1)),
        ops.Linear(3, 6),
        ops.Permute((0, 3, 1, 2)),
        ops.MaxPool2d(2),
    )
    field = graph_fields(graph)["maxpool2d3"]
    assert (field.size, field.jump) == ((2, 2), (2, 2))


def test_a_value_that_does_not_depend_on_the_image_has_no_field():
    w = Writer("N", 3, 4, 4)
    c = w.add(ops.Constant((3, 1, 1)), name="mean")
    w.add(ops.Subtract(), "x", c)
    fields = graph_fields(w.graph())
    assert fields["mean"] is None
    assert fields[w.last].size == (1, 1)


def test_adaptive_windows_that_differ_are_bounded():
    field = graph_fields(chain((1, 1, 7), ops.AdaptiveAvgPool1d(3)))["adaptiveavgpool1d0"]
    assert (field.jump, field.exact) == ((Fraction(7, 3),), False)
    true = reached(lambda x: F.adaptive_avg_pool1d(x, 3), 7)
    assert max(last - first + 1 for first, last, _ in true) <= field.size[0]
