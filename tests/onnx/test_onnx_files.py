"""The file around the graph: tensors beside it, sizes left open, what is refused and in which words."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx_world import agrees, image, model_of, node, saved, theirs

import striate
from striate.errors import ArgumentError, GraphError, StriateError, UnsupportedError
from striate.onnx import read_onnx


def weight(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).normal(size=shape).astype(np.float32)


def classifier(**more: Any) -> onnx.ModelProto:
    nodes = [
        node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1], name="conv"),
        node("GlobalAveragePool", ["c"], ["p"]),
        node("Flatten", ["p"], ["f"]),
        node("Gemm", ["f", "g"], ["y"]),
    ]
    shape = more.pop("shape", ("n", 3, 6, 6))
    return model_of(nodes, shape, {"w": weight(8, 3, 3, 3), "g": weight(8, 4)}, **more)


# --- tensors beside the model -------------------------------------------------------------------------------


def beside(folder: Path, location: str = "net.data") -> Path:
    """The classifier with its tensors in a file of their own, whose name in the model is ``location``."""
    model = classifier()
    path = folder / "net.onnx"
    onnx.save(model, path, save_as_external_data=True, location="net.data", size_threshold=0)
    if location != "net.data":
        model = onnx.load(path, load_external_data=False)
        for tensor in model.graph.initializer:
            for entry in tensor.external_data:
                if entry.key == "location":
                    entry.value = location
        path.write_bytes(model.SerializeToString())
    return path


def test_tensors_beside_the_model(tmp_path: Path) -> None:
    x = image(2, 3, 6, 6)
    path = beside(tmp_path)
    np.testing.assert_allclose(striate.load(path)(x), theirs(path, x)[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "location", ["../net.data", "/etc/passwd", "a/../../net.data", "", "C:\\net.data", "..\\net.data"]
)
def test_tensors_elsewhere_are_refused(location: str, tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    path = beside(tmp_path / "inner", location)
    (tmp_path / "net.data").write_bytes((tmp_path / "inner" / "net.data").read_bytes())
    with pytest.raises(GraphError, match="external data must lie in the folder of the model"):
        read_onnx(path)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    path = beside(tmp_path / "inner")
    (tmp_path / "inner" / "net.data").rename(tmp_path / "secret")
    (tmp_path / "inner" / "net.data").symlink_to(tmp_path / "secret")
    with pytest.raises(GraphError, match="leads out of it"):
        read_onnx(path)


def test_tensors_beside_the_model_that_are_gone_or_cut(tmp_path: Path) -> None:
    path = beside(tmp_path)
    content = (tmp_path / "net.data").read_bytes()
    (tmp_path / "net.data").write_bytes(content[:100])
    with pytest.raises(GraphError, match=r"must lie inside net\.data, which has 100 bytes"):
        read_onnx(path)
    (tmp_path / "net.data").unlink()
    with pytest.raises(GraphError, match="external data must be a file"):
        read_onnx(path)


# --- the batch and open sizes -------------------------------------------------------------------------------


def test_a_fixed_batch_takes_any(tmp_path: Path) -> None:
    path = saved(classifier(shape=(1, 3, 6, 6)), tmp_path)
    x = image(5, 3, 6, 6)
    one_by_one = np.concatenate([theirs(path, x[i : i + 1])[0] for i in range(5)])
    np.testing.assert_allclose(striate.load(path)(x), one_by_one, rtol=1e-5, atol=1e-5)


def test_open_sizes_stay_open_where_the_words_do_not_depend_on_them(tmp_path: Path) -> None:
    path = saved(classifier(shape=("n", 3, "height", "width")), tmp_path)
    graph, _ = read_onnx(path)
    assert dict(graph.inputs) == {"x": ("N", 3, "height", "width")}
    net = striate.load(path)
    for size in ((6, 6), (9, 17)):
        x = image(2, 3, *size)
        np.testing.assert_allclose(net(x), theirs(path, x)[0], rtol=1e-5, atol=1e-5)
    with pytest.raises(ArgumentError, match=r"leaves its size open \(3 x height x width\)"):
        striate.explain(path)
    assert striate.explain(path, "3x32x32").totals.parameters == 8 * 27 + 32


def test_sizes_that_decide_the_words_must_be_given(tmp_path: Path) -> None:
    """TensorFlow's SAME pads by the size: an even map otherwise than an odd one."""
    same = node("Conv", ["x", "w"], ["y"], auto_pad="SAME_UPPER", strides=[2, 2])
    model = model_of([same], ("n", 3, None, None), {"w": weight(4, 3, 3, 3)})
    path = saved(model, tmp_path)
    with pytest.raises(ArgumentError, match="its layers depend on them"):
        striate.load(path)
    agrees(model, image(1, 3, 7, 8), tmp_path, size=(3, 7, 8))
    with pytest.raises(ArgumentError, match="input must be 3 x size2 x size3"):
        striate.load(path, input="4x8x8")


def test_shape_arithmetic_with_an_unknown_batch(tmp_path: Path) -> None:
    """view(x.shape[0], groups, -1), torch's way to shuffle channels, and a mean over what is left."""
    nodes = [
        node("Shape", ["x"], ["s"]),
        *(node("Gather", ["s", f"i{i}"], [f"n{i}"], axis=0) for i in range(4)),
        node("Div", ["n1", "two"], ["half"]),
        *(node("Unsqueeze", [name, "zero"], [f"u{name}"]) for name in ("n0", "half", "n2", "n3")),
        node("Concat", ["un0", "pair", "uhalf", "un2", "un3"], ["apart"], axis=0),
        node("Reshape", ["x", "apart"], ["a"]),
        node("Transpose", ["a"], ["t"], perm=[0, 2, 1, 3, 4]),
        node("Reshape", ["t", "s"], ["y"]),
    ]
    tensors: dict[str, Any] = {f"i{i}": np.int64(i) for i in range(4)}
    tensors |= {"two": np.int64(2), "zero": np.array([0]), "pair": np.array([2])}
    graph = agrees(model_of(nodes, ("n", 6, 4, 5), tensors), image(3, 6, 4, 5), tmp_path)
    assert [repr(entry.op) for entry in graph] == ["ChannelShuffle(groups=2)"]


# --- activations taken apart --------------------------------------------------------------------------------


def test_gelu_in_both_forms_is_recognised(tmp_path: Path) -> None:
    exact = [
        node("Div", ["x", "root"], ["d"]),
        node("Erf", ["d"], ["e"]),
        node("Add", ["e", "one"], ["p"]),
        node("Mul", ["x", "p"], ["m"]),
        node("Mul", ["m", "half"], ["y"]),
    ]
    numbers = {"root": np.float32(2**0.5), "one": np.float32(1), "half": np.float32(0.5)}
    graph = agrees(model_of(exact, ("n", 5), numbers), image(3, 5), tmp_path)
    assert [repr(entry.op) for entry in graph] == ["GELU(approximate='none')"]
    tanh = [
        node("Pow", ["x", "three"], ["c"]),
        node("Mul", ["c", "k"], ["ck"]),
        node("Add", ["x", "ck"], ["s"]),
        node("Mul", ["s", "root"], ["r"]),
        node("Tanh", ["r"], ["t"]),
        node("Add", ["t", "one"], ["p"]),
        node("Mul", ["x", "half"], ["h"]),
        node("Mul", ["h", "p"], ["y"]),
    ]
    numbers |= {"three": np.float32(3), "k": np.float32(0.044715), "root": np.float32((2 / np.pi) ** 0.5)}
    graph = agrees(model_of(tanh, ("n", 5), numbers), image(3, 5), tmp_path)
    assert [repr(entry.op) for entry in graph] == ["GELU(approximate='tanh')"]


def test_what_only_looks_like_gelu_is_not(tmp_path: Path) -> None:
    """Another constant inside tanh: run word by word."""
    nodes = [
        node("Mul", ["x", "root"], ["r"]),
        node("Tanh", ["r"], ["t"]),
        node("Add", ["t", "one"], ["p"]),
        node("Mul", ["x", "half"], ["h"]),
        node("Mul", ["h", "p"], ["y"]),
    ]
    numbers = {"root": np.float32(0.8), "one": np.float32(1), "half": np.float32(0.5)}
    graph = agrees(model_of(nodes, ("n", 5), numbers), image(3, 5), tmp_path)
    assert not any("GELU" in repr(entry.op) for entry in graph)


@pytest.mark.parametrize("sixth", [node("Div", ["c", "six"], ["d"]), node("Mul", ["c", "sixth"], ["d"])])
def test_hard_swish_from_clip(sixth: Any, tmp_path: Path) -> None:
    nodes = [
        node("Add", ["x", "three"], ["a"]),
        node("Clip", ["a", "zero", "six"], ["c"]),
        sixth,
        node("Mul", ["x", "d"], ["y"]),
    ]
    numbers = {
        "three": np.float32(3),
        "zero": np.float32(0),
        "six": np.float32(6),
        "sixth": np.float32(1 / 6),
    }
    graph = agrees(model_of(nodes, ("n", 5), numbers), image(3, 5) * 4, tmp_path)
    assert [repr(entry.op) for entry in graph] == ["HardSwish()"]


# --- networks that are no classifiers -----------------------------------------------------------------------


def test_several_outputs_are_a_tuple(tmp_path: Path) -> None:
    nodes = [node("Relu", ["x"], ["maps"]), node("GlobalMaxPool", ["maps"], ["y"])]
    model = model_of(nodes, ("n", 3, 5, 4), outputs=["y", "maps"])
    agrees(model, image(2, 3, 5, 4), tmp_path)
    net = striate.load(tmp_path / "net.onnx")
    with pytest.raises(ArgumentError, match="one row of outputs"):
        net.probabilities(image(2, 3, 5, 4))
    with pytest.raises(ArgumentError, match="an ONNX file holds neither"):
        net.predict("cat.jpg")


def test_keras_takes_images_as_rows_columns_channels(tmp_path: Path) -> None:
    """What tf2onnx writes: transposes around each convolution, Pad nodes, SAME, a batch norm taken apart."""
    nodes = [
        node("Pad", ["x", "pads"], ["p"]),
        node("Transpose", ["p"], ["a"], perm=[0, 3, 1, 2]),
        node("Conv", ["a", "w"], ["c"], strides=[2, 2], auto_pad="VALID"),
        node("Transpose", ["c"], ["d"], perm=[0, 2, 3, 1]),
        node("Mul", ["d", "scale"], ["m"]),
        node("Add", ["m", "shift"], ["s"]),
        node("Clip", ["s", "zero", "six"], ["r"]),
        node("Transpose", ["r"], ["e"], perm=[0, 3, 1, 2]),
        node("Conv", ["e", "depthwise"], ["f"], strides=[2, 2], auto_pad="SAME_UPPER", group=4),
        node("Transpose", ["f"], ["g"], perm=[0, 2, 3, 1]),
        node("ReduceMean", ["g"], ["h"], axes=[1, 2], keepdims=0),
        node("MatMul", ["h", "k"], ["i"]),
        node("Add", ["i", "bias"], ["j"]),
        node("Softmax", ["j"], ["y"]),
    ]
    tensors = {
        "pads": np.array([0, 0, 0, 0, 0, 1, 1, 0]),
        "w": weight(4, 3, 3, 3),
        "scale": weight(4),
        "shift": weight(4),
        "zero": np.float32(0),
        "six": np.float32(6),
        "depthwise": weight(4, 1, 3, 3),
        "k": weight(4, 5),
        "bias": weight(5),
    }
    model = model_of(nodes, ("n", 12, 12, 3), tensors)
    graph = agrees(model, image(2, 12, 12, 3), tmp_path)
    assert dict(graph.inputs) == {"x": ("N", 12, 12, 3)}


# --- refusals -----------------------------------------------------------------------------------------------

REFUSED: list[tuple[list[Any], dict[str, Any], str]] = [
    ([node("NonMaxSuppression", ["x", "x"], ["y"], name="nms")], {}, r"\(node 'nms'\) .* no word"),
    ([node("FusedConv", ["x"], ["y"], domain="com.microsoft")], {}, r"com\.microsoft\.FusedConv .* no word"),
    ([node("Conv", ["x", "x"], ["y"])], {}, "its weight must be a constant of the file"),
    ([node("Relu", ["x"], ["y"], alpha=1.0)], {}, "its attribute alpha has no meaning"),
    ([node("Transpose", ["x"], ["y"], perm=[1, 0, 2, 3])], {}, "it mixes the images of a batch"),
    ([node("ReduceMean", ["x"], ["y"], axes=[0])], {}, "it mixes the images of a batch"),
    ([node("MatMul", ["x", "x"], ["y"])], {}, "one factor must be a constant matrix"),
    ([node("Erf", ["x"], ["y"])], {}, "it has a word only inside GELU"),
    ([node("Cast", ["x"], ["y"], to=TensorProto.INT32)], {}, "it converts values to int32"),
    ([node("LRN", ["x"], ["y"], size=4)], {}, "its size must be odd"),
    ([node("Resize", ["x", "", "s"], ["y"], mode="cubic")], {"s": weight(4) * 0 + 1}, "'cubic'"),
    ([node("Reshape", ["x", "s"], ["y"])], {"s": np.array([6, -1])}, "it mixes the images of a batch"),
    (
        [node("BatchNormalization", ["x", *"wwww"], ["y"], training_mode=1)],
        {"w": weight(3)},
        "training_mode must be 0",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("nodes", "tensors", "message"), REFUSED)
def test_what_has_no_word_is_refused_by_name(
    nodes: list[Any], tensors: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = saved(model_of(nodes, ("n", 3, 4, 4), tensors, opset=15), tmp_path)
    with pytest.raises(UnsupportedError, match=message) as caught:
        read_onnx(path)
    assert str(caught.value).startswith(f"{path}: {nodes[0].op_type}" if not nodes[0].domain else str(path))


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(GraphError, match="must be an existing ONNX file"):
        striate.load(tmp_path / "none.onnx")
    path = tmp_path / "net.onnx"
    for content in (b"", b"PK\x03\x04", b"not a model at all", b"\xff" * 200):
        path.write_bytes(content)
        with pytest.raises(GraphError, match="no ONNX file"):
            striate.load(path)
    for opset in (9, 10, 40):
        saved(classifier(opset=opset), tmp_path)
        with pytest.raises(UnsupportedError, match=rf"opset must be between 11 and \d+, got {opset}"):
            read_onnx(path)


def test_other_inputs_are_refused(tmp_path: Path) -> None:
    path = saved(model_of([node("Relu", ["x"], ["y"])], ("n", 3), kind=TensorProto.INT64), tmp_path)
    with pytest.raises(UnsupportedError, match="input 'x' must be float16, 32 or 64, got int64"):
        read_onnx(path)
    model = classifier()
    model.functions.append(helper.make_function("own", "f", ["a"], ["a"], [], []))
    with pytest.raises(UnsupportedError, match="inline them"):
        read_onnx(saved(model, tmp_path))


def test_neither_torch_nor_onnx_runtime_is_needed(tmp_path: Path) -> None:
    path = saved(classifier(), tmp_path)
    code = (
        "import sys, numpy as np, striate\n"
        f"y = striate.load({str(path)!r})(np.ones((1, 3, 6, 6), np.float32))\n"
        "assert y.shape == (1, 4) and not {'torch', 'onnxruntime'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_explain_and_check_take_the_file(tmp_path: Path) -> None:
    path = saved(classifier(), tmp_path)
    explained = striate.explain(str(path))
    assert explained.totals.parameters == 8 * 27 + 32
    assert "6" in str(explained.layer("conv"))
    assert striate.check(str(path)).ok
    with pytest.raises(StriateError, match="input must be 3 x 6 x 6"):
        striate.explain(str(path), "3x7x7")
