"""Every operation that has a reader: the captured words compute what the module computes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from capture_world import Forward, agrees, words
from torch import nn
from torch.nn import functional as F

IMAGE = (2, 4, 8, 8)
MODULES: list[tuple[nn.Module, tuple[int, ...], list[str]]] = [
    (nn.Conv1d(4, 6, 3, 2, 1, 2, 2), (2, 4, 9), ["Conv1d"]),
    (nn.Conv2d(4, 6, (3, 1), (1, 2), (1, 0), (2, 1), 2, bias=False), IMAGE, ["Conv2d"]),
    (nn.Conv2d(4, 6, 4, padding="same"), IMAGE, ["Conv2d"]),
    (nn.Conv2d(4, 6, 3, padding="valid"), IMAGE, ["Conv2d"]),
    (nn.Conv3d(4, 2, 2), (2, 4, 3, 3, 3), ["Conv3d"]),
    (nn.Conv1d(4, 6, 3, padding=2, padding_mode="circular"), (2, 4, 9), ["Conv1d"]),
    (nn.Conv2d(4, 6, 3, padding=(1, 2), padding_mode="reflect"), IMAGE, ["Conv2d"]),
    (nn.Conv2d(4, 6, 4, padding="same", padding_mode="replicate", dilation=2), IMAGE, ["Conv2d"]),
    (nn.Conv3d(4, 2, 3, padding=1, padding_mode="replicate"), (2, 4, 3, 3, 3), ["Conv3d"]),
    (nn.ConvTranspose1d(4, 6, 3, 2, 1, 1, 2), (2, 4, 9), ["ConvTranspose1d"]),
    (nn.ConvTranspose2d(4, 6, (3, 2), 2, (1, 0), (1, 0), 2, False), IMAGE, ["ConvTranspose2d"]),
    (nn.ConvTranspose3d(4, 2, 2, dilation=2), (2, 4, 3, 3, 3), ["ConvTranspose3d"]),
    (nn.Linear(8, 3, bias=False), IMAGE, ["Linear"]),
    (nn.MaxPool1d(3, 2, 1, ceil_mode=True), (2, 4, 9), ["MaxPool1d"]),
    (nn.MaxPool2d((3, 2), dilation=(1, 2)), IMAGE, ["MaxPool2d"]),
    (nn.MaxPool3d(2), (2, 4, 4, 4, 4), ["MaxPool3d"]),
    (nn.MaxPool2d(2, return_indices=True), IMAGE, ["MaxPool2d"]),
    (nn.AvgPool1d(3, 2, 1, count_include_pad=False), (2, 4, 9), ["AvgPool1d"]),
    (nn.AvgPool2d(3, 2, 1, ceil_mode=True, divisor_override=5), IMAGE, ["AvgPool2d"]),
    (nn.AvgPool3d(2, 1), (2, 4, 3, 3, 3), ["AvgPool3d"]),
    (nn.AdaptiveAvgPool1d(4), (2, 4, 9), ["AdaptiveAvgPool1d"]),
    (nn.AdaptiveAvgPool2d((3, None)), IMAGE, ["AdaptiveAvgPool2d"]),
    (nn.AdaptiveAvgPool3d(2), (2, 4, 3, 3, 3), ["AdaptiveAvgPool3d"]),
    (nn.AdaptiveMaxPool1d(4), (2, 4, 9), ["AdaptiveMaxPool1d"]),
    (nn.AdaptiveMaxPool2d(3), IMAGE, ["AdaptiveMaxPool2d"]),
    (nn.AdaptiveMaxPool2d(3, return_indices=True), IMAGE, ["AdaptiveMaxPool2d"]),
    (nn.AdaptiveMaxPool3d(2), (2, 4, 3, 3, 3), ["AdaptiveMaxPool3d"]),
    (nn.BatchNorm1d(4), (2, 4), ["BatchNorm"]),
    (nn.BatchNorm2d(4, eps=0.1, affine=False), IMAGE, ["BatchNorm"]),
    (nn.LayerNorm(8, eps=0.1), IMAGE, ["LayerNorm"]),
    (nn.LayerNorm(8, bias=False), (2, 8), ["LayerNorm"]),
    (nn.LayerNorm(8, elementwise_affine=False), IMAGE, ["LayerNorm"]),
    (nn.LocalResponseNorm(3, 0.1, 0.5, 2.0), IMAGE, ["LocalResponseNorm"]),
    (nn.LocalResponseNorm(4), (2, 6, 9), ["LocalResponseNorm"]),
    (nn.LocalResponseNorm(2), (2, 4, 3, 3, 3), ["LocalResponseNorm"]),
    (nn.Sequential(nn.ReLU(True), nn.Sigmoid(), nn.Tanh()), IMAGE, ["ReLU", "Sigmoid", "Tanh"]),
    (nn.Sequential(nn.ReLU6(), nn.SELU(), nn.SiLU(True)), IMAGE, ["ReLU6", "SELU", "SiLU"]),
    (nn.Sequential(nn.Hardsigmoid(), nn.Hardswish()), IMAGE, ["HardSigmoid", "HardSwish"]),
    (nn.Sequential(nn.Hardtanh(-2, 1), nn.ELU(0.5), nn.CELU()), IMAGE, ["Clamp", "ELU", "ELU"]),
    (nn.Sequential(nn.LeakyReLU(0.2), nn.PReLU(), nn.PReLU(4)), IMAGE, ["LeakyReLU", "PReLU", "PReLU"]),
    (nn.Sequential(nn.GELU(), nn.GELU("tanh")), IMAGE, ["GELU", "GELU"]),
    (nn.Sequential(nn.Softmax(1), nn.LogSoftmax(-1)), IMAGE, ["Softmax", "LogSoftmax"]),
    (nn.Sequential(nn.Softmax2d(), nn.Tanhshrink()), IMAGE, ["Softmax", "Tanh", "Subtract"]),
    (nn.Sequential(nn.Dropout(0.3), nn.Dropout2d(), nn.AlphaDropout()), IMAGE, ["Dropout"] * 3),
    (nn.Sequential(nn.Identity(), nn.Flatten(), nn.Unflatten(1, (4, 64))), IMAGE, ["Flatten", "Reshape"]),
    (nn.Sequential(nn.Flatten(2), nn.Flatten(1, 2)), (2, 3, 4, 5), ["Flatten", "Flatten"]),
    (nn.Sequential(nn.Upsample(scale_factor=1.5), nn.Upsample((5, 9))), IMAGE, ["Upsample"] * 2),
    (nn.Upsample(scale_factor=(2, 1.5), mode="bilinear", align_corners=True), IMAGE, ["Upsample"]),
    (nn.Upsample(7, mode="linear"), (2, 4, 9), ["Upsample"]),
    (nn.Sequential(nn.ZeroPad2d((1, 2, 0, 3)), nn.ConstantPad1d(1, 0.5)), IMAGE, ["Pad", "Pad"]),
    (nn.Sequential(nn.ReflectionPad2d(2), nn.ReplicationPad2d((1, 0, 2, 0))), IMAGE, ["Pad", "Pad"]),
    (nn.CircularPad2d((1, 2, 3, 0)), IMAGE, ["Pad"]),
    (
        nn.Sequential(nn.ChannelShuffle(2), nn.PixelShuffle(2)),
        IMAGE,
        ["ChannelShuffle", "Reshape", "Permute", "Reshape"],
    ),
    (nn.PixelUnshuffle(2), IMAGE, ["Reshape", "Permute", "Reshape"]),
]


@pytest.mark.parametrize(("module", "shape", "expected"), MODULES, ids=lambda value: str(value).split("(")[0])
def test_modules(module: nn.Module, shape: tuple[int, ...], expected: list[str]) -> None:
    assert words(agrees(module, *shape)) == expected


# Functions of x (2, 4, 8, 8), gathered so that one export covers many operations.
FUNCTIONS: dict[str, tuple[Callable[[Any, Any], Any], list[str]]] = {
    "arithmetic with numbers": (
        lambda s, x: (x + 1, 2 - x, x * 3, x / 4, x**2, -x, x - 1, torch.add(x, x, alpha=3), x.square()),
        ["Add", "Subtract", "Multiply", "Divide", "Power", "Negate", "Subtract", "Multiply", "Add", "Power"],
    ),
    "arithmetic with tensors": (
        lambda s, x: (x + x[:, :1], x - s.w, x * x, torch.maximum(x, s.w), torch.min(x, -x), x / s.w),
        ["Slice", "Add", "Subtract", "Multiply", "Maximum", "Negate", "Minimum", "Divide"],
    ),
    "subtraction the other way round": (
        lambda s, x: (torch.rsub(x, 1, alpha=2), torch.sub(x, x * x, alpha=0.5)),
        ["Multiply", "Subtract", "Multiply", "Multiply", "Subtract"],
    ),
    "functions of one value": (
        lambda s, x: (x.abs(), x.exp(), x.clamp(-1, 1), x.clamp(min=0.5), x.clamp_max(2), F.relu6(x)),
        ["Absolute", "Exponential", "Clamp", "Clamp", "Clamp", "ReLU6"],
    ),
    "convolutions": (
        lambda s, x: (
            F.conv2d(x, s.k),
            F.conv2d(x, s.k, padding="same"),
            F.conv_transpose2d(x, s.k, stride=2),
        ),
        ["Conv2d", "Conv2d", "ConvTranspose2d"],
    ),
    "pools": (
        lambda s, x: (F.max_pool2d(x, 2), F.avg_pool2d(x, 3, 1), F.adaptive_avg_pool2d(x, 1), x.amax((2, 3))),
        ["MaxPool2d", "AvgPool2d", "AdaptiveAvgPool2d", "AdaptiveMaxPool2d", "Flatten"],
    ),
    "unpooling": (
        lambda s, x: F.max_unpool2d(*F.max_pool2d(x, 3, 2, return_indices=True), 3, 2, output_size=(8, 8)),
        ["MaxPool2d", "MaxUnpool2d"],
    ),
    "unpooling in one dimension": (
        lambda s, x: s.u(*F.max_pool1d(x.flatten(2), 2, return_indices=True)),
        ["Flatten", "MaxPool1d", "MaxUnpool1d"],
    ),
    "parts": (
        lambda s, x: (
            *x.chunk(3, 1),
            *x.split([1, 7], 2),
            x[:, 1:, ::3],
            x[..., -2:],
            x[:, 2],
            *x.unbind(1)[:1],
        ),
        # x[:, 1:, ::3] takes two slices; of chunk(3) of four channels there are only two
        [*["Slice"] * 8, "Reshape", "Slice", "Reshape"],
    ),
    "parts that are wholes": (lambda s, x: x[:, :] + x.narrow(1, 0, 4) + x.chunk(1, 1)[0], ["Add", "Add"]),
    "narrow and tensor_split": (
        lambda s, x: (x.narrow(1, 1, 2), *torch.tensor_split(x, 3, dim=3), *x.tensor_split([1, 2], 1)),
        ["Slice"] * 7,
    ),
    "joins": (
        lambda s, x: (
            torch.cat([x, x[:, :2]], 1),
            torch.stack([x, x], 2),
        ),
        ["Slice", "Concat", "Reshape", "Reshape", "Concat"],
    ),
    "copies": (lambda s, x: (x.repeat(1, 2, 1, 3), x.tile(1, 1, 2, 1)), ["Concat"] * 3),
    "reshapes": (
        lambda s, x: (
            x.view(x.size(0), -1),
            x.reshape(-1, 2, 2, 64),
            x.unsqueeze(1).squeeze(1),
            x.flatten(1),
        ),
        ["Reshape", "Reshape", "Reshape", "Reshape", "Flatten"],
    ),
    "axes": (
        lambda s, x: (x.permute(0, 2, 3, 1), x.transpose(1, -1), x.mT, x.movedim(1, -1), x.swapaxes(2, 3)),
        ["Permute"] * 5,
    ),
    "sums": (
        lambda s, x: (x.mean((2, 3)), x.mean(-1, keepdim=True), x.sum(1), x.sum((-2, -1), keepdim=True)),
        ["Mean", "Mean", "Sum", "Sum"],
    ),
    "norms": (
        lambda s, x: (F.normalize(x), F.layer_norm(x, (8,)), F.local_response_norm(x, 3)),
        [*["Power", "Sum", "SquareRoot", "Clamp", "Divide"], "LayerNorm", "LocalResponseNorm"],
    ),
    "products": (
        lambda s, x: (x @ s.m, torch.addmm(s.b, x.mean((2, 3)), s.a), F.linear(x, s.m)),
        ["Linear", "Mean", "Linear", "Linear"],
    ),
    "padding and resampling": (
        lambda s, x: (
            F.pad(x, (1, -2, 0, 3), value=2.0),
            F.pad(x, (1, 1, 0, 0, 2, 0)),
            F.interpolate(x, size=(3, 9)),
        ),
        ["Pad", "Pad", "Upsample"],
    ),
    "expansion": (lambda s, x: x * x.mean((2, 3), keepdim=True).expand_as(x), ["Mean", "Multiply"]),
    "copies of memory": (
        lambda s, x: x.contiguous().clone().detach().to(x.device).double().type_as(x) + 0.0,
        ["Add"],
    ),
    "parameters in the forward": (
        lambda s, x: x * (s.w * 2).abs() + s.k.sum() + torch.arange(8.0),
        ["Multiply", "Add", "Add"],
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name: str) -> None:
    function, expected = FUNCTIONS[name]
    torch.manual_seed(0)
    module = Forward(function, u=nn.MaxUnpool1d(2))
    for tensor, shape in {"w": (4, 8, 8), "k": (4, 4, 3, 3), "m": (8, 8), "a": (4, 5), "b": (5,)}.items():
        module.register_parameter(tensor, nn.Parameter(torch.randn(shape)))
    found = words(agrees(module, *IMAGE))
    assert [word for word in found if word != "Constant"] == expected


def test_functions_of_positive_numbers() -> None:
    module = Forward(lambda s, x: (x.sqrt(), x.log(), x.rsqrt(), x.reciprocal(), 1 / x, x**0.3, 2**x, x**x))
    graph = agrees(module, *IMAGE, positive=True)
    assert {"SquareRoot", "Logarithm", "Divide", "Power"} <= set(words(graph))


def test_no_number_of_a_forward_is_rounded() -> None:
    from striate.capture import capture

    graph, weights = capture(Forward(lambda s, x: x * 0.1), (1, 2))
    assert weights[graph["constant"].weights["value"]] == 0.1
