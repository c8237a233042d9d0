"""The dense head replaced by means: what it saves, that the rest is kept, and that the result trains."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from striate import ops
from striate.capture import capture
from striate.errors import ArgumentError, UnsupportedError
from striate.models import create
from striate.models.rewrite import global_average_head


class Functional(nn.Module):
    """Everything but the layers with weights is called as a function."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.fc1 = nn.Linear(8 * 16 * 16, 64)
        self.norm = nn.BatchNorm1d(64)
        self.fc2 = nn.Linear(64, 5, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.flatten(F.max_pool2d(F.relu(self.conv(x)), 2), 1)
        return self.fc2(F.relu(self.norm(self.fc1(x))))


@pytest.mark.parametrize(
    ("name", "size", "head"),
    [
        ("alexnet", None, 256 * 1000 + 1000),
        ("alexnet_two_tower", (227, 227), 256 * 1000 + 1000),
        ("vgg16", None, 512 * 1000 + 1000),
    ],
)
def test_what_it_saves(name: str, size: tuple[int, int] | None, head: int) -> None:
    with torch.device("meta"):
        model = create(name)
    before = sum(tensor.numel() for tensor in model.parameters())
    rewritten = global_average_head(model, size)
    dense = sum(
        layer.weight.numel() + len(layer.bias) for layer in model.modules() if isinstance(layer, nn.Linear)
    )
    assert rewritten.before == before == sum(tensor.numel() for tensor in model.parameters())
    assert rewritten.after == before - dense + head
    assert f"{rewritten.after:,} parameters instead of {before:,}" in rewritten.text()


def test_vgg16_keeps_a_tenth() -> None:
    with torch.device("meta"):
        rewritten = global_average_head(create("vgg16"))
    assert rewritten.replaced == ("classifier.0", "classifier.3", "classifier.6")
    assert (rewritten.before, rewritten.after) == (138_357_544, 14_714_688 + 513_000)
    assert "89.0% less" in rewritten.text()


def small_vgg() -> nn.Sequential:
    return nn.Sequential(
        *(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.AdaptiveAvgPool2d(7), nn.Flatten()),
        *(nn.Linear(32 * 49, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 5)),
    )


@pytest.mark.parametrize("build", [small_vgg, Functional])
def test_the_result_is_a_network_of_its_own_that_trains(build) -> None:
    torch.manual_seed(0)
    model = build()
    network = global_average_head(model).module
    kept = dict(model.named_parameters())
    for name, tensor in network.named_parameters():
        if tensor.ndim == 4:
            assert torch.equal(tensor, kept[name]) and tensor is not kept[name]
    y = torch.arange(40) % 5
    x = torch.randn(5, 3)[y][:, :, None, None] + 0.5 * torch.randn(40, 3, 32, 32)  # each class has its colour
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    losses = []
    for _ in range(40):
        loss = F.cross_entropy(network(x), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    graph, _ = capture(network, (1, 3, 32, 32))
    assert sum(isinstance(node.op, ops.Linear) for node in graph) == 1
    assert graph.inputs["input" if "input" in graph.inputs else "x"][0] == "N"


def test_larger_images_fit_where_the_maps_are_averaged() -> None:
    network = global_average_head(Functional()).module.eval()
    assert network(torch.randn(2, 3, 40, 48)).shape == (2, 5)


def test_the_mean_is_the_mean_of_each_map() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 30 * 30, 2))
    network = global_average_head(model).module
    x = torch.randn(2, 3, 32, 32)
    means = model[0](x).mean((2, 3))
    assert torch.allclose(network(x), network[2][1](means), atol=1e-6)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(12, 2)), "must have a convolution"),
        (nn.Sequential(nn.Conv2d(3, 2, 3)), "there is no head to replace"),
        (
            nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2)),
            "already ends in the mean",
        ),
    ],
)
def test_refusals(model: nn.Module, message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        global_average_head(model)


def test_a_size_that_does_not_fit() -> None:
    with pytest.raises(ArgumentError, match=r"image_size must be what Sequential is built for, tried 8x8"):
        global_average_head(
            nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 30 * 30, 2)), (8, 8)
        )
