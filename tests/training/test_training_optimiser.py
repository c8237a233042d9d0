"""Our optimisers and schedules against torch's own, and what weight decay spares."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from striate.errors import CheckpointError
from striate.training.device import place
from striate.training.objective import Objective
from striate.training.optimiser import Optimiser
from striate.training.schedule import factor
from striate.training.settings import TrainSettings
from striate.training.step import update
from striate.training.update_rules import orthogonal

LRS = [0.01, 0.05, 0.002, 0.03]


def network() -> nn.Sequential:
    torch.manual_seed(5)
    # The convolution has no bias: before a norm its gradient is rounding noise, which Adam would enlarge.
    layers = (
        nn.Conv2d(2, 4, 3, bias=False),
        nn.BatchNorm2d(4),
        nn.PReLU(),
        nn.Flatten(),
        nn.Linear(4 * 36, 3),
    )
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def train(module: nn.Module, step: Callable[[float], None]) -> nn.Module:
    draw = torch.Generator().manual_seed(9)
    for lr in LRS:
        for parameter in module.parameters():
            parameter.grad = None
        module(torch.randn(6, 2, 8, 8, generator=draw)).square().mean().backward()
        step(lr)
    return module


def groups(module: nn.Module, decay: float) -> list[dict[str, object]]:
    weights = [p for p in module.parameters() if p.dim() >= 2]
    others = [p for p in module.parameters() if p.dim() < 2]
    return [{"params": weights, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]


def by_torch(settings: TrainSettings) -> nn.Module:
    module, decay = network(), settings.weight_decay
    if settings.optimiser == "adamw":
        betas = (settings.momentum, settings.beta2)
        theirs: torch.optim.Optimizer = torch.optim.AdamW(groups(module, decay), betas=betas)
    else:
        theirs = torch.optim.SGD(groups(module, 0.0), momentum=settings.momentum, nesterov=True)

    def step(lr: float) -> None:
        for group in theirs.param_groups:
            group["lr"] = lr
        if settings.optimiser == "sgd":  # torch's SGD couples the decay with the gradient; ours does not
            with torch.no_grad():
                for parameter in module.parameters():
                    parameter.mul_(1 - lr * decay if parameter.dim() >= 2 else 1)
        theirs.step()

    return train(module, step)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_the_same_as_torch(name: str, fused: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not fused:
        monkeypatch.delattr(torch, "_fused_adamw_")
    settings = TrainSettings(optimiser=name, weight_decay=0.3)  # type: ignore[arg-type]
    module = network()
    train(module, Optimiser(module, settings).step)
    for ours, theirs in zip(module.parameters(), by_torch(settings).parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["adamw", "sgd", "muon", "lamb"])
def test_decay_spares_biases_and_norms(name: str) -> None:
    module = network()
    before = [parameter.detach().clone() for parameter in module.parameters()]
    optimiser = Optimiser(module, TrainSettings(optimiser=name, weight_decay=0.5))  # type: ignore[arg-type]
    for parameter in module.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimiser.step(0.1)
    for old, new in zip(before, module.parameters(), strict=True):
        kept = 0.95 if name != "lamb" else 0.9  # LAMB's trust makes any change one of the weights' length
        torch.testing.assert_close(new.detach(), old * (kept if old.dim() >= 2 else 1))


def test_lamb_by_the_formula() -> None:
    """Algorithm 2 of arXiv:1904.00962 with plain numbers."""
    module = nn.Linear(2, 1, bias=False)
    weight = np.array([[3.0, 4.0]])
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(weight))
    settings = TrainSettings(optimiser="lamb", weight_decay=0.1, momentum=0.9, beta2=0.99)
    optimiser, mean, square = Optimiser(module, settings), np.zeros((1, 2)), np.zeros((1, 2))
    for step, gradient in enumerate(([[0.5, -2.0]], [[1.0, 0.1]]), start=1):
        module.weight.grad = torch.tensor(gradient)
        optimiser.step(0.02)
        g = np.array(gradient)
        mean, square = 0.9 * mean + 0.1 * g, 0.99 * square + 0.01 * g * g
        change = mean / (1 - 0.9**step) / (np.sqrt(square / (1 - 0.99**step)) + 1e-8) + 0.1 * weight
        weight = weight - 0.02 * np.linalg.norm(weight) / np.linalg.norm(change) * change
    np.testing.assert_allclose(module.weight.detach().numpy(), weight, rtol=1e-5)


def test_muon_is_torchs_in_hidden_layers_and_adamw_elsewhere() -> None:
    torch.manual_seed(3)
    module = nn.Sequential(nn.Linear(5, 6), nn.Linear(6, 4), nn.Linear(4, 3))
    settings = TrainSettings(optimiser="muon", weight_decay=0.1)
    theirs = torch.optim.Muon(
        [module[1].weight.detach().clone().requires_grad_()],
        lr=0.05,
        weight_decay=0.1,
        adjust_lr_fn="match_rms_adamw",
    )
    (inner,) = theirs.param_groups[0]["params"]
    plain = copy.deepcopy(module)
    ours, adam = Optimiser(module, settings), Optimiser(plain, TrainSettings(weight_decay=0.1))
    for _ in range(3):
        for parameter, other in zip(module.parameters(), plain.parameters(), strict=True):
            parameter.grad = torch.randn_like(parameter)
            other.grad = parameter.grad.clone()
        inner.grad = module[1].weight.grad.clone()
        ours.step(0.05)
        adam.step(0.05)
        theirs.step()
    torch.testing.assert_close(module[1].weight, inner, rtol=0.05, atol=0.02)  # theirs iterates in bf16
    for layer in (0, 2):
        torch.testing.assert_close(module[layer].weight, plain[layer].weight)
    torch.testing.assert_close(module[1].bias, plain[1].bias)


@pytest.mark.parametrize("shape", [(6, 20), (20, 6), (8, 8)])
def test_orthogonal_keeps_directions_and_evens_out_lengths(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    made = orthogonal(matrix)
    stretched = torch.diagonal(u.T @ made @ v.T)
    assert made.shape == matrix.shape
    assert stretched.min() > 0.6 and stretched.max() < 1.3
    torch.testing.assert_close(u @ torch.diag(stretched) @ v, made, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["sgd", "adamw", "muon", "lamb"])
def test_a_batch_in_parts_is_the_whole_batch(name: str) -> None:
    """Without batch norm, and with a last part that is smaller."""
    images = torch.randn(10, 2, 8, 8, generator=torch.Generator().manual_seed(2))
    labels = torch.arange(10) % 3

    def learn(parts: int) -> tuple[nn.Module, float]:
        torch.manual_seed(5)
        layers = (nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.Flatten(), nn.Linear(64, 3))
        module, objective = nn.Sequential(*layers), Objective(label_smoothing=0.1)
        settings = TrainSettings.from_json(
            {"optimiser": name, "accumulate": parts, "grad_clip": 0.5, "precision": "fp32", "threads": 1}
        )
        optimiser, where = Optimiser(module, settings), place(settings)
        for _ in range(3):
            loss, right = update(module, optimiser, images, labels, 0.01, settings, where, objective)
        assert 0 <= int(right) <= 10
        return module, float(loss)

    (whole, loss), (parts, other) = learn(1), learn(3)
    assert loss == pytest.approx(other, rel=1e-4)
    for one, two in zip(whole.parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=2e-5)


def test_frozen_parameters_and_those_without_a_gradient_stay() -> None:
    module = network()
    module[0].requires_grad_(False)
    before = {name: p.detach().clone() for name, p in module.named_parameters()}
    optimiser = Optimiser(module, TrainSettings())
    module[4].weight.grad = torch.ones_like(module[4].weight)  # type: ignore[arg-type]
    optimiser.step(0.1)
    changed = [name for name, p in module.named_parameters() if not torch.equal(p, before[name])]
    assert changed == ["4.weight"]
    assert not any(key.startswith("0.") for key in optimiser.state())


def test_clip_keeps_the_direction() -> None:
    module = nn.Linear(3, 1, bias=False)
    optimiser = Optimiser(module, TrainSettings())
    module.weight.grad = torch.tensor([[3.0, 0.0, 4.0]])
    optimiser.clip(1.0)
    torch.testing.assert_close(module.weight.grad, torch.tensor([[0.6, 0.0, 0.8]]))


def test_state_of_another_network_is_refused() -> None:
    theirs = Optimiser(nn.Linear(2, 2), TrainSettings()).state()
    ours = Optimiser(nn.Linear(2, 2), TrainSettings(optimiser="sgd"))
    with pytest.raises(CheckpointError, match="holds the optimiser of another network"):
        ours.restore(theirs)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("linear", [0.2, 0.6, 1.0, 0.8, 0.6, 0.4, 0.2]),
        ("cosine", [0.2, 0.6, 1.0, 0.904508, 0.654508, 0.345492, 0.095492]),
        ("one-cycle", [0.2, 0.6, 1.0, 0.904508, 0.654508, 0.345492, 0.095492]),
        ("step", [0.2, 0.6, 1.0, 1.0, 0.1, 0.1, 0.01]),
    ],
)
def test_schedules_by_hand(name: str, expected: list[float]) -> None:
    """Seven steps, two of them warm-up; the middle of a half cosine is the middle of the line."""
    settings = TrainSettings(schedule=name, warmup=2 / 7)  # type: ignore[arg-type]
    assert [factor(step, 7, settings) for step in range(7)] == pytest.approx(expected, abs=1e-6)


def test_one_cycle_rises_as_torchs() -> None:
    settings = TrainSettings(schedule="one-cycle", warmup=0.3, start_factor=1 / 25)
    total = 100
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=1.0, total_steps=total + 1, pct_start=31 / 101, cycle_momentum=False
    )
    for step in range(total):
        assert factor(step, total, settings) == pytest.approx(theirs.get_last_lr()[0], abs=1e-3)
        optimiser.step()
        theirs.step()


def test_without_warmup_and_with_one_step() -> None:
    assert factor(0, 1, TrainSettings(warmup=0.0)) == 1.0
    assert factor(0, 1, TrainSettings(warmup=0.5, start_factor=0.3)) == 0.3
    assert factor(9, 10, TrainSettings(warmup=0.0, end_factor=0.5)) == pytest.approx(0.55)
