"""The rules on the catalogue: the smallest network of each paper, on meta tensors, at its card's image size.

Every warning has been read. What stands in ``MEANT`` is how the paper has it; a new warning fails the test
until it is mended or written down here.
"""

import warnings
from collections import Counter
from fnmatch import fnmatch

import pytest
import torch

from striate.capture import capture
from striate.doctor import RULES, NetworkFinding, Patient, lint
from striate.models import MODELS, card, list_models

# (network, rule): why it is as it is
MEANT = {
    (
        "alexnet_two_tower",
        "groups-without-shuffle",
    ): "conv4 and conv5 each stay on their GPU (Krizhevsky 2012)",
    ("alexnet_cifar", "stem-too-coarse"): "the proportions of AlexNet's stem, scaled to 32x32",
    ("efficientnet_b0_cifar", "idle-taps"): "5x5 kernels as at 224x224, on the 2x2 maps that 32x32 leaves",
    ("lenet1", "saturating-activation"): "tanh, as published in 1989",
    ("lenet4", "saturating-activation"): "tanh, as published in 1995",
    ("lenet5_1998", "saturating-activation"): "scaled tanh, as published in 1998",
    (
        "mobilenet_v3_small",
        "missing-activation",
    ): "linear bottleneck of the first block, which does not expand",
    (
        "neocognitron",
        "depthwise-without-pointwise",
    ): "the last complex cells blur each plane; the readout mixes",
    ("simple_complex_cells", "stem-too-coarse"): "complex cells pool once, and nothing follows",
}


def smallest_of_each_paper() -> list[str]:
    families: dict[tuple[str, bool], list[str]] = {}
    for name in list_models():
        families.setdefault((card(name).paper, max(card(name).image_size) <= 64), []).append(name)
    return sorted(min(names, key=lambda name: card(name).multiply_adds) for names in families.values())


def findings_on(name: str) -> list[NetworkFinding]:
    about = card(name)
    with torch.device("meta"):
        module = MODELS[name].build(
            classes=about.classes, in_channels=about.channels, image_size=about.image_size
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a batch that is fixed is none of the rules' business
        graph, _ = capture(module, (1, about.channels, *about.image_size))
    names = frozenset(dict(module.named_parameters()))
    return list(lint(Patient(graph, trainable=names, parameters=names)))


def unexplained(name: str, found: list[NetworkFinding]) -> set[tuple[str, str, str]]:
    grave = {(name, one.rule, one.message) for one in found if one.severity != "note"}
    return {entry for entry in grave if not any(fnmatch(name, n) and rule == entry[1] for n, rule in MEANT)}


@pytest.mark.long
def test_every_warning_is_meant_and_no_rule_fires_on_everything() -> None:
    names = smallest_of_each_paper()
    fired: Counter[str] = Counter()
    open_questions: set[tuple[str, str, str]] = set()
    for name in names:
        found = findings_on(name)
        fired.update({finding.rule for finding in found})
        open_questions |= unexplained(name, found)
    assert not open_questions
    assert max(fired.values()) <= len(names) // 2
    assert set(fired) <= set(RULES)


@pytest.mark.parametrize("name", ["lenet5_1998", "mobilenet_v3_small", "simple_complex_cells"])
def test_what_is_meant_is_still_found(name: str) -> None:
    rules = {finding.rule for finding in findings_on(name)}
    assert {rule for known, rule in MEANT if known == name} <= rules
    assert unexplained(name, findings_on(name)) == set()
