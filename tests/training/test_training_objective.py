"""The loss of each task, against its formula and against torch's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from striate.errors import TrainingError
from striate.layers.auxiliary import Scores
from striate.training.device import Placement
from striate.training.evaluate import Evaluation, evaluate
from striate.training.loop import fit
from striate.training.objective import Objective, two_columns
from striate.training.own_rule import fit_by_own_rule
from striate.training.settings import TrainSettings
from striate.training.step import check_fit

HERE = Placement("cpu", "fp32", "contiguous", 1)
LOGITS = torch.randn(12, 3, generator=torch.Generator().manual_seed(0))
CLASSES = torch.arange(12) % 3
LABELS = (torch.rand(12, 3, generator=torch.Generator().manual_seed(1)) < 0.4).float()


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_single_output_asks_what_two_would(smoothing: float) -> None:
    one, yes = LOGITS[:, :1], CLASSES % 2
    loss = Objective(label_smoothing=smoothing).loss(one, yes)
    smooth = yes.float() * (1 - smoothing) + smoothing / 2
    assert loss.item() == pytest.approx(F.binary_cross_entropy_with_logits(one[:, 0], smooth).item())
    assert Objective().right(one, yes) == ((one[:, 0] > 0) == (yes == 1)).sum()
    assert torch.equal(two_columns(LOGITS), LOGITS)


def test_mixed_targets_and_whole_ones_agree() -> None:
    whole = F.one_hot(CLASSES, 3).float()
    for asked in (Objective(), Objective(label_smoothing=0.2), Objective(weights=(0.5, 1.0, 3.0))):
        assert asked.loss(LOGITS, whole).item() == pytest.approx(asked.loss(LOGITS, CLASSES).item())
        assert asked.right(LOGITS, whole) == asked.right(LOGITS, CLASSES)
    mixed = 0.3 * whole + 0.7 * whole.roll(1, 0)
    both = 0.3 * F.cross_entropy(LOGITS, CLASSES) + 0.7 * F.cross_entropy(LOGITS, CLASSES.roll(1))
    assert Objective().loss(LOGITS, mixed).item() == pytest.approx(both.item())


def test_weights_count_a_class_more_and_parts_of_a_batch_add_up() -> None:
    weights = (0.5, 1.0, 3.0)
    asked = Objective(weights=weights)
    each = F.cross_entropy(LOGITS, CLASSES, reduction="none")
    expected = (each * torch.tensor(weights)[CLASSES]).mean()
    assert asked.loss(LOGITS, CLASSES).item() == pytest.approx(expected.item())
    halves = [asked.loss(LOGITS[part], CLASSES[part]).item() for part in (slice(0, 6), slice(6, 12))]
    assert sum(halves) / 2 == pytest.approx(expected.item())


def test_labels_are_asked_one_by_one() -> None:
    asked = Objective("labels", weights=(1.0, 2.0, 5.0))
    p = LOGITS.sigmoid()
    formula = -(torch.tensor([1.0, 2.0, 5.0]) * LABELS * p.log() + (1 - LABELS) * (1 - p).log()).mean()
    assert asked.loss(LOGITS, LABELS).item() == pytest.approx(formula.item(), rel=1e-5)
    smooth = F.binary_cross_entropy_with_logits(LOGITS, LABELS * 0.8 + 0.1)
    assert Objective("labels", 0.2).loss(LOGITS, LABELS).item() == pytest.approx(smooth.item())
    assert asked.right(LABELS * 2 - 1, LABELS) == 12 and asked.right(1 - LABELS * 2, LABELS) == 0
    heads = Scores(LOGITS, (LOGITS,), 0.3)
    assert asked.loss(heads, LABELS).item() == pytest.approx(1.3 * formula.item(), rel=1e-5)


def test_evaluation_of_labels_and_of_a_single_output() -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    images = torch.randn(12, 1, 2, 2)
    found = evaluate(module, zip(images.split(5), LABELS.split(5), strict=True), HERE)
    logits = module(images).detach()
    assert found.multi_label and found.labels.shape == (12, 3)
    np.testing.assert_allclose(found.probabilities, logits.sigmoid(), atol=1e-6)
    assert found.loss == pytest.approx(F.binary_cross_entropy_with_logits(logits, LABELS).item(), rel=1e-5)
    assert found.accuracy == pytest.approx(((logits > 0) == (LABELS > 0)).all(1).float().mean().item())
    one = evaluate(nn.Sequential(nn.Flatten(), nn.Linear(4, 1)), [(images, CLASSES % 2)], HERE)
    assert one.logits.shape == (12, 2) and (one.logits[:, 0] == 0).all()


def test_what_a_network_cannot_answer_is_refused() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 1))
    images = torch.zeros(12, 1, 2, 2)
    check_fit(network, images, CLASSES % 2, HERE, Objective())
    with pytest.raises(TrainingError, match=r"answers 2 classes and the data has a label 2 \(from 0\)"):
        check_fit(network, images, CLASSES, HERE, Objective())
    with pytest.raises(TrainingError, match=r"answers 1 labels and the data has 3: create"):
        check_fit(network, images, LABELS, HERE, Objective("labels"))
    with pytest.raises(TrainingError, match=r"must be given one class an image, got labels"):
        fit_by_own_rule(network, [], None, TrainSettings(), objective=Objective("labels"))  # type: ignore[arg-type]


class Dots:
    """Which of three corners are bright: labels that a linear network can learn."""

    def __len__(self) -> int:
        return 8

    def epoch(self, epoch, start_step=0):
        for step in range(start_step, 8):
            source = torch.Generator().manual_seed(100 * epoch + step)
            images = torch.randn(32, 1, 2, 2, generator=source)
            yield images, (images.flatten(1)[:, :3] > 0).float()


def test_labels_are_learnt() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    settings = TrainSettings(epochs=6, lr=0.1, precision="fp32", threads=1)
    result = fit(module, Dots(), Dots(), settings, objective=Objective("labels"))
    assert isinstance(result.evaluation, Evaluation) and result.evaluation.accuracy > 0.8
