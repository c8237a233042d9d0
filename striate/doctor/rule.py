"""What a rule is, and the registry: name -> what it looks for, why, with its source, and how it looks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from striate.doctor.findings import SEVERITIES
from striate.doctor.patient import Patient
from striate.errors import ArgumentError, UnknownNameError, nearest

TEXTBOOK = "the textbook's introduction to CNNs"


@dataclass(frozen=True)
class Hit:
    """A place where a rule applies; ``place`` is a node's name, None for the network as a whole."""

    place: str | None
    message: str
    fix: str


Look = Callable[[Patient], Iterable[Hit]]


@dataclass(frozen=True)
class Rule:
    """One thing that is looked for.

    ``uses`` says what it needs: "graph", and "weights", "trainable", "parameters" or "statistics" where the
    graph is not enough; where that is not known, the rule is silent.
    """

    name: str
    family: str
    severity: str
    title: str
    reason: str
    source: str
    look: Look
    uses: str = "graph"


RULES: dict[str, Rule] = {}


def rule(
    name: str, *, severity: str, title: str, reason: str, source: str, uses: str = "graph"
) -> Callable[[Look], Look]:
    """Enter a function into ``RULES``; its family is the file it stands in. A name used twice is refused."""

    def enter(look: Look) -> Look:
        if name in RULES or severity not in SEVERITIES:
            raise ArgumentError(
                f"rule must have a name of its own and a severity of {', '.join(SEVERITIES)}, "
                f"got {name!r} and {severity!r}: rename it."
            )
        family = look.__module__.rpartition("rules_")[2]
        RULES[name] = Rule(name, family, severity, title, reason, source, look, uses)
        return look

    return enter


def rule_named(name: str) -> Rule:
    """The rule of that name. UnknownNameError with the nearest ones."""
    if name not in RULES:
        hint = nearest(name, RULES) or f"the rules are {', '.join(sorted(RULES))}."
        raise UnknownNameError(f"rule must be the name of a rule, got {name!r}: {hint}")
    return RULES[name]
