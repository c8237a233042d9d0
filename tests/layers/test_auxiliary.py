"""Auxiliary heads: the protocol between networks and training."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from striate.layers.auxiliary import Scores, cross_entropy, logits_of
from striate.models.probe import output_shape
from striate.training.device import Placement
from striate.training.objective import Objective
from striate.training.optimiser import Optimiser
from striate.training.settings import TrainSettings
from striate.training.step import update


class TwoHeads(nn.Module):
    """The auxiliary head is right about everything when the main one knows nothing."""

    def __init__(self):
        super().__init__()
        self.body, self.main, self.side = nn.Linear(4, 4), nn.Linear(4, 3), nn.Linear(4, 3)

    def forward(self, x):
        features = self.body(x.flatten(1))
        main = self.main(features)
        return Scores(main, (self.side(features),), 0.3) if self.training else main


def test_losses_of_heads_are_weighted_and_added():
    main, side, labels = torch.randn(5, 3), torch.randn(5, 3), torch.tensor([0, 1, 2, 1, 0])
    loss = cross_entropy(Scores(main, (side, main), 0.4), labels, 0.1)
    of_main = F.cross_entropy(main, labels, label_smoothing=0.1)
    of_side = F.cross_entropy(side, labels, label_smoothing=0.1)
    assert loss.item() == pytest.approx((1.4 * of_main + 0.4 * of_side).item())
    assert torch.equal(cross_entropy(main, labels), F.cross_entropy(main, labels))
    assert logits_of(main) is main and logits_of(Scores(main, (side,), 0.3)) is main


def test_low_precision_scores_are_summed_in_fp32():
    main, labels = torch.randn(5, 3).bfloat16(), torch.tensor([0, 1, 2, 1, 0])
    loss = cross_entropy(Scores(main, (main,), 0.3), labels)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(1.3 * F.cross_entropy(main.float(), labels).item())


def test_a_step_reaches_the_head_and_counts_by_the_main_scores():
    torch.manual_seed(0)
    module, settings = TwoHeads().train(), TrainSettings(precision="fp32")
    with torch.no_grad():
        module.main.weight.zero_()
        module.main.bias[:] = torch.tensor([1.0, 0.0, 0.0])
    before = module.side.weight.clone()
    images, labels = torch.randn(6, 1, 2, 2), torch.tensor([0, 0, 0, 0, 1, 2])
    placement = Placement("cpu", "fp32", "contiguous", 1)
    _, right = update(
        module, Optimiser(module, settings), images, labels, 0.1, settings, placement, Objective()
    )
    assert right == 4
    assert not torch.equal(module.side.weight, before)


def test_sizes_are_found_through_heads():
    assert output_shape(TwoHeads().train(), (2, 1, 2, 2)) == (2, 3)
    assert output_shape(TwoHeads().eval(), (2, 1, 2, 2)) == (2, 3)
