"""The reasons are the textbook's: formula, substitution, result, and what the floor threw away."""

import pytest

from striate import ops
from striate.arithmetic import Derivation, cost, output_shapes, parameters


def height(op, *shape):
    return output_shapes(op, [shape]).derivations[0]


def test_the_textbook_example():
    """W = 5, F = 3, P = 1, S = 2: N = 3. And (3*3*3 + 1) * 2 parameters."""
    op = ops.Conv2d(3, 2, 3, stride=2, padding=1)
    assert str(height(op, "N", 3, 5, 5)) == "floor((5 - 3 + 2*1) / 2) + 1 = 3"
    assert height(op, "N", 3, 5, 5).remark == ""
    assert str(parameters(op)) == "(3*3*3 + 1) * 2 = 56"


def test_the_full_text():
    lines = height(ops.Conv2d(3, 2, 3, stride=2), "N", 3, 6, 5).text().splitlines()
    assert lines == [
        "height = floor((W - F + 2*P) / S) + 1",
        "       = floor((6 - 3 + 2*0) / 2) + 1",
        "       = 2",
        "  the last 1 row of the input is never read",
    ]


@pytest.mark.parametrize(
    ("op", "size", "line", "remark"),
    [
        (ops.Conv2d(1, 1, 3, dilation=2), 9, "floor((9 - (2*(3 - 1) + 1) + 2*0) / 1) + 1 = 5", ""),
        (
            ops.Conv2d(1, 1, 3, 2, padding=((1, 0), 0)),
            7,
            "floor((7 - 3 + (1 + 0)) / 2) + 1 = 3",
            "the last 1 row of the padded input is never read",
        ),
        (
            ops.Conv2d(1, 1, 3, 2, padding=1),
            6,
            "floor((6 - 3 + 2*1) / 2) + 1 = 3",
            "the last 1 row of the padded input is never read, which is padding only",
        ),
        (
            ops.Conv2d(1, 1, 4, padding="same"),
            6,
            "floor((6 - 4 + (1 + 2)) / 1) + 1 = 6",
            "'same' pads 3 in all, 1 before and 2 after",
        ),
        (
            ops.MaxPool2d(3, 2, ceil_mode=True),
            6,
            "ceil((6 - 3 + 2*0) / 2) + 1 = 3",
            "the last window reaches 1 row past the padded input",
        ),
        (
            ops.MaxPool2d(2, 3, padding=1, ceil_mode=True),
            5,
            "ceil((5 - 2 + 2*1) / 3) + 1 - 1 = 2",
            "one window less: it would start at 6, past the input and the padding before it (6); "
            "PyTorch drops such a window; the last 2 rows of the padded input are never read",
        ),
        (ops.ConvTranspose2d(1, 1, 3, 2, 1, 1), 4, "(4 - 1)*2 - 2*1 + 3 + 1 = 8", ""),
        (ops.AdaptiveAvgPool2d(1), 7, "output_size = 1", "one window covers all 7"),
        (
            ops.AdaptiveAvgPool2d(3),
            7,
            "output_size = 3",
            "window i covers floor(i*7/3) to ceil((i + 1)*7/3) - 1",
        ),
        (ops.Upsample(scale_factor=1.5), 5, "floor(5 * 1.5) = 7", ""),
        (ops.Pad(((2, -1), (0, 0))), 5, "5 + 2 - 1 = 6", ""),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, ops.Op) else None,
)
def test_every_argument_is_in_the_formula(op, size, line, remark):
    derivation = height(op, "N", 1, size, 9)
    assert str(derivation) == line
    assert derivation.remark == remark


def test_axes_are_named_in_every_number_of_them():
    def names(op, *shape):
        return [derivation.quantity for derivation in output_shapes(op, [shape]).derivations]

    assert names(ops.MaxPool1d(2), 1, 1, 4) == ["length"]
    assert names(ops.MaxPool2d(2), 1, 1, 4, 4) == ["height", "width"]
    assert names(ops.MaxPool3d(2), 1, 1, 4, 4, 4) == ["depth", "height", "width"]


@pytest.mark.parametrize(
    ("op", "line"),
    [
        (ops.Conv2d(1, 6, 5), "(5*5*1 + 1) * 6 = 156"),
        (ops.Conv2d(1, 6, 5, bias=False), "5*5*1 * 6 = 150"),
        (ops.Conv2d(32, 32, 3, groups=32), "(3*3*32/32 + 1) * 32 = 320"),
        (ops.Conv1d(4, 2, 3), "(3*4 + 1) * 2 = 26"),
        (ops.ConvTranspose2d(4, 6, 2, groups=2), "2*2*4 * 6/2 + 6 = 54"),
        (ops.Linear(400, 120), "(400 + 1) * 120 = 48120"),
        (ops.Linear(400, 120, bias=False), "400 * 120 = 48000"),
        (ops.RBF(84, 10), "84 * 10 = 840"),
        (ops.BatchNorm(64), "2 * 64 = 128"),
        (ops.BatchNorm(64, affine=False), "0"),
        (ops.LayerNorm(64, bias=False), "64"),
        (ops.PReLU(8), "8"),
        (ops.Constant((3, 3)), "0"),
    ],
    ids=str,
)
def test_parameters(op, line):
    assert str(parameters(op)) == line


def test_cost_keeps_the_conventions_apart():
    convolution = cost(ops.Conv2d(3, 64, 11, 4, 2), [("N", 3, 224, 224)])
    assert str(convolution.multiply_adds) == "55*55 * 11*11*3 * 64 = 70276800"
    assert (convolution.bias_additions, convolution.other_operations) == (64 * 55 * 55, 0)
    assert convolution.activation_bytes == 4 * 64 * 55 * 55
    pool = cost(ops.MaxPool2d(3, 2), [("N", 64, 55, 55)])
    assert (pool.multiply_adds.result, pool.other_operations) == (0, 9 * 64 * 27 * 27)
    assert cost(ops.Flatten(), [("N", 4, 2, 2)]).other_operations == 0
    assert cost(ops.AdaptiveAvgPool2d(1), [("N", 4, 7, 7)]).other_operations == 4 * 49
    rows = cost(ops.Linear(4, 5), [("N", 7, 4)]).multiply_adds
    assert str(rows) == "7 * 4 * 5 = 140"


def test_steps_are_indented_under_their_sum():
    derivation = Derivation("c", "a + b", "1 + 2", 3, steps=(Derivation("a", "1", "1", 1),))
    assert derivation.text().splitlines() == ["c = a + b", "  = 1 + 2", "  = 3", "  a = 1"]
