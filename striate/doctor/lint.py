"""The rules applied to a network, and which of them: named on and off in ``pyproject.toml``.

[tool.striate.check]
select = ["window", "dense-head"]      # rules or families; left out: all
ignore = ["vector-lanes"]
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from striate.doctor import (  # noqa: F401  importing them enters their rules
    rules_activation,
    rules_channels,
    rules_normalisation,
    rules_size,
    rules_structure,
    rules_window,
)
from striate.doctor.findings import NetworkFinding
from striate.doctor.patient import Patient
from striate.doctor.rule import RULES, Rule, rule_named
from striate.errors import ArgumentError, UnknownNameError, nearest


@dataclass(frozen=True)
class Choice:
    """Which rules are asked: names or families; ``select`` of None means all."""

    select: frozenset[str] | None = None
    ignore: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        known = {*RULES, *(found.family for found in RULES.values())}
        for name in {*(self.select or ()), *self.ignore} - known:
            hint = nearest(name, known) or f"the families are {', '.join(sorted(known - set(RULES)))}."
            raise UnknownNameError(f"select and ignore must name rules or families, got {name!r}: {hint}")

    def rules(self) -> Iterator[Rule]:
        """The rules that are left, in the order of the registry."""
        for found in RULES.values():
            names = {found.name, found.family}
            if (self.select is None or names & self.select) and not names & self.ignore:
                yield found


def lint(patient: Patient, choice: Choice | None = None) -> Iterator[NetworkFinding]:
    """Every place of ``patient`` at which a chosen rule applies."""
    sources = {node.name: node.source for node in patient.graph}
    for found in (choice or Choice()).rules():
        for hit in found.look(patient):
            source = sources.get(hit.place or "")
            yield NetworkFinding(found.severity, found.name, hit.message, hit.place, hit.fix, source)


def configured(folder: Path) -> Choice:
    """The choice of the nearest ``pyproject.toml`` at or above ``folder``; all rules where it has none.

    Raises ArgumentError for a file that cannot be read as meant, UnknownNameError for a name that is no rule.
    """
    for place in (folder.resolve(), *folder.resolve().parents):
        file = place / "pyproject.toml"
        if file.is_file():
            return _choice(file)
    return Choice()


def _choice(file: Path) -> Choice:
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ArgumentError(f"pyproject.toml must be valid TOML, got {file}: {error}: correct it.") from error
    for key in ("tool", "striate", "check"):
        table = table.get(key, {}) if isinstance(table, dict) else {}
    lists = {key: _names(file, key, value) for key, value in table.items()}
    return Choice(lists.get("select"), lists.get("ignore") or frozenset())


def _names(file: Path, key: str, value: object) -> frozenset[str]:
    if key not in ("select", "ignore"):
        raise ArgumentError(
            f"[tool.striate.check] must hold select and ignore, got {key!r} in {file}: remove it."
        )
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise ArgumentError(f'{key} must be a list of rules, got {value!r} in {file}: write ["dense-head"].')
    return frozenset(value)


def page(name: str) -> str:
    """What ``striate check --rule NAME`` prints. Raises UnknownNameError."""
    found = rule_named(name)
    off = f'[tool.striate.check]\nignore = ["{name}"]'
    facts = f"severity  {found.severity}\nfamily    {found.family}\nuses      {found.uses}"
    title = f"{found.title[0].upper()}{found.title[1:]}."
    parts = (
        name,
        title,
        found.reason,
        f"source    {found.source}\n{facts}",
        f"Off, in pyproject.toml:\n{off}",
    )
    return "\n\n".join(parts)
