"""The rules on the catalogue: no rule may find fault with everything that the literature praises.

That each warning about a network is justified on its card stands in tests/every.
"""

import warnings
from collections import Counter

import pytest
from families import smallest_of_each_family

from striate.capture import capture
from striate.doctor import RULES, NetworkFinding, Patient, lint
from striate.models import card, outline


def findings_on(name: str) -> list[NetworkFinding]:
    module = outline(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a batch that is fixed is none of the rules' business
        graph, _ = capture(module, (1, card(name).channels, *card(name).image_size))
    names = frozenset(dict(module.named_parameters()))
    return list(lint(Patient(graph, trainable=names, parameters=names)))


@pytest.mark.long
def test_no_rule_fires_on_everything() -> None:
    names = smallest_of_each_family()
    fired = Counter(rule for name in names for rule in {finding.rule for finding in findings_on(name)})
    assert max(fired.values()) <= len(names) // 2
    assert set(fired) <= set(RULES)
