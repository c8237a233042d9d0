"""Every word with a kernel against the reference: all arguments, odd sizes, several images."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from engine_world import (
    chain,
    compare,
    one_word,
    outside,
    program_of,
    random_inputs,
    random_weights,
    relative_error,
)
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from striate import ops
from striate.arithmetic import output_shapes
from striate.errors import ShapeError
from striate.graph.graph import Graph, Node
from striate.ops import WORDS
from striate.reference import forward, run

FEW = settings(max_examples=25, deadline=None, derandomize=True)
SIZES = st.sampled_from([1, 2, 3, 5, 7, 11, 13, 17])
CHANNELS = st.sampled_from([1, 2, 3, 5, 8, 16, 17, 24, 33])


def fits(op: ops.Op, *shapes: tuple[int, ...]) -> bool:
    try:
        output_shapes(op, [("N", *shape) for shape in shapes])
    except ShapeError:
        return False
    return True


@st.composite
def convolutions(draw: Any) -> tuple[ops.Conv, tuple[int, ...]]:
    axes = draw(st.sampled_from([1, 2, 2, 2]))
    groups = draw(st.sampled_from([1, 1, 1, 2, 3, 4, 8]))
    inputs, outputs = (draw(CHANNELS) for _ in range(2))
    if groups > 1:
        inputs, outputs = (
            groups * draw(st.sampled_from([1, 2, 4, 5, 16])),
            groups * draw(st.sampled_from([1, 2, 4, 5, 16])),
        )
    kernel = tuple(draw(st.sampled_from([1, 2, 3, 3, 5, 7, 11])) for _ in range(axes))
    stride = tuple(draw(st.sampled_from([1, 1, 2, 3])) for _ in range(axes))
    dilation = tuple(draw(st.sampled_from([1, 1, 2])) for _ in range(axes))
    side = st.integers(0, 3)
    padding = tuple(draw(st.one_of(side, st.tuples(side, side))) for _ in range(axes))
    if set(stride) == {1} and draw(st.booleans()):
        padding = "same"
    cls = ops.Conv1d if axes == 1 else ops.Conv2d
    op = cls(inputs, outputs, kernel, stride, padding, dilation, groups, draw(st.booleans()))
    shape = (inputs, *(draw(SIZES) for _ in range(axes)))
    assume(fits(op, shape))
    return op, shape


@settings(FEW, max_examples=60)
@given(convolutions(), st.integers(1, 5))
def test_convolutions(case: tuple[ops.Conv, tuple[int, ...]], images: int) -> None:
    op, shape = case
    compare(one_word(op, shape), images, limit=5e-6)


@pytest.mark.parametrize("size", [(4, 4), (5, 7), (9, 8), (14, 14), (17, 31), (56, 56)])
@pytest.mark.parametrize("channels", [(16, 16), (20, 37), (64, 48)])
def test_three_by_three(size: tuple[int, int], channels: tuple[int, int]) -> None:
    """Winograd's tiles at all kinds of edges, and the plain sum where exactness is asked for."""
    graph = chain(ops.Conv2d(*channels, 3, padding=1), ops.ReLU(), shape=(channels[0], *size))
    fast = compare(graph, 2, limit=5e-6)
    exact = compare(graph, 2, limit=1e-6, exact=True)
    families = {step.part.kernel.family for step in exact.plan.steps}  # type: ignore[union-attr]
    assert "winograd" not in families
    assert fast.plan.arena > 0


@st.composite
def pairs(draw: Any) -> tuple[tuple[ops.Op, ...], tuple[int, ...]]:
    """1x1 and depthwise, as in an inverted residual."""
    inputs, wide = draw(CHANNELS), draw(st.sampled_from([1, 8, 17, 40, 72]))
    kernel, dilation = draw(st.sampled_from([1, 2, 3, 5, (3, 1)])), draw(st.sampled_from([1, 1, 2]))
    stride, padding = draw(st.sampled_from([1, 1, 2, (2, 3)])), draw(st.sampled_from([0, 1, (2, 1)]))
    depthwise = ops.Conv2d(wide, wide, kernel, stride, padding, dilation, groups=wide)
    between = draw(st.sampled_from([(), (ops.ReLU6(),), (ops.SiLU(),)]))
    words = (ops.Conv2d(inputs, wide, 1), *between, depthwise, ops.HardSwish())
    shape = (inputs, draw(SIZES), draw(SIZES))
    assume(fits(depthwise, (wide, *shape[1:])))
    return words, shape


@settings(FEW, max_examples=40)
@given(pairs(), st.integers(1, 3), st.sampled_from([2**10, 2**13, 2**18]))
def test_pairs_of_convolutions(
    case: tuple[tuple[ops.Op, ...], tuple[int, ...]], images: int, room: int
) -> None:
    """In one pass, with strips of any height."""
    words, shape = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("striate.engine.kernels.pair.ROOM", room)
        program = compare(chain(*words, shape=shape), images, limit=5e-6)
    assert "1x1 + depthwise" in {step.part.kernel.family for step in program.plan.steps}  # type: ignore[union-attr]


TRANSPOSED = [
    (ops.ConvTranspose2d(5, 7, 4, 2, 1), (6, 7)),
    (ops.ConvTranspose2d(9, 6, (3, 5), (3, 2), (1, 0), (2, 1), dilation=(2, 3)), (5, 4)),
    (ops.ConvTranspose2d(12, 8, 2, 3, groups=4), (4, 3)),  # a phase that no tap paints
    (ops.ConvTranspose2d(20, 20, 4, 2, 1, groups=20, bias=False), (5, 5)),
    (ops.ConvTranspose2d(16, 16, 3, padding=1), (8, 8)),  # one phase: an ordinary convolution
    (ops.ConvTranspose2d(3, 4, 2, 5, 6), (4, 4)),  # more is cut off than a phase is wide
    (ops.ConvTranspose1d(6, 5, 5, 2, 2, 1), (9,)),
]


@pytest.mark.parametrize(("op", "size"), TRANSPOSED)
def test_transposed_convolutions(op: ops.ConvTranspose2d, size: tuple[int, ...]) -> None:
    compare(chain(op, ops.ReLU(), shape=(op.in_channels, *size)), 2)


def test_a_transposed_convolution_adds_what_joins_it() -> None:
    nodes = (
        Node("up", ops.ConvTranspose2d(6, 9, 2, 2), ("x0",), {"weight": "w", "bias": "b"}),
        Node("sum", ops.Add(), ("up", "x1")),
        Node("end", ops.ReLU(), ("sum",)),
    )
    program = compare(Graph({"x0": ("N", 6, 5, 4), "x1": ("N", 9, 10, 8)}, nodes, ("end",)), 3)
    families = [step.part.kernel.family for step in program.plan.steps]  # type: ignore[union-attr]
    assert families[-1] == "interleave" and "elementwise" not in families


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("shape", [(3, 6, 5), (20, 7, 4), (5, 9)])
def test_all_paddings(mode: str, shape: tuple[int, ...]) -> None:
    """Of a convolution, and as a word of its own, before a convolution and before something else."""
    axes, sides = len(shape) - 1, ((2, 1), (0, 2))[-(len(shape) - 1) :]
    conv = ops.Conv1d if axes == 1 else ops.Conv2d
    compare(one_word(conv(shape[0], 5, 3, padding=1, padding_mode=mode), shape), 2)
    compare(chain(ops.Pad(sides, mode), ops.Tanh(), shape=shape), 2)
    compare(chain(ops.Pad(sides, mode), conv(shape[0], 5, 3, padding=1), shape=shape), 2)


@pytest.mark.parametrize(
    "op",
    [
        ops.Pad(((-1, 2), (1, -2))),
        ops.Slice(2, 1, None, 2),
        ops.Slice(-1, 1, -1),
        ops.Upsample(scale_factor=2.0),
        ops.Upsample(size=(9, 11)),
        ops.Upsample(size=(13, 4), mode="bilinear"),
        ops.Upsample(scale_factor=2.0, mode="bilinear", align_corners=True),
    ],
)
def test_pixels_picked(op: ops.Op) -> None:
    compare(chain(op, ops.ReLU(), shape=(19, 6, 7)), 2)


@pytest.mark.parametrize("channels", [1, 3, 8, 21, 96])
@pytest.mark.parametrize("size", [(), (4, 3)])
def test_words_over_channels(channels: int, size: tuple[int, ...]) -> None:
    words: list[ops.Op] = [ops.LayerNorm(channels), ops.Softmax(1), ops.LogSoftmax(1)]
    if size:
        words += [ops.LocalResponseNorm(5, 0.3, 0.75, 2), ops.LocalResponseNorm(4, 0.5, 0.6)]
        words += [ops.GlobalResponseNorm(channels), ops.LayerNorm(channels, affine=False)]
    for op in words:
        compare(chain(op, ops.Tanh(), shape=(channels, *size)), 2, limit=5e-6)


@pytest.mark.parametrize(
    ("join", "number", "first"),
    [
        (ops.Multiply, 1.7, False),
        (ops.Add, -0.3, True),
        (ops.Subtract, 0.4, False),
        (ops.Subtract, 0.4, True),
        (ops.Divide, 3.0, False),
        (ops.Power, 2.0, False),
        (ops.Power, 0.75, False),
        (ops.Power, -1.5, False),
    ],
)
def test_joins_with_a_number(join: type[ops.Op], number: float, first: bool) -> None:
    """Alone, and after a convolution that takes them over."""
    for before in (ops.Absolute(), ops.Conv2d(5, 5, 1)):
        if join is ops.Power and number != 2.0 and not isinstance(before, ops.Absolute):
            continue
        nodes = [Node("a", before, ("x0",), {role: f"a.{role}" for role in before.roles})]
        nodes.append(Node("n", ops.Constant(()), (), {"value": "n"}))
        nodes.append(Node("y", join(), ("n", "a") if first else ("a", "n")))
        graph = Graph({"x0": ("N", 5, 4, 3)}, tuple(nodes), ("y",))
        weights = {**random_weights(graph), "n": np.array(number, np.float32)}
        program = program_of(graph, weights)
        inputs = random_inputs(graph, 2)
        expected = run(graph, weights, inputs)
        (found,) = program(inputs, ("y",))
        assert relative_error(found, expected) < 2e-6
        assert outside(program.plan) == [] and len(program.plan.steps) == 1


@st.composite
def pools(draw: Any) -> tuple[ops.Op, tuple[int, ...]]:
    axes = draw(st.sampled_from([1, 2]))
    kernel = tuple(draw(st.sampled_from([1, 2, 3, 5])) for _ in range(axes))
    stride = tuple(draw(st.sampled_from([1, 2, 3])) for _ in range(axes))
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    ceil = draw(st.booleans())
    name = draw(st.sampled_from(["MaxPool", "MinPool", "AvgPool"]))
    cls = WORDS[f"{name}{axes}d"]
    if name == "AvgPool":
        divisor = draw(st.sampled_from([None, None, 3]))
        op = cls(kernel, stride, padding, ceil, draw(st.booleans()), divisor)  # type: ignore[call-arg]
    else:
        dilation = tuple(draw(st.sampled_from([1, 1, 2])) for _ in range(axes))
        op = cls(kernel, stride, padding, dilation, False, ceil)  # type: ignore[call-arg]
    shape = (draw(CHANNELS), *(draw(SIZES) for _ in range(axes)))
    assume(fits(op, shape))
    return op, shape


@settings(FEW, max_examples=40)
@given(pools(), st.integers(1, 3))
def test_pools(case: tuple[ops.Op, tuple[int, ...]], images: int) -> None:
    op, shape = case
    compare(one_word(op, shape), images, compiled=False)


def test_ordinary_pools_are_compiled() -> None:
    for op in (ops.MaxPool2d(3, 2, 1), ops.MinPool2d(2), ops.AvgPool2d(3, 2, 1, ceil_mode=True)):
        compare(one_word(op, (20, 13, 11)), 2)


@FEW
@given(st.sampled_from(["Avg", "Max"]), CHANNELS, SIZES, SIZES, st.integers(1, 5), st.integers(1, 5))
def test_adaptive_pools(kind: str, channels: int, height: int, width: int, rows: int, columns: int) -> None:
    op = WORDS[f"Adaptive{kind}Pool2d"]((rows, columns))  # type: ignore[call-arg]
    compare(one_word(op, (channels, height, width)), 2)


@pytest.mark.parametrize("op", [ops.Mean((2, 3)), ops.Mean((-1, -2), keepdim=True), ops.Sum((2, 3))])
def test_means_over_the_map(op: ops.Op) -> None:
    compare(one_word(op, (19, 7, 5)), 3)


POINTWISE = [
    ops.ReLU(),
    ops.ReLU6(),
    ops.Clamp(-0.5, 0.7),
    ops.Clamp(None, 0.2),
    ops.LeakyReLU(0.2),
    ops.Sigmoid(),
    ops.Tanh(),
    ops.SiLU(),
    ops.ELU(0.7),
    ops.SELU(),
    ops.GELU(),
    ops.GELU("tanh"),
    ops.GELU("sigmoid"),
    ops.HardSigmoid(),
    ops.HardSwish(),
    ops.Negate(),
    ops.Absolute(),
]
FUNCTIONS = [ops.Exponential(), ops.SquareRoot(), ops.Logarithm()]


@pytest.mark.parametrize(
    "op", [*POINTWISE, *FUNCTIONS, ops.PReLU(), ops.PReLU(21), ops.Scale(21), ops.Scale(21, bias=False)]
)
def test_pointwise_words(op: ops.Op) -> None:
    compare(one_word(op, (21, 4, 3)), 2)


@pytest.mark.parametrize("op", POINTWISE)
def test_activations_far_from_zero(op: ops.Op) -> None:
    """Every magnitude from 1e-30 to 1e4, both signs, and what is not a number stays so."""
    graph = one_word(op, (4001,))
    x = np.concatenate([-np.logspace(4, -30, 2000), [0.0], np.logspace(-30, 4, 2000)]).astype(np.float32)
    x = x.reshape(1, -1)
    (found,) = program_of(graph, {})({"x0": x}, graph.outputs)
    expected = forward(op, [x.astype(np.float64)], {})
    allowed = 3e-6 * np.abs(expected) + 2e-6 * np.minimum(1, np.abs(x))
    assert np.all(np.abs(found - expected) <= allowed), op
    x[0, 7] = np.nan
    (found,) = program_of(graph, {})({"x0": x}, graph.outputs)
    assert np.isnan(found[0, 7]) and np.isfinite(np.delete(found, 7)).all()


MAP, GATE = (21, 4, 3), (21, 1, 1)


@pytest.mark.parametrize("join", ["Add", "Subtract", "Multiply", "Divide", "Maximum", "Minimum"])
@pytest.mark.parametrize(
    "shapes", [((21, 4, 3), (21, 4, 3)), ((21, 4, 3), (21, 1, 1)), ((21, 1, 1), (21, 4, 3))]
)
def test_joins(join: str, shapes: tuple[tuple[int, ...], ...]) -> None:
    compare(one_word(WORDS[join](), *shapes), 2)


@FEW
@given(CHANNELS, CHANNELS, st.integers(0, 20), st.integers(1, 3))
def test_channels_that_move(a: int, b: int, start: int, step: int) -> None:
    shapes = ((a, 3, 2), (b, 3, 2))
    inputs = {f"x{i}": ("N", *shape) for i, shape in enumerate(shapes)}
    total = a + b
    start = start % total
    nodes = [Node("both", ops.Concat(1), ("x0", "x1"))]
    last = "both"
    if total % 2 == 0:
        nodes.append(Node("shuffled", ops.ChannelShuffle(2), (last,)))
        last = "shuffled"
    nodes.append(Node("some", ops.Slice(1, start, None, step), (last,)))
    nodes.append(Node("result", ops.ReLU(), ("some",)))
    compare(Graph(inputs, tuple(nodes), ("result",)), 2)


@pytest.mark.parametrize("shape", [(12,), (3, 4, 5), (17, 1, 3), (70, 2, 2)])
@pytest.mark.parametrize("images", [1, 3, 4, 9])
def test_dense_layers_see_the_whole_map(
    shape: tuple[int, ...], images: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one part and in several, images in tiles and alone."""
    words = [ops.Flatten()] if len(shape) > 1 else []
    layers = ops.Linear(int(np.prod(shape)), 61), ops.ReLU(), ops.Linear(61, 5, bias=False)
    for part in (2**17, 2**9):
        monkeypatch.setattr("striate.engine.kernels.dense.PART", part)
        program = compare(chain(*words, *layers, shape=shape), images)
        assert [step.part.kernel.family for step in program.plan.steps] == ["dense", "dense"]  # type: ignore[union-attr]


def test_a_map_made_by_a_dense_layer() -> None:
    compare(
        chain(ops.Linear(10, 48), ops.Reshape((3, 4, 4)), ops.Conv2d(3, 5, 3), shape=(10,)), 2, compiled=False
    )


def test_words_without_a_kernel_run_in_numpy_between_the_others() -> None:
    words = (ops.Conv2d(3, 8, 3), ops.ReLU(), ops.LocalResponseNorm(9), ops.Conv2d(8, 4, 3), ops.Softmax(2))
    program = compare(chain(*words, shape=(3, 9, 8)), 3, compiled=False)
    assert outside(program.plan) == ["LocalResponseNorm", "Softmax"]


def test_pool_and_unpool_keep_whole_indices() -> None:
    nodes = (
        Node("pool", ops.MaxPool2d(2, return_indices=True), ("x0",)),
        Node("back", ops.MaxUnpool2d(2), ("pool", "pool:1")),
    )
    compare(Graph({"x0": ("N", 3, 6, 4)}, nodes, ("back",)), 2, compiled=False)


def test_no_images() -> None:
    graph = chain(ops.Conv2d(3, 8, 3), ops.Flatten(), shape=(3, 5, 5))
    weights = random_weights(graph)
    (found,) = program_of(graph, weights)(random_inputs(graph, 0), graph.outputs)
    assert found.shape == (0, 72)
