"""Published counts, gathered apart from this package, against the networks.

networks.json has the parameters and the multiply-adds (convolutions and linear layers alone, one image) of 86
networks under our names, counted on instances of torchvision 0.28 and timm 1.0.31 or by hand from the papers.
The cards are recounted in tests/models; what stands there at another size than the card's is recounted here.
"""

import json
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from striate.models import card, outline
from striate.models.probe import ShapesOnly

NETWORKS = json.loads(Path(__file__).with_name("networks.json").read_text(encoding="utf-8"))
AT_224 = [known for known in NETWORKS if known["native_size"] != 224 and known["multiply_adds_at_224"]]


@pytest.mark.parametrize("known", NETWORKS, ids=lambda known: known["name"])
def test_the_card_has_the_published_counts(known):
    about = card(known["name"])
    assert about.parameters == known["parameters"]
    if known["multiply_adds"] is not None:
        assert about.multiply_adds == known["multiply_adds"]
        assert about.image_size == (known["native_size"], known["native_size"])


@pytest.mark.parametrize("known", AT_224, ids=lambda known: known["name"])
def test_multiply_adds_at_224(known):
    network = outline(known["name"]).eval()
    with FlopCounterMode(display=False) as counter, ShapesOnly(), torch.no_grad():
        network(torch.empty(1, 3, 224, 224, device="meta"))
    assert counter.get_total_flops() == 2 * known["multiply_adds_at_224"]
