"""Networks of the catalogue through both of torch's ONNX exporters, read back: torch's own answers."""

from __future__ import annotations

import contextlib
import io
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from onnx_world import theirs
from torch import nn

import striate
from striate.models import MODELS, card
from striate.onnx import read_onnx

SMALL = {"image_size": (64, 64)}


def network(name: str) -> nn.Module:
    """With statistics of batch norm that are not 0 and 1."""
    about = card(name)
    size = (min(64, about.image_size[0]),) * 2
    module = MODELS[name].build(classes=10, in_channels=about.channels, image_size=size).eval()
    draws = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for key, buffer in module.named_buffers():
            if key.endswith("running_mean"):
                buffer.copy_(torch.randn(buffer.shape, generator=draws) * 0.1)
            elif key.endswith("running_var"):
                buffer.copy_(torch.rand(buffer.shape, generator=draws) + 0.5)
    return module


def exported(module: nn.Module, x: torch.Tensor, path: Path, how: str) -> None:
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        if how == "dynamo":
            batch = torch.export.Dim("batch", min=2)
            torch.onnx.export(module, (x,), path, dynamo=True, dynamic_shapes=({0: batch},), verbose=False)
        elif how == "fixed":
            torch.onnx.export(module, (x[:1],), path, dynamo=False, opset_version=11)
        else:
            torch.onnx.export(
                module,
                (x,),
                path,
                dynamo=False,
                opset_version=17,
                input_names=["x"],
                dynamic_axes={"x": {0: "n"}},
            )


SCRIPT = ["resnet18", "mobilenet_v3_small", "squeezenet1_1", "efficientnet_lite0"]
LONG = [
    "mobilenet_v2",
    "googlenet",
    "densenet121",
    "convnext_tiny",
    "ghostnet_100",
    "mnasnet0_5",
    "inception_v3",
]
LONG_DYNAMO = [
    "resnet18",
    "mobilenet_v3_small",
    "shufflenet_v2_x0_5",
    "googlenet",
    "convnext_tiny",
    "densenet121",
]


@pytest.mark.parametrize(
    ("name", "how"),
    [
        *((name, "script") for name in SCRIPT),
        ("mobilenet_v2", "fixed"),
        ("striate_tiny", "dynamo"),
        *(pytest.param(name, "script", marks=pytest.mark.long) for name in LONG),
        *(pytest.param(name, "dynamo", marks=pytest.mark.long) for name in LONG_DYNAMO),
    ],
)
def test_read_back_it_answers_as_torch_does(name: str, how: str, tmp_path: Path) -> None:
    module = network(name)
    about = card(name)
    side = 96 if name == "inception_v3" else min(64, about.image_size[0])
    x = torch.randn(3, about.channels, side, side, generator=torch.Generator().manual_seed(1))
    path = tmp_path / "net.onnx"
    exported(module, x, path, how)
    with torch.no_grad():
        expected = module.double()(x.double()).numpy()
    net = striate.load(path, threads=1)
    found = net(x.numpy())  # three images, also where the file says one
    scale = np.linalg.norm(expected)
    assert np.linalg.norm(found - expected) <= 1e-5 * scale
    runtime = theirs(path, x.numpy()[:1] if how == "fixed" else x.numpy())[0]
    assert np.linalg.norm(found[: len(runtime)] - runtime) <= 1e-5 * scale


def test_layers_are_called_as_in_torch(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    exported(network("resnet18"), torch.randn(2, 3, 64, 64), path, "script")
    graph, weights = read_onnx(path)
    names = [entry.name for entry in graph]
    assert {"conv1", "maxpool", "layer1.0.conv1", "layer4.1.conv2", "layer4.1.add", "fc"} <= set(names)
    assert graph["fc"].weights == {"weight": "fc.weight", "bias": "fc.bias"}
    assert weights["fc.weight"].shape == (10, 512)
