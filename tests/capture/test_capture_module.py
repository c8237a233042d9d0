"""What capture takes, what it gives for every batch size, and that it leaves the module alone."""

from __future__ import annotations

import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from capture_world import Forward, agrees
from torch import Tensor, nn

from striate import models
from striate.arithmetic.whole import graph_shapes
from striate.capture import capture
from striate.graph.fold import fold_batch_norm
from striate.graph.store import graph_from_json, graph_to_json
from striate.reference.run import run


def net() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(), nn.ReLU())


@pytest.mark.parametrize("fails", [False, True])
def test_the_module_is_left_as_it_was(fails: bool) -> None:
    module = net()
    if fails:
        module.append(nn.GroupNorm(2, 4))
    module.train()
    module[1].eval()
    module[0].bias.requires_grad_(False)
    module[0].weight.grad = torch.ones_like(module[0].weight)
    modes = [part.training for part in module.modules()]
    state = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    if fails:
        with pytest.raises(Exception, match="group_norm"):
            capture(module, (1, 3, 8, 8))
    else:
        capture(module, (1, 3, 8, 8))
    assert [part.training for part in module.modules()] == modes
    assert all(torch.equal(tensor, state[name]) for name, tensor in module.state_dict().items())
    assert not module[0].bias.requires_grad
    assert torch.equal(module[0].weight.grad, torch.ones_like(module[0].weight))
    assert torch.is_grad_enabled()
    assert all(type(parameter) is nn.Parameter for parameter in module.parameters())


def test_examples_of_every_form_give_the_same_graph() -> None:
    module = net()
    graph, _ = capture(module, (1, 3, 8, 8))
    assert graph.inputs["input"] == ("N", 3, 8, 8)
    for example in [torch.rand(1, 3, 8, 8), torch.rand(5, 3, 8, 8), ("N", 3, 8, 8), [4, 3, 8, 8]]:
        assert capture(module, example)[0] == graph


def test_a_fixed_batch_on_request() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        graph, _ = capture(net(), (5, 3, 8, 8), dynamic_batch=False)
    assert graph.inputs["input"] == (5, 3, 8, 8)


def test_two_inputs() -> None:
    class Two(nn.Module):
        def forward(self, left: Tensor, right: Tensor) -> Tensor:
            return left @ torch.ones(3, 4) + right

    graph, weights = capture(Two(), (torch.zeros(2, 3), torch.zeros(2, 4)))
    assert dict(graph.inputs) == {"left": ("N", 3), "right": ("N", 4)}
    left, right = np.ones((5, 3)), np.ones((5, 4))
    assert np.array_equal(run(graph, weights, {"left": left, "right": right}), np.full((5, 4), 4.0))


def test_two_inputs_whose_batches_are_unrelated() -> None:
    class Apart(nn.Module):
        def forward(self, left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
            return left.flatten(1), right * 2

    graph, _ = capture(Apart(), (torch.zeros(2, 3, 4), torch.zeros(2, 4)))
    assert dict(graph.inputs) == {"left": ("N", 3, 4), "right": ("N2", 4)}


def test_batches_of_one_and_of_many() -> None:
    graph, weights = capture(net().eval(), (1, 3, 8, 8))
    for batch in (0, 1, 7):
        assert run(graph, weights, np.zeros((batch, 3, 8, 8))).shape == (batch, 4, 6, 6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_precision_of_the_tensors(dtype: torch.dtype) -> None:
    module = nn.Linear(3, 2).to(dtype)
    _, weights = capture(module, (1, 3))
    expected = np.float64 if dtype == torch.float64 else np.float32
    assert {array.dtype for array in weights.values()} == {np.dtype(expected)}
    assert np.array_equal(weights["weight"], module.weight.detach().double().numpy())


def test_channels_last_tensors_are_stored_in_order() -> None:
    module = net().to(memory_format=torch.channels_last)
    _, weights = capture(module, torch.rand(2, 3, 8, 8).to(memory_format=torch.channels_last))
    assert weights["0.weight"].flags.c_contiguous
    assert np.array_equal(weights["0.weight"], module[0].weight.detach().numpy())


def test_the_meta_device_gives_shapes_without_memory() -> None:
    with torch.device("meta"):
        module = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64 * 64, 10_000))
    graph, weights = capture(module, (1, 3, 64, 64))
    assert graph_shapes(graph)["1"] == ("N", 10_000)
    assert weights["1.weight"].shape == (10_000, 12_288)
    assert np.isnan(weights["1.weight"][0, 0])
    assert weights["1.weight"].strides == (0, 0)


def test_a_batch_that_only_reshapes_know() -> None:
    """x.shape[0] and -1 in every place: the batch stays open."""
    module = Forward(lambda s, x: x.view(x.shape[0], 2, -1).transpose(1, 2).reshape(x.size(0), -1, 4).mean(1))
    assert agrees(module, 2, 4, 8, 8).inputs["x"] == ("N", 4, 8, 8)


@pytest.mark.parametrize("name", ["lenet5", "lenet5_1998", "striate_small"])
def test_small_models(name: str) -> None:
    """Captured, stored, read and folded, it gives what torch gives; its tensors are those of the module."""
    torch.manual_seed(0)
    module = models.create(name).eval()
    card = models.card(name)
    graph, weights = capture(module, (1, card.channels, *card.image_size))
    assert graph_from_json(graph_to_json(graph)) == graph
    used = {entry for entry in weights if not entry.startswith("constant.")}
    assert used == {entry for entry in module.state_dict() if "num_batches" not in entry}
    x = torch.randn(2, card.channels, *card.image_size, dtype=torch.float64)
    with torch.no_grad():
        expected = module.double()(x).numpy()
    np.testing.assert_allclose(run(graph, weights, x.numpy()), expected, rtol=1e-9, atol=1e-9)
    folded, tensors = fold_batch_norm(graph, weights)
    assert len(folded) <= len(graph)
    np.testing.assert_allclose(run(folded, tensors, x.numpy()), expected, rtol=1e-5, atol=1e-5)


def test_importing_the_room_does_not_load_the_compiler() -> None:
    """The seconds that torch.export's own imports take are paid by the first capture."""
    code = (
        "import sys, torch; before = set(sys.modules); import striate.capture;"
        "late = [m for m in set(sys.modules) - before if m.startswith('torch._dynamo')];"
        "print(len(late)); sys.exit(bool(late))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=120).returncode == 0
