"""Damaged ONNX files: a clear refusal, never a traceback, a hang or much memory."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mutation import damaged, models, seeds, survives
from onnx import TensorProto, helper
from onnx_world import model_of, node

from striate.errors import StriateError
from striate.onnx.file import parse_model
from striate.onnx.network import words_of


def test_the_files_are_sound_before_they_are_damaged() -> None:
    assert [survives(model.SerializeToString()) for model in models()] == ["run", "run", "run"]


@pytest.mark.parametrize("start", range(0, 480, 80))
def test_damaged_files(start: int) -> None:
    found = Counter(survives(damaged(seed)) for seed in seeds(80, start))
    assert found["refused"] > 20


@pytest.mark.long
def test_many_damaged_files() -> None:
    found = Counter(survives(damaged(seed)) for seed in seeds(20_000, 1_000))
    print(dict(found))
    assert found["refused"] > 5_000


def test_every_cut(tmp_path: Path) -> None:
    content = models()[0].SerializeToString()
    assert {survives(content[:end]) for end in range(0, len(content), 7)} <= {"refused", "run", "read"}


def refused(
    nodes: list[Any], tensors: dict[str, Any], shape: tuple[Any, ...] = ("n", 3, 8, 8), **more: Any
) -> str:
    model = model_of(nodes, shape, tensors, **more)
    with pytest.raises(StriateError) as caught:
        words_of(parse_model(model.SerializeToString(), Path("net.onnx")))
    return str(caught.value)


def big(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


LARGE_MAP, LARGE_CONSTANT = "is larger than striate computes", "is larger than striate keeps"
Bomb = tuple[list[Any], dict[str, Any], str]


def added(constant: Any) -> list[Any]:
    """The image plus what ``constant`` makes of constants."""
    return [constant, node("Add", ["x", "k"], ["y"])]


BOMBS: dict[str, Bomb] = {
    "Tile": ([node("Tile", ["x", "t"], ["y"])], {"t": big(1, 1, 4096, 4096)}, LARGE_MAP),
    "Tile of a constant": (
        added(node("Tile", ["c", "t"], ["k"])),
        {"c": np.ones((1, 1), np.float32), "t": big(2**30, 2**30)},
        LARGE_CONSTANT,
    ),
    "Expand": ([node("Expand", ["x", "t"], ["y"])], {"t": big(2**40, 1, 8, 8)}, "repeats the images"),
    "Expand a constant": (
        added(node("Expand", ["c", "t"], ["k"])),
        {"c": np.ones(1, np.float32), "t": big(2**20, 2**20)},
        LARGE_CONSTANT,
    ),
    "ConstantOfShape": (
        added(node("ConstantOfShape", ["t"], ["k"])),
        {"t": big(2**31, 2**31)},
        LARGE_CONSTANT,
    ),
    "Range": (
        added(node("Range", ["a", "b", "s"], ["k"])),
        {"a": np.int64(0), "b": np.int64(2**62), "s": np.int64(1)},
        LARGE_CONSTANT,
    ),
    "outer sum": (
        added(node("Add", ["a", "b"], ["k"])),
        {"a": np.ones((5000, 1), np.float32), "b": np.ones((1, 5000), np.float32)},
        LARGE_CONSTANT,
    ),
    "Pad": ([node("Pad", ["x", "t"], ["y"])], {"t": big(0, 0, 2**40, 0, 0, 0, 0, 0)}, LARGE_MAP),
    "Resize": (
        [node("Resize", ["x", "", "s"], ["y"], coordinate_transformation_mode="asymmetric")],
        {"s": np.array([1, 1, 1e9, 1e9], np.float32)},
        LARGE_MAP,
    ),
    "kernel": ([node("MaxPool", ["x"], ["y"], kernel_shape=[2**40] * 2, pads=[2**39] * 4)], {}, LARGE_MAP),
    "stride": ([node("MaxPool", ["x"], ["y"], kernel_shape=[0, 2**62], strides=[2**62, 0])], {}, "must"),
    "Split": ([node("Split", ["x"], ["y", "z"], axis=1)], {}, "must be equal"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(name: str) -> None:
    nodes, tensors, message = BOMBS[name]
    assert message in refused(nodes, tensors)


def test_many_constants_that_are_large_together() -> None:
    nodes = [node("ConstantOfShape", ["t"], [f"k{i}"]) for i in range(9)]
    nodes += [node("Sum", ["x", *(f"k{i}" for i in range(9))], ["y"])]
    assert LARGE_CONSTANT in refused(nodes, {"t": big(1, 1, 2048, 1024)})


def test_a_tensor_that_claims_more_than_it_holds() -> None:
    model = models()[0]
    model.graph.initializer[0].dims[:] = [2**20, 2**20, 2**20]
    with pytest.raises(StriateError, match="must hold at most"):
        words_of(parse_model(model.SerializeToString(), Path("net.onnx")))


def test_a_circle_and_a_name_given_twice() -> None:
    circle = [node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"])]
    assert "is given by no node before it" in refused(circle, {})
    twice = [node("Relu", ["x"], ["a"]), node("Neg", ["a"], ["a"]), node("Relu", ["a"], ["y"])]
    assert "'a' is twice" in refused(twice, {})


def test_graphs_in_graphs_end() -> None:
    def graph(nodes: list[Any], name: str) -> Any:
        return helper.make_graph(
            nodes, "g", [], [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)]
        )

    plain = graph([node("Relu", ["x"], ["o"])], "o")
    inner = plain
    for depth in range(20):
        nodes = [node("If", ["yes"], [f"o{depth}"], then_branch=inner, else_branch=plain)]
        inner = graph(nodes, f"o{depth}")
    nodes = [node("If", ["yes"], ["y"], then_branch=inner, else_branch=plain)]
    assert "not too deep inside others" in refused(nodes, {"yes": np.bool_(True)})
