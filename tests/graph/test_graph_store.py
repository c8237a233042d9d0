"""Graphs as JSON: what is written is read back equal, and nothing else is read."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from striate.errors import ArgumentError, GraphError, UnsupportedError
from striate.graph import Graph, Node
from striate.graph.store import FORMAT, graph_from_json, graph_to_json
from striate.ops import WORDS, Clamp, Conv2d, MaxPool2d, MaxUnpool2d, Op, Pad, ReLU

small = st.integers(1, 4)
real = st.floats(-1e30, 1e30, allow_nan=False)
positive = st.floats(1e-9, 1e9)


def per_axis(axes: int, entry: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(entry, st.tuples(*[entry] * axes))


def field_strategy(word: type[Op], name: str) -> st.SearchStrategy[Any]:
    """Values that the field ``name`` may have; combinations a word refuses are thrown away."""
    axes = getattr(word, "axes", 2)
    window = per_axis(axes, small)
    if name == "padding" and word is Pad:
        return st.lists(st.tuples(st.integers(-2, 5), st.integers(-2, 5)), min_size=1, max_size=3).map(tuple)
    if name in ("kernel_size", "stride", "dilation"):
        return window
    if name == "padding":
        sides = per_axis(axes, st.one_of(st.integers(0, 2), st.tuples(st.integers(0, 2), st.integers(0, 2))))
        return st.one_of(sides, st.sampled_from(["same", "valid"]))
    if name == "output_size":
        return per_axis(axes, st.one_of(small, st.none()) if "Adaptive" in word.__name__ else small)
    if name == "bias" or name in BOOLEANS:
        return st.booleans()
    return BY_NAME[name]


BOOLEANS = {
    *("affine", "return_indices", "ceil_mode", "count_include_pad", "keepdim", "channels", "align_corners"),
}
axis = st.integers(-1, 3)
BY_NAME: dict[str, st.SearchStrategy[Any]] = {
    "quant_min": st.integers(-128, 0),
    "quant_max": st.integers(1, 255),
    **dict.fromkeys(("in_channels", "out_channels", "groups", "num_features", "num_channels"), small),
    **dict.fromkeys(("in_features", "out_features", "num_parameters"), small),
    **dict.fromkeys(("eps", "beta", "k"), positive),
    "output_padding": st.integers(0, 1),
    "padding_mode": st.sampled_from(["zeros", "reflect", "replicate", "circular"]),
    "mode": st.sampled_from(["zeros", "reflect", "replicate", "circular", "nearest", "linear", "bilinear"]),
    "divisor_override": st.one_of(st.none(), small),
    "value": st.one_of(real, st.sampled_from([float("inf"), float("-inf")])),
    "size": st.one_of(st.none(), st.tuples(small, small), small),
    "scale_factor": st.one_of(st.none(), st.tuples(positive, positive)),
    "alpha": positive,
    "p": st.floats(0, 1),
    "shape": st.lists(small, max_size=4).map(tuple),
    "dim": st.one_of(axis, st.tuples(axis, axis)),
    "dims": st.permutations(range(4)).map(tuple),
    "start_dim": axis,
    "end_dim": axis,
    "start": axis,
    "end": st.one_of(st.none(), axis),
    "step": small,
    "min_val": st.one_of(st.none(), st.floats(-9, 0)),
    "max_val": st.one_of(st.none(), st.floats(0, 9)),
    "negative_slope": real,
    "approximate": st.sampled_from(["none", "tanh", "sigmoid"]),
}


@st.composite
def words(draw: st.DrawFn, name: str) -> Op:
    word = WORDS[name]
    values = {field.name: draw(field_strategy(word, field.name)) for field in fields(word)}
    try:
        return word(**values)
    except ArgumentError:
        assume(False)
        raise


def node_of(op: Op, name: str, values: list[str], source: str | None = None) -> Node:
    """A node with as many inputs as ``op`` needs, taken from ``values`` in turn."""
    count = len(values) if op.arity is None else op.arity
    inputs = [values[index % len(values)] for index in range(count)]
    return Node(name, op, tuple(inputs), {role: f"{name}.{role}" for role in op.roles}, source)


def through_text(graph: Graph) -> Graph:
    return graph_from_json(json.loads(json.dumps(graph_to_json(graph), allow_nan=False)))


@pytest.mark.parametrize("name", WORDS)
@given(st.data())
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_word_round_trips(name: str, data: st.DataObject) -> None:
    op = data.draw(words(name))
    graph = Graph({"x": ("N", 3, 8, 8)}, (node_of(op, "a", ["x"], "net.py:7"),), ("a",))
    again = through_text(graph)
    assert again == graph
    assert again.nodes[0].op == op
    assert all(type(getattr(again.nodes[0].op, f.name)) is type(getattr(op, f.name)) for f in fields(op))


@given(st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_whole_graphs_round_trip(data: st.DataObject) -> None:
    names = ["MaxPool2d", "Conv2d", "Add", "Concat", "Constant", "Clamp", "Pad", "BatchNorm"]
    values, nodes = ["x", "y"], []
    for index in range(data.draw(st.integers(1, 8))):
        op = data.draw(words(data.draw(st.sampled_from(names))))
        name = data.draw(st.sampled_from(["layer1.0.conv", "add#2", "名", "a b"])) + str(index)
        order = data.draw(st.permutations(values))
        nodes.append(node_of(op, name, order, data.draw(st.one_of(st.none(), st.text()))))
        values += [name] if op.outputs == 1 else [name, f"{name}:1"]
    graph = Graph({"x": ("N", 3, 8, 8), "y": (1, 2)}, tuple(nodes), tuple(values[-2:]))
    assert through_text(graph) == graph


def graph() -> Graph:
    pool = Node("pool", MaxPool2d(2, return_indices=True), ("x",))
    conv = Node("conv", Conv2d(3, 3, 1, bias=False), ("pool",), {"weight": "w"}, "net.py:3")
    return Graph(
        {"x": ("N", 3, 8, 8)}, (pool, conv, Node("up", MaxUnpool2d(2), ("conv", "pool:1"))), ("up", "pool:1")
    )


def test_second_outputs_and_several_outputs_are_kept() -> None:
    assert through_text(graph()) == graph()


def test_infinity_is_written_as_text() -> None:
    made = Graph({"x": (1, 4)}, (Node("pad", Pad(((1, 1),), value=float("-inf")), ("x",)),), ("pad",))
    assert graph_to_json(made)["nodes"][0]["op"]["value"] == "-Infinity"
    assert through_text(made).nodes[0].op.value == float("-inf")  # type: ignore[attr-defined]


def broken(change: Any) -> dict[str, Any]:
    record = json.loads(json.dumps(graph_to_json(graph())))
    change(record)
    return record


@pytest.mark.parametrize("version", [FORMAT + 1, 0, "1", None, True])
def test_other_versions_are_refused(version: object) -> None:
    with pytest.raises(UnsupportedError, match=r"graph format must be 1, got .*: read it with the version"):
        graph_from_json(broken(lambda record: record.update(format=version)))


def test_unknown_words_are_refused_with_the_node() -> None:
    with pytest.raises(UnsupportedError, match=r"node conv: op must be one of .* did you mean Conv2d"):
        graph_from_json(broken(lambda record: record["nodes"][1]["op"].update(op="Conv2dd")))


CHANGES: list[tuple[Any, str]] = [
    (lambda r: r.update(extra=1), "graph must have exactly the fields .*, these differ: extra"),
    (lambda r: r.pop("outputs"), "these differ: outputs"),
    (lambda r: r.update(nodes={}), "graph nodes must be a JSON list, got {}"),
    (lambda r: r.update(inputs=[]), r"graph inputs must be a JSON object, got \[\]"),
    (lambda r: r.update(inputs={"x": ["N", 3.0]}), "shape of x must hold whole sizes"),
    (lambda r: r.update(inputs={"x": [True]}), "shape of x must hold whole sizes"),
    (lambda r: r.update(inputs={"x": [-1]}), "shape of x must hold whole sizes"),
    (lambda r: r.update(inputs={"x": 5}), "shape of x must be a JSON list"),
    (lambda r: r.update(outputs=[7]), "graph outputs must be a string, got 7"),
    (lambda r: r.update(outputs=["nothing"]), "must be graph inputs or earlier nodes, got 'nothing'"),
    (lambda r: r["nodes"].reverse(), "put that node first"),
    (lambda r: r["nodes"].append(r["nodes"][0]), "node name must be unique"),
    (lambda r: r["nodes"].append(None), "node must be a JSON object, got None"),
    (lambda r: r["nodes"][0].pop("source"), "node must have exactly the fields .* differ: source"),
    (lambda r: r["nodes"][0].update(name=3), "node name must be a string, got 3"),
    (lambda r: r["nodes"][0].update(source=3), "source of pool must be a string"),
    (lambda r: r["nodes"][1].update(weights={"weight": 3}), "weights of conv must be a string"),
    (lambda r: r["nodes"][1].update(weights={}), "must have weights for the roles"),
    (lambda r: r["nodes"][0]["op"].pop("stride"), "node pool: MaxPool2d must have exactly the fields"),
    (lambda r: r["nodes"][0]["op"].update(stride=[0, 0]), "node pool: stride must be an integer of at least"),
    (lambda r: r["nodes"][0]["op"].update(kernel_size=None), "node pool: kernel_size"),
    (lambda r: r["nodes"][0]["op"].update(ceil_mode=1), "node pool: ceil_mode must be True or False"),
    (lambda r: r["nodes"][0].update(op=[]), "op must be a JSON object"),
    (lambda r: r["nodes"][0]["op"].update(op=[]), "node pool: "),
]


@pytest.mark.parametrize(("change", "message"), CHANGES)
def test_damaged_files_are_refused(change: Any, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        graph_from_json(broken(change))


@pytest.mark.parametrize("record", [None, [], "graph", 3, {1: 2}])
def test_what_is_no_graph_at_all_is_refused(record: object) -> None:
    with pytest.raises(GraphError, match="graph must be a JSON object"):
        graph_from_json(record)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_no_damage_gives_a_traceback(data: st.DataObject) -> None:
    """Any one value of a good file replaced by any other: read as a graph, or refused in our words."""
    record = json.loads(json.dumps(graph_to_json(graph())))
    place, key = data.draw(st.sampled_from(places(record)))
    place[key] = data.draw(st.sampled_from([None, True, -1, 2.5, "text", "Infinity", [], ["x"], {}, [[1]]]))
    try:
        assert isinstance(graph_from_json(record), Graph)
    except (GraphError, UnsupportedError) as refusal:
        assert str(refusal)


def places(value: Any) -> list[tuple[Any, Any]]:
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    found = [(value, key) for key in keys]
    return found + [entry for key in keys for entry in places(value[key])]


def test_words_without_arguments_are_small() -> None:
    made = Graph({"x": (1,)}, (Node("a", ReLU(), ("x",)), Node("b", Clamp(0.0), ("a",))), ("b",))
    record = graph_to_json(made)
    assert record["nodes"][0] == {
        "name": "a",
        "op": {"op": "ReLU"},
        "inputs": ["x"],
        "weights": {},
        "source": None,
    }
    assert record["nodes"][1]["op"] == {"op": "Clamp", "min_val": 0.0, "max_val": None}
