"""Whole graphs: order, freeing, other outputs, and errors that name the layer."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from striate import ops
from striate.errors import ArgumentError, GraphError, ShapeError, UnsupportedError
from striate.graph.graph import Graph, Node
from striate.reference import convolution as convolution_room
from striate.reference import forward, meaning, run

X = np.arange(32, dtype=float).reshape(2, 1, 4, 4)


def pooled() -> Graph:
    """x -> pool (values, indices) -> relu of the values -> unpool with the indices; + a constant."""
    return Graph(
        {"x": ("N", 1, 4, 4)},
        (
            Node("pool", ops.MaxPool2d(2, return_indices=True), ("x",)),
            Node("relu", ops.ReLU(), ("pool:0",)),
            Node("unpool", ops.MaxUnpool2d(2), ("relu", "pool:1")),
            Node("one", ops.Constant((1,)), (), {"value": "one.value"}),
            Node("sum", ops.Add(), ("unpool", "one")),
        ),
        ("sum",),
    )


WEIGHTS = {"one.value": np.array([1.0])}


def test_a_second_output_goes_its_own_way() -> None:
    y = run(pooled(), WEIGHTS, X)
    expected = np.ones((2, 1, 4, 4))
    for n in range(2):
        for i in (1, 3):
            for j in (1, 3):
                expected[n, 0, i, j] += X[n, 0, i, j]
    np.testing.assert_array_equal(y, expected)


def test_other_outputs_may_be_asked_for_and_run_only_what_they_need() -> None:
    places, values = run(pooled(), {}, {"x": X}, outputs=("pool:1", "pool:0"))  # without the constant
    np.testing.assert_array_equal(places[0, 0], [[5, 7], [13, 15]])
    np.testing.assert_array_equal(values, X[:, :, 1::2, 1::2])


def test_keep_collects_every_value() -> None:
    kept: dict[str, np.ndarray] = {}
    run(pooled(), WEIGHTS, X, keep=kept)
    assert set(kept) == {"pool", "pool:1", "relu", "unpool", "one", "sum"}


def test_an_input_may_be_an_output() -> None:
    graph = Graph({"x": ("N",)}, (Node("y", ops.Negate(), ("x",)),), ("x", "y"))
    x, y = run(graph, {}, np.array([1.0, 2.0]))
    np.testing.assert_array_equal(x, -y)


def test_values_are_freed_after_their_last_use(monkeypatch: pytest.MonkeyPatch) -> None:
    alive: list[int] = []
    module = sys.modules["striate.reference.run"]  # the function shadows its module's name
    original = module._free

    def watched(values, uses, node):  # type: ignore[no-untyped-def]
        original(values, uses, node)
        alive.append(len(values))

    monkeypatch.setattr(module, "_free", watched)
    nodes = [Node("n0", ops.Negate(), ("x",))]
    nodes += [Node(f"n{i}", ops.Negate(), (f"n{i - 1}",)) for i in range(1, 20)]
    run(Graph({"x": ("N",)}, tuple(nodes), ("n19",)), {}, np.ones(3))
    assert max(alive) == 1


def test_dtype_rules_everything_but_indices() -> None:
    kept: dict[str, np.ndarray] = {}
    run(pooled(), WEIGHTS, X, dtype=np.float32, keep=kept)
    assert {name: value.dtype for name, value in kept.items() if name != "pool:1"} == dict.fromkeys(
        ["pool", "relu", "unpool", "one", "sum"], np.dtype(np.float32)
    )
    assert kept["pool:1"].dtype == np.int64


def test_an_empty_batch_gives_an_empty_answer() -> None:
    graph = Graph(
        {"x": ("N", 2, 8, 8)},
        (
            Node("conv", ops.Conv2d(2, 3, 3), ("x",), {"weight": "w", "bias": "b"}),
            Node("pool", ops.MaxPool2d(2, return_indices=True, padding=1), ("conv",)),
            Node("mean", ops.AvgPool2d(2), ("pool",)),
            Node("up", ops.ConvTranspose2d(3, 2, 2, bias=False), ("mean",), {"weight": "t"}),
            Node("flat", ops.Flatten(), ("up",)),
            Node("again", ops.Reshape((2, -1)), ("flat",)),
        ),
        ("again",),
    )
    weights = {"w": np.ones((3, 2, 3, 3)), "b": np.ones(3), "t": np.ones((3, 2, 2, 2))}
    assert run(graph, weights, np.zeros((0, 2, 8, 8))).shape == (
        0,
        2,
        run(graph, weights, np.zeros((1, 2, 8, 8))).shape[-1],
    )


def test_a_batch_in_pieces_is_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(7, 4, 9, 9)), rng.normal(size=(6, 2, 3, 3))
    op = ops.Conv2d(4, 6, 3, groups=2, bias=False)
    whole = forward(op, [x], {"weight": w})
    monkeypatch.setattr(convolution_room, "COLUMN_BYTES", 1)
    np.testing.assert_allclose(forward(op, [x], {"weight": w}), whole, rtol=1e-12)


def network(op: ops.Op, shape: tuple[int | str, ...] = ("N", 3, 8, 8)) -> Graph:
    return Graph({"x": shape}, (Node("stage.layer", op, ("x",), {r: r for r in op.roles}),), ("stage.layer",))


def test_errors_name_the_layer() -> None:
    weights = {"weight": np.zeros((4, 5, 3, 3)), "bias": np.zeros(4)}
    with pytest.raises(ShapeError, match=r"stage\.layer \(Conv2d\): .* in_channels=5 .* axis 1") as caught:
        run(network(ops.Conv2d(5, 4, 3)), weights, np.zeros((1, 3, 8, 8)))
    assert caught.value.layer == "stage.layer"
    with pytest.raises(ShapeError, match=r"spans 9 values and axis 2 has 8"):
        run(network(ops.MaxPool2d(9)), {}, np.zeros((1, 3, 8, 8)))
    with pytest.raises(ShapeError, match=r"weight of Conv2d must have shape \(4, 3, 3, 3\)"):
        run(network(ops.Conv2d(3, 4, 3)), weights, np.zeros((1, 3, 8, 8)))
    with pytest.raises(GraphError, match=r"tensor 'bias' that stage\.layer \(Conv2d\) needs"):
        run(network(ops.Conv2d(5, 4, 3)), {"weight": weights["weight"]}, np.zeros((1, 3, 8, 8)))
    with pytest.raises(UnsupportedError, match=r"stage\.layer \(Upsample\): align_corners has no meaning"):
        run(network(ops.Upsample(scale_factor=2, align_corners=True)), {}, np.zeros((1, 3, 8, 8)))


def test_inputs_are_checked() -> None:
    graph = network(ops.ReLU())
    with pytest.raises(ShapeError, match=r"x must have shape \(N, 3, 8, 8\), got \(1, 3, 8, 7\)"):
        run(graph, {}, np.zeros((1, 3, 8, 7)))
    with pytest.raises(ArgumentError, match=r"inputs must be \['x'\], got \['y'\]"):
        run(graph, {}, {"y": np.zeros((1, 3, 8, 8))})
    for unknown in ("nothing", "stage.layer:1", "x:one"):
        with pytest.raises(GraphError, match=f"outputs must be values of this graph, got '{unknown}'"):
            run(graph, {}, np.zeros((1, 3, 8, 8)), outputs=[unknown])


def test_sizes_that_cannot_be_broadcast_are_a_shape_error() -> None:
    graph = Graph({"x": ("N", 3), "y": ("N", 4)}, (Node("sum", ops.Add(), ("x", "y")),), ("sum",))
    with pytest.raises(ShapeError, match=r"sum \(Add\): .*broadcast"):
        run(graph, {}, {"x": np.zeros((1, 3)), "y": np.zeros((1, 4))})


def test_forward_checks_what_it_is_given() -> None:
    with pytest.raises(ArgumentError, match="inputs of Add must be 2, got 1"):
        forward(ops.Add(), [X], {})
    with pytest.raises(ArgumentError, match="inputs of Concat must be at least 1, got 0"):
        forward(ops.Concat(), [], {})
    with pytest.raises(ArgumentError, match="weights of Linear must hold 'bias'"):
        forward(ops.Linear(4, 2), [X], {"weight": np.zeros((2, 4))})


def test_a_word_has_one_meaning() -> None:
    with pytest.raises(ArgumentError, match="ReLU must have one meaning"):
        meaning(ops.ReLU)(lambda op, x: x)


def test_indices_never_point_into_the_padding() -> None:
    lowest = np.full((1, 1, 2, 2), -np.inf)
    _, places = forward(ops.MaxPool2d(2, padding=1, return_indices=True), [lowest], {})
    np.testing.assert_array_equal(places[0, 0], [[0, 1], [2, 3]])


def test_pools_pass_not_a_number_on() -> None:
    x = np.array([[[1.0, np.nan, 3.0, 4.0]]])
    values, places = forward(ops.MaxPool1d(2, return_indices=True), [x], {})
    np.testing.assert_array_equal(values, [[[np.nan, 4.0]]])
    np.testing.assert_array_equal(places, [[[1, 3]]])


def test_unpool_refuses_places_outside() -> None:
    with pytest.raises(ShapeError, match="indices must be places in a plane of 4 values, got 9"):
        forward(ops.MaxUnpool2d(2), [np.ones((1, 1, 1, 1)), np.full((1, 1, 1, 1), 9)], {})


def test_asymmetric_padding_decides_how_far_ceil_mode_reaches() -> None:
    x = np.arange(1.0, 6.0).reshape(1, 1, 5)
    few = forward(ops.MaxPool1d(2, stride=2, padding=((0, 0),), ceil_mode=True), [x], {})
    np.testing.assert_array_equal(few, [[[2, 4, 5]]])
    before = forward(ops.MaxPool1d(2, stride=2, padding=((1, 0),), ceil_mode=True), [x], {})
    np.testing.assert_array_equal(before, [[[1, 3, 5]]])
    mean = forward(ops.AvgPool1d(3, stride=2, padding=((0, 1),), ceil_mode=True), [x], {})
    np.testing.assert_array_equal(mean, [[[2, 4, 2.5]]])  # the padding counts, what lies beyond it does not


def test_asymmetric_pooling_padding() -> None:
    x = np.arange(1.0, 5.0).reshape(1, 1, 4)
    y = forward(ops.AvgPool1d(2, padding=((1, 0),), count_include_pad=False), [x], {})
    np.testing.assert_array_equal(y, [[[1.0, 2.5]]])
    y = forward(ops.MaxPool1d(2, padding=((1, 0),)), [-x], {})
    np.testing.assert_array_equal(y, [[[-1.0, -2.0]]])
