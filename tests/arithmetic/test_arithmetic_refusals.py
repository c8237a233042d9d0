"""What does not fit is refused in one sentence that names argument, rule, value and remedy."""

import re

import pytest

from striate import ops
from striate.arithmetic import output_shapes
from striate.errors import ArgumentError, ShapeError

IMAGE = ("N", 3, 5, 5)


@pytest.mark.parametrize(
    ("op", "inputs", "message"),
    [
        (
            ops.Conv2d(3, 2, 7),
            [IMAGE],
            "kernel_size must fit into the padded input, so that the height does not vanish, got 7: "
            "floor((5 - 7 + 2*0) / 1) + 1 = -1: give an input with a height of at least 7, "
            "or a smaller kernel.",
        ),
        (
            ops.Conv2d(3, 2, 3, dilation=3),
            [IMAGE],
            "got 3, 7 with its dilation: floor((5 - (3*(3 - 1) + 1) + 2*0) / 1) + 1 = -1",
        ),
        (
            ops.Conv2d(4, 2, 3),
            [IMAGE],
            "in_channels must equal the channels that arrive, 3 in (N, 3, 5, 5), got 4: write in_channels=3.",
        ),
        (ops.MaxPool2d((2, 9)), [IMAGE], "so that the width does not vanish, got 9"),
        (
            ops.Linear(400, 120),
            [("N", 256)],
            "in_features must equal the features that arrive, 256 in "
            "(N, 256), got 400: write in_features=256.",
        ),
        (
            ops.Conv2d(3, 2, 3),
            [(3, 5, 5)],
            "input must have the 4 axes (N, C, H, W), got the shape "
            "(3, 5, 5): add the batch axis; input without one is not supported.",
        ),
        (ops.MaxPool1d(2), [IMAGE], "input must have the 3 axes (N, C, L)"),
        (
            ops.ConvTranspose2d(3, 2, 2, padding=3),
            [(1, 3, 2, 2)],
            "padding must leave something of the height, got 3: (2 - 1)*1 - 2*3 + 2 = -3: pad less",
        ),
        (
            ops.Conv2d(3, 2, 3, padding=5, padding_mode="reflect"),
            [IMAGE],
            "padding must be at most 4 where padding_mode is 'reflect' and the height is 5, got 5",
        ),
        (
            ops.Conv2d(3, 2, 3, padding=6, padding_mode="circular"),
            [IMAGE],
            "padding must be at most 5 where padding_mode is 'circular'",
        ),
        (ops.Pad(((3, 3), (3, 3)), "circular"), [(1, 1, 2, 2)], "padding must be at most 2"),
        (
            ops.Pad(((-3, -2), (0, 0))),
            [IMAGE],
            "padding must leave something of the height, got (-3, -2): 5 - 3 - 2 = 0: crop less.",
        ),
        (ops.AvgPool3d(2, padding=1), [(1, 1, 1, 4, 4)], "kernel_size must be at most the input (1, 4, 4)"),
        (
            ops.MaxUnpool2d(2, output_size=(9, 4)),
            [(1, 1, 2, 2)] * 2,
            "output_size must differ from (2 - 1)*2 - 2*0 + 2 = 4 by less than the stride 2, got 9",
        ),
        (ops.MaxUnpool2d(2), [(1, 1, 2, 2), (1, 1, 2, 3)], "indices must have the shape of the values"),
        (
            ops.Upsample(scale_factor=0.1),
            [IMAGE],
            "scale_factor must leave something of the height, got "
            "0.1: floor(5 * 0.1) = 0: give at least 1/5.",
        ),
        (
            ops.Upsample(2, mode="linear"),
            [IMAGE],
            "input must have 3 axes, batch included, for mode 'linear'",
        ),
        (
            ops.Add(),
            [("N", 8, 5, 5), ("N", 8, 4, 4)],
            "inputs must have equal sizes or 1 on every axis, "
            "counted from the last: 5 meets 4, got (N, 8, 5, 5) and (N, 8, 4, 4)",
        ),
        (ops.Add(), [("N", 8), (3, 8)], "N meets 3"),
        (ops.Concat(1), [("N", 8, 5, 5), ("N", 8, 4, 5)], "inputs must agree on every axis but 1"),
        (
            ops.Concat(0),
            [("N", 8), ("N", 8)],
            "axis 0 must be a number here, got the symbolic size N: give the batch as a number.",
        ),
        (
            ops.Flatten(0),
            [("N", 8)],
            "start_dim must leave the symbolic batch alone in (N, 8), got 0: write start_dim=1",
        ),
        (ops.Flatten(2, 1), [IMAGE], "start_dim must not come after end_dim=1, got 2"),
        (
            ops.Reshape((2, 40)),
            [IMAGE],
            "shape must hold the 3*5*5 = 75 values of each sample of (N, 3, 5, 5), got (2, 40) for 80 values",
        ),
        (ops.Permute((0, 1)), [IMAGE], "dims must name all 4 axes of (N, 3, 5, 5)"),
        (ops.Mean((1, -3)), [IMAGE], "dim must name every axis of (N, 3, 5, 5) once"),
        (
            ops.Softmax(7),
            [IMAGE],
            "dim must name one of the 4 axes of (N, 3, 5, 5), got 7: choose between -4 and 3.",
        ),
        (ops.Slice(1, 3, 3), [IMAGE], "start must select something of the 3 entries on axis 1"),
        (ops.ChannelShuffle(2), [IMAGE], "groups must divide the 3 channels that arrive, got 2"),
        (
            ops.BatchNorm(4),
            [IMAGE],
            "num_features must equal the channels that arrive, 3 in (N, 3, 5, 5), "
            "got 4: write num_features=3.",
        ),
        (ops.GlobalResponseNorm(3), [("N", 3)], "input must have at least 3 axes, got (N, 3)"),
        (ops.Constant((0, 2)), [], "output must have at least 1 value on every axis, got (0, 2)"),
        (ops.ReLU(), [(1, 0, 2)], "input shape must have integers of at least 1"),
        (ops.ReLU(), [(1, True)], "input shape must have integers of at least 1"),
        (ops.ReLU(), [(1, 2.0)], "input shape must have integers of at least 1"),
        (ops.MaxPool2d(2), [("N", 3, "H", 4)], "height must be a number here, got the symbolic size H"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, ops.Op) else "",
)
def test_refusal(op, inputs, message):
    with pytest.raises(ShapeError, match=re.escape(message)):
        output_shapes(op, inputs)


@pytest.mark.parametrize(("op", "inputs"), [(ops.Add(), [IMAGE]), (ops.Concat(), []), (ops.ReLU(), [])])
def test_a_wrong_number_of_inputs_is_refused(op, inputs):
    with pytest.raises(ArgumentError, match=r"input_shapes must be .* give one for each\."):
        output_shapes(op, inputs)


def test_the_remedy_is_the_smallest_size_that_works():
    for op in [
        ops.Conv2d(1, 1, 5, 2, 1),
        ops.MaxPool2d(5, 2, 1, ceil_mode=True),
        ops.Conv2d(1, 1, 3, dilation=3),
    ]:
        with pytest.raises(ShapeError) as refusal:
            output_shapes(op, [(1, 1, 1, 99)])
        least = int(re.search(r"at least (\d+)", str(refusal.value))[1])
        assert output_shapes(op, [(1, 1, least, 99)]).shape[2] == 1
        with pytest.raises(ShapeError):
            output_shapes(op, [(1, 1, least - 1, 99)])
