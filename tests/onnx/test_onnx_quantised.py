"""Networks that ONNX Runtime quantised (QDQ), run in floats: what the file says, word for word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx_world import image, model_of, node, saved, theirs, words
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

import striate
from striate import ops
from striate.errors import UnsupportedError
from striate.onnx import read_onnx
from striate.reference import forward, run


class Images(CalibrationDataReader):
    def __init__(self) -> None:
        self.left = iter([{"x": image(4, 3, 16, 16, seed=seed)} for seed in range(3)])

    def get_next(self) -> Any:
        return next(self.left, None)


def network() -> onnx.ModelProto:
    rng = np.random.default_rng(5)

    def draw(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32) * 0.3

    nodes = [
        node("Conv", ["x", "w", "b"], ["c"], pads=[1, 1, 1, 1], strides=[2, 2]),
        node("Relu", ["c"], ["r"]),
        node("Conv", ["r", "v"], ["d"], pads=[1, 1, 1, 1], group=8),
        node("Add", ["d", "r"], ["a"]),
        node("GlobalAveragePool", ["a"], ["p"]),
        node("Flatten", ["p"], ["f"]),
        node("Gemm", ["f", "g"], ["y"]),
    ]
    tensors = {"w": draw(8, 3, 3, 3), "b": draw(8), "v": draw(8, 1, 3, 3), "g": draw(8, 5)}
    return model_of(nodes, ("n", 3, 16, 16), tensors)


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("kind", [QuantType.QInt8, QuantType.QUInt8])
def test_a_quantised_network(kind: QuantType, per_channel: bool, tmp_path: Path) -> None:
    source, path = saved(network(), tmp_path), tmp_path / "quantised.onnx"
    quantize_static(
        source,
        path,
        Images(),
        quant_format=QuantFormat.QDQ,
        per_channel=per_channel,
        activation_type=kind,
        weight_type=QuantType.QInt8,
    )
    graph, weights = read_onnx(path)
    assert words(graph)["FakeQuantize"] >= 5
    x = image(6, 3, 16, 16, seed=9)
    expected = theirs(path, x, optimised=False)[0]  # not fused into integer kernels, which round otherwise
    step = max(float(weights[entry.weights["scale"]].max()) for entry in graph if "scale" in entry.weights)
    for found in (run(graph, weights, x.astype(np.float64)), striate.load(path)(x)):
        assert np.abs(found - expected).max() <= 2 * step  # a value on the edge may fall to either side
        assert (np.abs(found - expected) < 1e-4).mean() > 0.7


def test_the_word_is_torchs_fake_quantisation() -> None:
    x = np.linspace(-3, 3, 1001) + 1e-4  # no halves
    for low, high, point in ((-128, 127, 3), (0, 15, 8)):
        op = ops.FakeQuantize(low, high)
        found = forward(op, [x], {"scale": np.array([0.05]), "zero_point": np.array([float(point)])})
        expected = torch.fake_quantize_per_tensor_affine(torch.tensor(x), 0.05, point, low, high)
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_halves_go_to_the_even_integer() -> None:
    weights = {"scale": np.ones(1), "zero_point": np.zeros(1)}
    found = forward(ops.FakeQuantize(), [np.array([0.5, 1.5, 2.5, -0.5, -1.5, 200.0])], weights)
    np.testing.assert_array_equal(found, [0, 2, 2, 0, -2, 127])


@pytest.mark.filterwarnings("ignore:the graph holds for batches of 1 only")  # torch cannot leave it open here
def test_it_is_captured_from_torch() -> None:
    from striate.capture import capture

    class Rounded(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.fake_quantize_per_tensor_affine(x, 0.1, 2, 0, 255)

    graph, weights = capture(Rounded(), (1, 3, 4, 4))
    assert [entry.op for entry in graph] == [ops.FakeQuantize(0, 255)]
    x = image(1, 3, 4, 4)
    np.testing.assert_allclose(run(graph, weights, x), Rounded()(torch.tensor(x)), atol=1e-6)


def test_integers_that_something_computes_with_are_refused(tmp_path: Path) -> None:
    numbers = {"s": np.float32(0.1), "z": np.int8(0), "t": np.float32(0.2)}
    quantised = node("QuantizeLinear", ["x", "s", "z"], ["q"])
    pooled = [
        quantised,
        node("MaxPool", ["q"], ["p"], kernel_shape=[2, 2]),
        node("DequantizeLinear", ["p", "s", "z"], ["y"]),
    ]
    with pytest.raises(UnsupportedError, match="it computes with quantised integers"):
        read_onnx(saved(model_of(pooled, ("n", 3, 4, 4), numbers), tmp_path))
    other = [quantised, node("DequantizeLinear", ["q", "t", "z"], ["y"])]
    with pytest.raises(UnsupportedError, match="must be those of the QuantizeLinear before it"):
        read_onnx(saved(model_of(other, ("n", 3, 4, 4), numbers), tmp_path))
    integers = [node("QLinearConv", ["x", *"szsszsz"], ["y"])]
    with pytest.raises(UnsupportedError, match=r"QLinearConv .* QDQ format"):
        read_onnx(saved(model_of(integers, ("n", 3, 4, 4), numbers), tmp_path))
