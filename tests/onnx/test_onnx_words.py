"""Every operator that has a reader, against ONNX Runtime: by its definition in float64, and by the engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import NodeProto
from onnx_world import agrees, image, model_of, node, words

RNG = np.random.default_rng(1)
IMAGE = (2, 4, 9, 8)


def draw(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def one(operator: str, *more: str, outputs: int = 1, **attributes: Any) -> list[NodeProto]:
    names = ["y", *(f"y{i}" for i in range(1, outputs))]
    return [node(operator, ["x", *more], names, **attributes)]


Case = tuple[list[NodeProto], dict[str, Any], tuple[int, ...], list[str]]
PLAIN = ["Relu", "Sigmoid", "Tanh", "Neg", "Abs", "Softplus", "Softsign", "Exp", "HardSwish"]
CASES: dict[str, Case] = {
    **{name: (one(name), {}, IMAGE, []) for name in PLAIN},
    "Mish": (one("Mish"), {}, IMAGE, []),
    "Clip six": (one("Clip", "a", "b"), {"a": np.float32(0), "b": np.float32(6)}, IMAGE, ["ReLU6"]),
    "Clip open": (one("Clip", "", "b"), {"b": np.float32(0.5)}, IMAGE, ["Clamp"]),
    "LeakyRelu": (one("LeakyRelu", alpha=0.2), {}, IMAGE, ["LeakyReLU"]),
    "PRelu": (one("PRelu", "a"), {"a": draw(4, 1, 1)}, IMAGE, ["PReLU"]),
    "Elu": (one("Elu", alpha=0.7), {}, IMAGE, ["ELU"]),
    "Celu": (one("Celu", alpha=2.0), {}, IMAGE, ["Divide", "ELU", "Multiply"]),
    "Selu": (one("Selu"), {}, IMAGE, ["SELU"]),
    "Selu other": (one("Selu", alpha=2.0, gamma=3.0), {}, IMAGE, ["ELU", "Multiply"]),
    "HardSigmoid": (one("HardSigmoid"), {}, IMAGE, ["Multiply", "Add", "Clamp"]),
    "HardSigmoid v3": (one("HardSigmoid", alpha=1 / 6), {}, IMAGE, ["HardSigmoid"]),
    "Softmax": (one("Softmax", axis=1), {}, IMAGE, ["Softmax"]),
    "LogSoftmax": (one("LogSoftmax"), {}, (2, 7), ["LogSoftmax"]),
    "BatchNormalization": (
        one("BatchNormalization", "s", "b", "m", "v", epsilon=1e-3),
        {"s": draw(4), "b": draw(4), "m": draw(4), "v": np.abs(draw(4)) + 0.1},
        IMAGE,
        ["BatchNorm"],
    ),
    "InstanceNormalization": (
        one("InstanceNormalization", "s", "b"), {"s": draw(4), "b": draw(4)}, IMAGE, []
    ),
    "LayerNormalization": (
        one("LayerNormalization", "s", "b"), {"s": draw(8), "b": draw(8)}, IMAGE, ["LayerNorm"]
    ),
    "LayerNormalization wide": (
        one("LayerNormalization", "s", "b", axis=2),
        {"s": draw(9, 8), "b": draw(9, 8)},
        IMAGE,
        [],
    ),
    "LRN": (one("LRN", size=3, alpha=0.1, beta=0.6, bias=2.0), {}, IMAGE, ["LocalResponseNorm"]),
    "LpNormalization": (one("LpNormalization", axis=1), {}, (2, 7), []),
    "MeanVarianceNormalization": (one("MeanVarianceNormalization", axes=[1, 2, 3]), {}, IMAGE, []),
    "Conv": (
        one("Conv", "w", "b", pads=[1, 0, 2, 3], strides=[2, 1], dilations=[1, 2], group=2),
        {"w": draw(6, 2, 3, 3), "b": draw(6)},
        IMAGE,
        ["Conv2d"],
    ),
    "Conv same upper": (
        one("Conv", "w", auto_pad="SAME_UPPER", strides=[2, 2]), {"w": draw(6, 4, 4, 3)}, IMAGE, []
    ),
    "Conv same lower": (
        one("Conv", "w", auto_pad="SAME_LOWER", strides=[2, 2]), {"w": draw(6, 4, 4, 3)}, IMAGE, []
    ),
    "Conv 1-d": (one("Conv", "w", pads=[2, 1]), {"w": draw(3, 4, 5)}, (2, 4, 11), ["Conv1d"]),
    "Conv 3-d": (one("Conv", "w"), {"w": draw(3, 4, 2, 2, 2)}, (2, 4, 3, 4, 5), ["Conv3d"]),
    "ConvTranspose": (
        one("ConvTranspose", "w", "b", strides=[2, 3], pads=[1, 1, 1, 1], output_padding=[1, 0]),
        {"w": draw(4, 5, 3, 3), "b": draw(5)},
        IMAGE,
        ["ConvTranspose2d"],
    ),
    "ConvTranspose sides": (
        one("ConvTranspose", "w", strides=[2, 2], pads=[0, 1, 1, 0]),
        {"w": draw(4, 5, 3, 3)},
        IMAGE,
        [],
    ),
    "ConvTranspose same": (
        one("ConvTranspose", "w", strides=[2, 2], auto_pad="SAME_UPPER"),
        {"w": draw(4, 5, 3, 3)},
        IMAGE,
        [],
    ),
    "ConvTranspose shape": (
        one("ConvTranspose", "w", strides=[2, 2], output_shape=[18, 16]),
        {"w": draw(4, 5, 3, 3)},
        IMAGE,
        [],
    ),
    "MaxPool": (
        one("MaxPool", kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 0, 1], ceil_mode=1),
        {},
        IMAGE,
        ["MaxPool2d"],
    ),
    "MaxPool dilated": (one("MaxPool", kernel_shape=[2, 2], dilations=[2, 3]), {}, IMAGE, ["MaxPool2d"]),
    "MaxPool wide pads": (
        one("MaxPool", kernel_shape=[3, 3], pads=[2, 2, 2, 2]), {}, IMAGE, ["Pad", "MaxPool2d"]
    ),
    "AveragePool": (
        one("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 0, 1], strides=[2, 2]), {}, IMAGE, []
    ),
    "AveragePool counted": (
        one("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1),
        {},
        IMAGE,
        ["AvgPool2d"],
    ),
    "AveragePool same": (
        one("AveragePool", kernel_shape=[3, 3], auto_pad="SAME_UPPER", strides=[2, 2]), {}, IMAGE, []
    ),
    "LpPool": (one("LpPool", kernel_shape=[2, 2], strides=[2, 2]), {}, IMAGE, []),
    "GlobalAveragePool": (one("GlobalAveragePool"), {}, IMAGE, ["AdaptiveAvgPool2d"]),
    "GlobalMaxPool": (one("GlobalMaxPool"), {}, IMAGE, ["AdaptiveMaxPool2d"]),
    "MaxUnpool": (
        [
            node("MaxPool", ["x"], ["p", "i"], kernel_shape=[2, 2], strides=[2, 2]),
            node("Relu", ["p"], ["r"]),
            node("MaxUnpool", ["r", "i"], ["y"], kernel_shape=[2, 2], strides=[2, 2]),
        ],
        {},
        (1, 3, 8, 8),
        [],
    ),
    "Gemm": (one("Gemm", "w", "b", alpha=0.5, beta=2.0), {"w": draw(7, 5), "b": draw(5)}, (2, 7), ["Linear"]),
    "Gemm turned": (one("Gemm", "w", "b", transB=1), {"w": draw(5, 7), "b": draw(1, 5)}, (2, 7), ["Linear"]),
    "MatMul and bias": (
        [node("MatMul", ["x", "w"], ["h"]), node("Add", ["b", "h"], ["y"])],
        {"w": draw(7, 5), "b": draw(5)},
        (2, 7),
        ["Linear"],
    ),
    "MatMul left": (one("MatMul"), {}, (), []),  # replaced below: the constant stands first
    "Add": (one("Add", "c"), {"c": draw(1, 4, 1, 1)}, IMAGE, ["Scale"]),
    "Sub": (one("Sub", "c"), {"c": draw(4, 1, 1)}, IMAGE, ["Scale"]),
    "Mul": (one("Mul", "c"), {"c": draw(4, 1, 1)}, IMAGE, ["Scale"]),
    "Mul number": (one("Mul", "c"), {"c": draw(1)}, IMAGE, ["Multiply"]),
    "Div": (one("Div", "c"), {"c": np.abs(draw(9, 8)) + 1}, IMAGE, ["Divide"]),
    "Pow": (one("Pow", "c"), {"c": np.float32(2)}, IMAGE, []),
    "Sum": (one("Sum", "x", "c"), {"c": draw(8)}, IMAGE, []),
    "Mean": (one("Mean", "x", "c"), {"c": draw(8)}, IMAGE, []),
    "Max": (one("Max", "c"), {"c": draw(8)}, IMAGE, []),
    "Min": (one("Min", "c"), {"c": draw(8)}, IMAGE, []),
    "Concat": ([node("Relu", ["x"], ["r"]), node("Concat", ["x", "r", "x"], ["y"], axis=1)], {}, IMAGE, []),
    "Split": (
        [node("Split", ["x", "s"], ["a", "b"], axis=1), node("Concat", ["b", "a"], ["y"], axis=1)],
        {"s": ints(1, 3)},
        IMAGE,
        [],
    ),
    "Slice": (
        one("Slice", "s", "e", "a", "t"),
        {"s": ints(1, -1), "e": ints(100, -100), "a": ints(2, 3), "t": ints(2, -3)},
        IMAGE,
        [],
    ),
    "Gather": (one("Gather", "i", axis=1), {"i": ints(3, 0, 1, 1)}, IMAGE, []),
    "Gather one": (one("Gather", "i", axis=-1), {"i": np.int64(-2)}, IMAGE, []),
    "Reshape": (one("Reshape", "s"), {"s": ints(0, 2, -1)}, IMAGE, ["Reshape"]),
    "Flatten": (one("Flatten"), {}, IMAGE, ["Flatten"]),
    "Squeeze": (one("Squeeze", "a"), {"a": ints(2, 3)}, (2, 4, 1, 1), ["Reshape"]),
    "Unsqueeze": (one("Unsqueeze", "a"), {"a": ints(1, 3)}, (2, 4, 5), ["Reshape"]),
    "Transpose": (one("Transpose", perm=[0, 2, 3, 1]), {}, IMAGE, ["Permute"]),
    "Pad": (one("Pad", "p", "v"), {"p": ints(0, 0, 1, 2, 0, 0, 0, 1), "v": np.float32(3)}, IMAGE, ["Pad"]),
    "Pad reflect": (one("Pad", "p", mode="reflect"), {"p": ints(0, 0, 1, 2, 0, 0, 0, 1)}, IMAGE, ["Pad"]),
    "Pad edge": (one("Pad", "p", mode="edge"), {"p": ints(0, 0, 1, 2, 0, 0, 0, 1)}, IMAGE, ["Pad"]),
    "Pad crop": (one("Pad", "p"), {"p": ints(0, 0, -1, 0, 0, 0, 0, -2)}, IMAGE, ["Pad"]),
    "Expand": (one("Expand", "s"), {"s": ints(1, 1, 9, 8)}, (2, 4, 1, 1), []),
    "Tile": (one("Tile", "s"), {"s": ints(1, 1, 2, 3)}, IMAGE, []),
    "DepthToSpace": (one("DepthToSpace", blocksize=2), {}, IMAGE, []),
    "DepthToSpace CRD": (one("DepthToSpace", blocksize=2, mode="CRD"), {}, IMAGE, []),
    "SpaceToDepth": (one("SpaceToDepth", blocksize=2), {}, (2, 3, 6, 4), []),
    "ReduceMean": (one("ReduceMean", axes=[2, 3], keepdims=0), {}, IMAGE, ["Mean"]),
    "ReduceSum": (one("ReduceSum", "a"), {"a": ints(-1)}, IMAGE, ["Sum"]),
    "ReduceMax": (one("ReduceMax", axes=[1]), {}, IMAGE, []),
    "ReduceMax apart": (one("ReduceMax", axes=[1, 3], keepdims=0), {}, IMAGE, []),
    "ReduceMin": (one("ReduceMin", axes=[2, 3]), {}, IMAGE, []),
    "ReduceL2": (one("ReduceL2", axes=[1]), {}, IMAGE, []),
    "ReduceL1": (one("ReduceL1", axes=[1]), {}, IMAGE, []),
    "ReduceSumSquare": (one("ReduceSumSquare", axes=[1]), {}, IMAGE, []),
    "Resize nearest": (
        one("Resize", "", "s", coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
        {"s": np.array([1, 1, 2, 3], np.float32)},
        IMAGE,
        ["Upsample"],
    ),
    "Resize linear": (
        one("Resize", "", "s", mode="linear", coordinate_transformation_mode="half_pixel"),
        {"s": np.array([1, 1, 2, 1.5], np.float32)},
        IMAGE,
        ["Upsample"],
    ),
    "Resize corners": (
        one("Resize", "", "", "s", mode="linear", coordinate_transformation_mode="align_corners"),
        {"s": ints(2, 4, 5, 17)},
        IMAGE,
        ["Upsample"],
    ),
    "Dropout": (one("Dropout", outputs=1), {}, IMAGE, ["Dropout"]),
    "Identity and Cast": (
        [node("Identity", ["x"], ["i"]), node("Cast", ["i"], ["d"], to=1), node("Relu", ["d"], ["y"])],
        {},
        IMAGE,
        ["ReLU"],
    ),
}  # fmt: skip
CASES["MatMul left"] = ([node("MatMul", ["w", "x"], ["y"])], {"w": draw(6, 4)}, (2, 4, 5), [])
NEWER = {"Mish": 18}


@pytest.mark.parametrize("name", CASES)
def test_operator(name: str, tmp_path: Path) -> None:
    nodes, tensors, shape, expected = CASES[name]
    model = model_of(nodes, ("n", *shape[1:]), tensors, opset=NEWER.get(name, 17))
    graph = agrees(model, image(*shape), tmp_path)
    if expected:
        assert [word for word in words(graph) if word != "Constant"] == expected


@pytest.mark.parametrize("opset", [11, 12, 13, 15, 16, 18, 19, 20, 21, 22, 23])
def test_a_small_network_in_every_opset(opset: int, tmp_path: Path) -> None:
    """Where attributes became inputs, and back."""
    axes = {"axes": [2, 3]} if opset < 18 else {}
    squeeze = {"axes": [2, 3]} if opset < 13 else {}
    nodes = [
        node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1], kernel_shape=[3, 3]),
        node("Relu", ["c"], ["r"]),
        node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        node("ReduceMean", ["p"] if axes else ["p", "axes"], ["m"], keepdims=1, **axes),
        node("Squeeze", ["m"] if squeeze else ["m", "axes"], ["q"], **squeeze),
        node("Gemm", ["q", "f"], ["g"]),
        node("Softmax", ["g"], ["y"], axis=1),
    ]
    tensors = {"w": draw(6, 4, 3, 3), "f": draw(6, 5), "axes": ints(2, 3)}
    graph = agrees(model_of(nodes, ("n", *IMAGE[1:]), tensors, opset=opset), image(*IMAGE), tmp_path)
    assert list(words(graph)) == ["Conv2d", "ReLU", "MaxPool2d", "Mean", "Reshape", "Linear", "Softmax"]


def test_softmax_before_opset_13_is_over_all_axes_that_follow(tmp_path: Path) -> None:
    agrees(model_of(one("Softmax", axis=1), IMAGE, opset=11), image(*IMAGE), tmp_path)
