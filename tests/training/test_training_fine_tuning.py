"""What is frozen stays as it is, to the last bit; what learns learns at the rate of its depth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import training_world as world
from torch import Tensor, nn

from striate.errors import ArgumentError
from striate.training import fine_tuning
from striate.training.loop import fit
from striate.training.optimiser import Optimiser
from striate.training.schedule import factor
from striate.training.settings import TrainSettings

SETTINGS = replace(world.SETTINGS, ema_decay=None, grad_clip=None)


class Backwards(nn.Module):
    """Defined from the head to the stem; an auxiliary head that only training asks."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(8, 4)
        self.late = nn.Sequential(nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8))
        self.extra = nn.Linear(8, 4)
        self.early = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.Dropout(0.5))

    def forward(self, x: Tensor) -> Tensor:
        maps = self.late(self.early(x)).mean((2, 3))
        scores: Tensor = self.head(maps)
        return scores + self.extra(maps) if self.training else scores


def train(module: nn.Module, **changes: Any) -> dict[str, Tensor]:
    """State before minus state after: which tensors moved."""
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    fit(module, world.Blobs(), world.Blobs(steps=1), replace(SETTINGS, **changes))
    return {
        name: tensor for name, tensor in module.state_dict().items() if not torch.equal(tensor, before[name])
    }


def test_depth_is_the_order_in_which_layers_act() -> None:
    images = torch.randn(2, 1, 8, 8)
    assert fine_tuning.order_of_layers(Backwards(), images) == [
        "early.0",
        "early.1",
        "late.0",
        "late.1",
        "head",
    ]


def test_a_frozen_body_keeps_weights_and_statistics() -> None:
    assert set(train(Backwards(), epochs=1, freeze="body")) == {"head.weight", "head.bias"}


def test_named_layers_are_frozen_and_their_batch_norms_with_them() -> None:
    moved = train(Backwards(), epochs=1, freeze="early")
    assert not any(name.startswith("early") for name in moved)
    assert {"late.0.weight", "late.1.running_mean", "head.weight", "extra.weight"} <= set(moved)


def test_the_head_learns_alone_and_then_all() -> None:
    module = Backwards()
    seen: list[tuple[int, bool, bool, bool]] = []

    def look(event: Any) -> None:
        if type(event).__name__ == "StepDone":
            early = module.early[1]
            seen.append(
                (event.epoch, early.training, early.weight.requires_grad, module.head.weight.requires_grad)
            )

    fit(module, world.Blobs(), None, replace(SETTINGS, epochs=3, head_epochs=1), [look])
    assert {row for row in seen if row[0] == 1} == {(1, False, False, True)}
    assert {row for row in seen if row[0] > 1} == {(2, True, True, True), (3, True, True, True)}
    assert all(parameter.requires_grad for parameter in module.parameters())


def test_batch_norms_may_keep_their_statistics_and_still_learn() -> None:
    moved = train(Backwards(), epochs=1, freeze_batch_norm=True)
    assert not any("running" in name or "tracked" in name for name in moved)
    assert {"early.1.weight", "late.1.bias"} <= set(moved)


def test_the_rate_grows_with_depth() -> None:
    plan = fine_tuning.plan(Backwards(), torch.randn(2, 1, 8, 8), TrainSettings(first_layer_lr=0.01))
    shares = [
        plan.lr_shares[f"{layer}.weight"] for layer in ("early.0", "early.1", "late.0", "late.1", "head")
    ]
    assert shares == pytest.approx([0.01, 0.01**0.75, 0.1, 0.01**0.25, 1])
    assert "extra.weight" not in plan.lr_shares


def test_the_optimiser_steps_by_the_share() -> None:
    module = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    before = [parameter.detach().clone() for parameter in module.parameters()]
    optimiser = Optimiser(
        module, TrainSettings(optimiser="sgd", momentum=0, weight_decay=0), {"0.weight": 0.1}
    )
    for parameter in module.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimiser.step(lr=1.0)
    moved = [(old - new).mean().item() for old, new in zip(before, module.parameters(), strict=True)]
    assert moved == pytest.approx([0.1, 1.0])


def test_each_phase_has_a_course_of_its_own() -> None:
    settings = TrainSettings(epochs=4, head_epochs=1, warmup=0.5, start_factor=0.0)
    factors = [factor(step, 40, settings) for step in range(40)]
    assert factors[0] == factors[10] == 0
    assert factors[5] == factors[25] == 1
    assert factors[9] == pytest.approx(0.2) and factors[39] == pytest.approx(1 / 15)


def test_an_interrupted_fine_tuning_ends_with_the_same_weights(tmp_path: Path) -> None:
    settings = replace(
        SETTINGS, epochs=3, head_epochs=1, first_layer_lr=0.1, freeze="late", freeze_batch_norm=True
    )
    whole = Backwards()
    start = {name: tensor.clone() for name, tensor in whole.state_dict().items()}
    fit(whole, world.Blobs(), None, settings)

    def stop(event: Any) -> None:
        if type(event).__name__ == "CheckpointSaved" and event.epoch == 1:
            raise KeyboardInterrupt

    broken, resumed = Backwards(), Backwards()
    broken.load_state_dict(start)
    with pytest.raises(KeyboardInterrupt):
        fit(broken, world.Blobs(), None, settings, [stop], tmp_path)
    fit(resumed, world.Blobs(), None, settings, folder=tmp_path, resume=True)
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"freeze": "erly"},
            "must be \"body\" or name layers of the network with weights, got 'erly': did you mean",
        ),
        (
            {"freeze": "early,late,head,extra"},
            "must leave something to learn, got 'early,late,head,extra', which is",
        ),
        ({"freeze": "head", "head_epochs": 1}, "which is the whole head: name fewer layers"),
        ({"freeze": ""}, 'freeze must be "body" or name layers'),
    ],
)
def test_refusals(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        fine_tuning.plan(Backwards(), torch.randn(2, 1, 8, 8), TrainSettings(**changes))
    assert message in str(caught.value)


def test_a_head_that_learns_alone_leaves_epochs_for_the_rest() -> None:
    with pytest.raises(ArgumentError, match=r"head_epochs must be fewer than the epochs \(2\), got 2: give"):
        TrainSettings(epochs=2, head_epochs=2)
