"""Folded networks compute what they computed before, with fewer steps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate import ops
from striate.graph import Graph, Node
from striate.graph.fold import fold_batch_norm
from striate.ops import Op
from striate.ops.weights import weight_shapes
from striate.reference.run import run

Arrays = dict[str, np.ndarray]
IMAGE = ("N", 4, 7, 7)


def node(name: str, op: Op, *inputs: str, tensors: str | None = None, source: str | None = None) -> Node:
    return Node(name, op, inputs, {role: f"{tensors or name}.{role}" for role in op.roles}, source)


def network(nodes: list[Node], outputs: tuple[str, ...] = (), shape: tuple[int | str, ...] = IMAGE) -> Graph:
    return Graph({"x": shape}, tuple(nodes), outputs or (nodes[-1].name,))


def tensors_of(graph: Graph, seed: int = 0, dtype: type = np.float64) -> Arrays:
    rng = np.random.default_rng(seed)
    made: Arrays = {}
    for entry in graph:
        for role, shape in weight_shapes(entry.op).items():
            values = rng.normal(size=shape)
            values = np.abs(values) + 0.1 if role == "running_var" else values
            made[entry.weights[role]] = values.astype(dtype)
    return made


def assert_same(graph: Graph, weights: Arrays, tolerance: float = 1e-12) -> tuple[list[str], Arrays]:
    """Fold, compare all outputs on random images; the words that are left, and their tensors."""
    before = {name: array.copy() for name, array in weights.items()}
    folded, new = fold_batch_norm(graph, weights)
    shape = tuple(3 if size == "N" else int(size) for size in graph.inputs["x"])
    x = np.random.default_rng(7).normal(size=shape)
    expected, found = run(graph, weights, x), run(folded, new, x)
    pairs = zip(expected, found, strict=True) if isinstance(expected, tuple) else [(expected, found)]
    for a, b in pairs:
        np.testing.assert_allclose(b, a, rtol=tolerance, atol=tolerance * np.abs(a).max())
    assert all(np.array_equal(weights[name], before[name]) for name in before), (
        "the given tensors are changed"
    )
    assert set(new) == set(folded.tensor_names())
    return [type(entry.op).__name__ for entry in folded], new


def norm(name: str, value: str, features: int = 4, affine: bool = True) -> Node:
    return node(name, ops.BatchNorm(features, eps=1e-3, affine=affine), value)


LINEAR_MAPS: list[Op] = [
    ops.Conv2d(4, 6, 3),
    ops.Conv2d(4, 6, (3, 1), stride=2, padding="valid", bias=False),
    ops.Conv2d(4, 6, 3, padding=((1, 0), (2, 1)), groups=2, dilation=2),
    ops.Conv2d(4, 6, 3, padding="same", padding_mode="circular"),
    ops.ConvTranspose2d(4, 6, 3, stride=2, output_padding=1),
    ops.ConvTranspose2d(4, 6, 2, groups=2, bias=False),
]


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("op", LINEAR_MAPS, ids=repr)
def test_batch_norm_disappears(op: Op, affine: bool) -> None:
    graph = network([node("conv", op, "x"), norm("bn", "conv", 6, affine), node("relu", ops.ReLU(), "bn")])
    words, tensors = assert_same(graph, tensors_of(graph))
    assert words == [type(op).__name__, "ReLU"]
    assert set(tensors) == {"conv.folded.weight", "conv.folded.bias"}


@pytest.mark.parametrize(
    ("word", "shape"),
    [(ops.Conv1d, (2, 4, 9)), (ops.Conv3d, (2, 4, 4, 4, 4)), (ops.ConvTranspose1d, (2, 4, 5))],
)
def test_other_numbers_of_axes(word: type[Op], shape: tuple[int, ...]) -> None:
    graph = network([node("conv", word(4, 6, 3), "x"), norm("bn", "conv", 6)], shape=shape)
    assert assert_same(graph, tensors_of(graph))[0] == [word.__name__]


def test_float32_stays_float32() -> None:
    graph = network([node("conv", ops.Conv2d(4, 6, 3), "x"), norm("bn", "conv", 6)])
    _, tensors = assert_same(graph, tensors_of(graph, dtype=np.float32), tolerance=1e-6)
    assert {array.dtype for array in tensors.values()} == {np.dtype(np.float32)}


def test_linear_before_batch_norm() -> None:
    graph = network([node("fc", ops.Linear(5, 3), "x"), norm("bn", "fc", 3)], shape=("N", 5))
    assert assert_same(graph, tensors_of(graph))[0] == ["Linear"]


def test_batch_norm_on_another_axis_than_the_linear_map_stays() -> None:
    """(N, L, features): the norm is over L, which the linear map does not touch."""
    graph = network([node("fc", ops.Linear(5, 4), "x"), norm("bn", "fc", 4)], shape=("N", 4, 5))
    assert assert_same(graph, tensors_of(graph))[0] == ["Linear", "Scale"]


@pytest.mark.parametrize(
    "shrink",
    [
        [ops.Flatten()],
        [ops.Mean((2, 3))],
        [ops.Reshape((4, -1)), ops.Sum((2,))],
        [ops.Flatten(2), ops.Mean((2,), True), ops.Reshape((4,))],
    ],
)
def test_rank_is_known_behind_reshapes(shrink: list[Op]) -> None:
    nodes = [node(f"s{index}", op, f"s{index - 1}" if index else "x") for index, op in enumerate(shrink)]
    features = 196 if shrink == [ops.Flatten()] else 4
    nodes += [node("fc", ops.Linear(features, 3), nodes[-1].name), norm("bn", "fc", 3)]
    assert assert_same(network(nodes), tensors_of(network(nodes)))[0][-1] == "Linear"


def test_scale_folds_too_and_several_after_each_other() -> None:
    graph = network(
        [
            node("conv", ops.Conv2d(4, 6, 3, bias=False), "x"),
            norm("bn", "conv", 6),
            node("scale", ops.Scale(6, bias=False), "bn"),
            node("shift", ops.Scale(6), "scale"),
        ]
    )
    assert assert_same(graph, tensors_of(graph))[0] == ["Conv2d"]


def test_layer_scale_in_channels_last() -> None:
    scale = node("gamma", ops.Scale(4, bias=False, dim=-1), "fc")
    graph = network([node("fc", ops.Linear(7, 4), "x"), scale])
    assert assert_same(graph, tensors_of(graph))[0] == ["Linear"]


def test_scale_on_the_last_axis_of_a_convolution_stays() -> None:
    scale = node("columns", ops.Scale(7, bias=False, dim=-1), "conv")
    graph = network([node("conv", ops.Conv2d(4, 4, 1), "x"), scale])
    assert assert_same(graph, tensors_of(graph))[0] == ["Conv2d", "Scale"]


def test_first_batch_norm_becomes_a_scale() -> None:
    conv = node("conv", ops.Conv2d(4, 2, 1), "relu")
    graph = network([norm("bn", "x"), node("relu", ops.ReLU(), "bn"), conv])
    words, tensors = assert_same(graph, tensors_of(graph))
    assert words == ["Scale", "ReLU", "Conv2d"]
    assert {"bn.folded.weight", "bn.folded.bias"} <= set(tensors)


def test_nothing_is_folded_where_the_convolution_is_read_elsewhere() -> None:
    conv, bn = node("conv", ops.Conv2d(4, 4, 1), "x"), norm("bn", "conv")
    graph = network([conv, bn, node("add", ops.Add(), "conv", "bn")])
    assert assert_same(graph, tensors_of(graph))[0] == ["Conv2d", "Scale", "Add"]
    assert assert_same(network([conv, bn], ("conv", "bn")), tensors_of(network([conv, bn])))[0] == [
        "Conv2d",
        "Scale",
    ]


def test_two_readers_of_the_same_norm_are_no_hindrance() -> None:
    graph = network(
        [
            node("conv", ops.Conv2d(4, 4, 1), "x"),
            norm("bn", "conv"),
            node("relu", ops.ReLU(), "bn"),
            node("add", ops.Add(), "relu", "bn"),
            norm("bn2", "bn"),
        ],
        ("add", "bn2"),
    )
    assert assert_same(graph, tensors_of(graph))[0] == ["Conv2d", "ReLU", "Add", "Scale"]


def test_dropout_and_identity_are_dropped_and_do_not_hide_a_norm() -> None:
    graph = network(
        [
            node("drop", ops.Dropout(0.5), "x"),
            node("conv", ops.Conv2d(4, 4, 1), "drop"),
            node("same", ops.Identity(), "conv"),
            norm("bn", "same"),
            node("drop2", ops.Dropout(0.1, channels=True), "bn"),
        ]
    )
    words, _ = assert_same(graph, tensors_of(graph))
    assert words == ["Conv2d"]
    assert fold_batch_norm(graph, tensors_of(graph))[0].outputs == ("conv",)


def test_a_graph_of_nothing_but_dropout_gives_its_input() -> None:
    folded, weights = fold_batch_norm(network([node("drop", ops.Dropout(), "x")]), {})
    assert (len(folded), folded.outputs, weights) == (0, ("x",), {})


def test_tied_convolutions_with_different_norms_get_weights_of_their_own() -> None:
    nodes = [
        node("a", ops.Conv2d(4, 4, 1), "x", tensors="shared"),
        norm("bn_a", "a"),
        node("b", ops.Conv2d(4, 4, 1), "bn_a", tensors="shared"),
        norm("bn_b", "b"),
        node("c", ops.Conv2d(4, 4, 1), "bn_b", tensors="shared"),
    ]
    words, tensors = assert_same(network(nodes), tensors_of(network(nodes)))
    assert words == ["Conv2d"] * 3
    assert set(tensors) == {
        *("a.folded.weight", "a.folded.bias", "b.folded.weight", "b.folded.bias"),
        *("shared.weight", "shared.bias"),
    }


def test_a_block_called_twice_keeps_one_set_of_tensors() -> None:
    conv, bn = ops.Conv2d(4, 4, 1), ops.BatchNorm(4)
    nodes = [
        node("conv", conv, "x"),
        node("bn", bn, "conv"),
        node("conv#2", conv, "bn", tensors="conv"),
        node("bn#2", bn, "conv#2", tensors="bn"),
        node("scale", ops.Scale(4), "bn#2"),
    ]
    words, tensors = assert_same(network(nodes), tensors_of(network(nodes)))
    assert words == ["Conv2d", "Conv2d"]
    assert len(tensors) == 4, "the scale after the second call must not reach the first"
    words, tensors = assert_same(network(nodes[:4]), tensors_of(network(nodes[:4])))
    assert set(tensors) == {"conv.folded.weight", "conv.folded.bias"}


# --- through pools ----------------------------------------------------------------------------------------


def pooled(pool: Op, *, negative: bool) -> tuple[Graph, Arrays]:
    conv = node("conv", ops.Conv2d(4, 6, 1), "x")
    graph = network([conv, node("pool", pool, "conv"), norm("bn", "pool", 6)])
    weights = tensors_of(graph)
    signs = np.where(np.arange(6) == 2, -1 if negative else 0, 1)
    weights["bn.weight"] = np.abs(weights["bn.weight"]) * signs
    return graph, weights


@pytest.mark.parametrize("negative", [True, False])
@pytest.mark.parametrize(
    "pool",
    [
        ops.MaxPool2d(3, 2, padding=1),
        ops.AvgPool2d(3, 2, ceil_mode=True),
        ops.AvgPool2d(3, 2, padding=1, count_include_pad=False),
        ops.AvgPool2d(3, 2, padding=1),
        ops.AvgPool2d(3, 2, divisor_override=5),
        ops.MinPool2d(2),
    ],
    ids=repr,
)
def test_pools_let_factors_pass_where_that_is_exact(pool: Op, negative: bool) -> None:
    words, _ = assert_same(*pooled(pool, negative=negative))
    refused = isinstance(pool, ops.MinPool2d) or (negative and isinstance(pool, ops.MaxPool2d))
    if isinstance(pool, ops.AvgPool2d):
        refused = pool.divisor_override is not None or (pool.pads[0] != (0, 0) and pool.count_include_pad)
    assert words == ["Conv2d", type(pool).__name__] + (["Scale"] if refused else [])


def test_pools_that_give_indices_or_are_read_twice_let_nothing_pass() -> None:
    graph, weights = pooled(ops.MaxPool2d(2, return_indices=True), negative=False)
    unpool = node("up", ops.MaxUnpool2d(2, output_size=7), "bn", "pool:1")
    assert assert_same(network([*graph.nodes, unpool]), weights)[0][2] == "Scale"
    graph, weights = pooled(ops.MaxPool2d(2), negative=False)
    assert assert_same(network(list(graph.nodes), ("pool", "bn")), weights)[0][2] == "Scale"


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_random_networks_compute_the_same(data: st.DataObject) -> None:
    """Chains and branches of maps, norms, scales, pools of size 1, activations and dropout, some tied."""
    values, nodes = ["x"], []
    made: list[Op] = [
        *(
            ops.Conv2d(4, 4, 1),
            ops.Conv2d(4, 4, 3, padding=1, groups=2, bias=False),
            ops.ConvTranspose2d(4, 4, 1),
        ),
        *(ops.BatchNorm(4), ops.BatchNorm(4, affine=False), ops.Scale(4), ops.Scale(4, bias=False)),
        *(ops.Linear(7, 7), ops.Scale(7, dim=-1), ops.ReLU(), ops.Dropout(), ops.Identity(), ops.Add()),
        *(ops.MaxPool2d(3, 1, 1), ops.AvgPool2d(3, 1, 1, count_include_pad=False)),
    ]
    for index in range(data.draw(st.integers(1, 10))):
        op = data.draw(st.sampled_from(made))
        recent = [data.draw(st.sampled_from(values[-2:])) for _ in range(op.arity or 1)]
        shared = data.draw(st.sampled_from([None, repr(op)]))
        nodes.append(node(f"n{index}", op, *recent, tensors=shared))
        values.append(f"n{index}")
    outputs = (values[-1], *data.draw(st.lists(st.sampled_from(values), max_size=2)))
    graph = network(nodes, outputs)
    assert_same(graph, tensors_of(graph, data.draw(st.integers(0, 99))), tolerance=1e-11)


def test_sources_and_inputs_are_kept() -> None:
    conv = node("conv", ops.Conv2d(4, 4, 1), "x", source="net.py:3")
    graph = network([conv, norm("bn", "conv")])
    folded, _ = fold_batch_norm(graph, tensors_of(graph))
    assert folded.inputs == graph.inputs
    assert folded["conv"].source == "net.py:3"
