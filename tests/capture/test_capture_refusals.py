"""What cannot be captured is refused in one sentence with operation, module path and source line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from capture_world import Forward, agrees, words
from torch import Tensor, nn
from torch.nn import functional as F

from striate.capture import StaticBatchWarning, capture
from striate.capture.registry import READERS, reads
from striate.errors import ArgumentError, ShapeError, UnsupportedError

IMAGE = (2, 4, 8, 8)
HERE = r"\S*test_capture_refusals\.py:\d+"


def test_an_unknown_operation_names_everything() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(nn.Conv2d(4, 4, 1), nn.GroupNorm(2, 4))

        def forward(self, x: Tensor) -> Tensor:
            return self.layers(x)

    message = (
        rf"aten\.group_norm\.default in module 'layers\.1' \({HERE}\) cannot be captured: striate has no word"
    )
    with pytest.raises(UnsupportedError, match=message):
        capture(Net(), IMAGE)


def overwritten(s: Any, x: Tensor) -> Tensor:
    y = x * 2
    view = y.flatten(1)
    y.add_(1)
    return view


REFUSED: dict[str, tuple[Callable[[Any, Any], Any], str]] = {
    "functional op": (
        lambda s, x: F.mish(x),
        r"aten\.mish\.default in the network's own forward \(\S+\.py:\d+\)",
    ),
    "always dropping": (lambda s, x: F.dropout(x), "it drops values in evaluation mode too; write F.dropout"),
    "batch statistics": (lambda s, x: F.batch_norm(x, None, None, training=True), "statistics of the batch"),
    "instance norm": (lambda s, x: F.instance_norm(x), "aten.instance_norm.default"),
    "half a batch norm": (lambda s, x: F.batch_norm(x, s.v, s.v, s.v), "one of weight and bias"),
    "layer norm of maps": (lambda s, x: F.layer_norm(x, (8, 8)), "a layer norm over one axis has a word"),
    "computed weights": (lambda s, x: F.conv2d(x, x[:4, :, :3, :3]), "its weight is computed from"),
    "weights from the input": (lambda s, x: F.linear(x, x.mean((0, 1))), "its weight is computed from"),
    "batch split": (lambda s, x: x[0:1] + x, "takes a part of the batch"),
    "one image": (lambda s, x: x[0], "takes one image out of the batch"),
    "images joined": (lambda s, x: x.view(-1, 8), "moves values between images of a batch"),
    "flattened batch": (lambda s, x: x.flatten(), "joins the batch with another axis"),
    "batch in front": (lambda s, x: torch.stack([x, x]), "stacks along the batch axis"),
    "batch size as a number": (lambda s, x: x * x.shape[0], "a number that depends on the batch"),
    "padded batch": (lambda s, x: F.pad(x, (0, 0, 0, 0, 0, 0, 1, 0)), "it pads the batch axis"),
    "integers": (lambda s, x: x.int() + 1, r"converts torch\.float32 to torch\.int32"),
    "half": (lambda s, x: x.half().float(), r"converts torch\.float32 to torch\.float16"),
    "rounded division": (lambda s, x: torch.div(x, 2, rounding_mode="floor"), r"aten\.div\.Tensor_mode"),
    "random numbers": (lambda s, x: x + torch.rand(8), "its result is random"),
    "random like x": (lambda s, x: x + torch.rand_like(x), r"aten\.rand_like"),
    "overwritten": (overwritten, "another operation has written to in place through a view"),
    "assignment": (lambda s, x: x.clone().index_fill_(1, torch.tensor([0]), 0.0), r"aten\.index_fill_"),
    "changing buffer": (lambda s, x: x * s.v.add_(1)[0], "changes 'v' at every run"),
    "other norm": (lambda s, x: x.norm(p=1, dim=1), "only the Euclidean norm"),
    "expanded": (lambda s, x: F.relu(x[:, :1].expand(-1, 4, 8, 8)), "read by something else than arithmetic"),
    "maximum of channels": (lambda s, x: x.amax(1), "only the maximum over all spatial axes has a word"),
    "no batch axis": (lambda s, x: F.max_pool2d(x.mean(1), 2), "no batch axis"),
    "foreign indices": (
        lambda s, x: F.max_unpool2d(x, s.i.expand(2, 4, 8, 8), 2),
        "do not come from a maximum",
    ),
    "scaled elu": (lambda s, x: torch.ops.aten.elu(x, 1.0, 2.0), "ELU has a slope alpha, no other scales"),
    "other celu": (lambda s, x: F.celu(x, 2.0), "only where alpha is 1, got 2.0"),
    "products of inputs": (lambda s, x: x @ x, "its other is computed from the network's input"),
    "repeated batch": (lambda s, x: x.repeat(2, 1, 1, 1), "only copies along the axes after the batch"),
    "scaled addmm": (lambda s, x: torch.addmm(s.v, x[:, :, 0, 0], s.m, beta=2), "beta and alpha must be 1"),
    "scaled addcmul": (lambda s, x: torch.addcmul(x, x, x, value=2), "only addcmul with value=1"),
    "unbound batch": (lambda s, x: x.unbind(0)[0], "takes the batch apart"),
    "one pixel shuffle": (lambda s, x: F.pixel_shuffle(x[:, None], 2), r"its input must be \(N, C, H, W\)"),
}


@pytest.mark.filterwarnings("ignore::striate.capture.StaticBatchWarning")
@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    function, message = REFUSED[name]
    module = Forward(function)
    module.register_buffer("v", torch.ones(4))
    module.register_buffer("m", torch.ones(4, 4))
    module.register_buffer("i", torch.zeros(8, 8, dtype=torch.int64))
    with pytest.raises(UnsupportedError, match=message) as caught:
        capture(module, IMAGE)
    assert "cannot be captured" in str(caught.value)


def test_branches_on_values_are_refused(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(
        UnsupportedError, match=r"Forward cannot be captured: torch\.export cannot follow its forward"
    ):
        capture(Forward(lambda s, x: x if x.sum() > 0 else -x), IMAGE)
    assert capfd.readouterr() == ("", "")


def test_a_module_that_fails_by_itself(capfd: pytest.CaptureFixture[str]) -> None:
    net = nn.Sequential(nn.Flatten(), nn.Sequential(nn.Linear(7, 2)))
    message = (
        r"must run on the example, of shape \(2, 4, 8, 8\), but layer '1\.0' fails: .*512 ?x|mat1 and mat2"
    )
    with pytest.raises(ShapeError, match=message) as caught:
        capture(net, IMAGE)
    assert caught.value.layer == "1.0"
    assert capfd.readouterr() == ("", "")
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in net.modules())


def test_in_place_operations_nobody_can_notice_are_captured() -> None:
    def forward(s: Any, x: Tensor) -> Tensor:
        y = (x * 2).relu_().add_(1)
        y *= 3
        identity = y
        return F.leaky_relu(y.clamp_(max=2), inplace=True) + identity

    found = words(agrees(Forward(forward), *IMAGE))
    assert found[-3:] == ["Clamp", "LeakyReLU", "Add"]


EXAMPLES: list[Any] = [
    (),
    (0, 4, 8, 8),
    (2, 0),
    "text",
    (2.5, 3),
    torch.zeros(()),
    torch.zeros(0, 4),
    [None],
    ("N", -1),
]


@pytest.mark.parametrize("example", EXAMPLES, ids=repr)
def test_examples_that_are_none(example: Any) -> None:
    with pytest.raises(ArgumentError, match="example must"):
        capture(nn.ReLU(), example)


def test_a_second_reader_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"aten\.conv2d\.default must have one reader, it has two"):
        reads("aten.conv2d.default")(READERS["aten.relu.default"])
    assert READERS["aten.conv2d.default"] is not READERS["aten.relu.default"]


def test_a_fixed_batch_is_said() -> None:
    module = Forward(lambda s, x: x.reshape(2, -1) * 2)
    with pytest.warns(
        StaticBatchWarning, match="batches of 2 only: its forward uses the batch size as a fixed"
    ):
        graph, _ = capture(module, IMAGE)
    assert graph.inputs["x"] == IMAGE
