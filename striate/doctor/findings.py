"""What an examination of a network found, for a person to read and for a program."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from striate.errors import command

SEVERITIES = ("error", "warning", "note")


@dataclass(frozen=True)
class NetworkFinding:
    """One thing that was found."""

    severity: str
    """ "error" (mend it), "warning" (probably not meant) or "note" (worth knowing)."""
    rule: str
    """The name of what was looked for; of a linter's rule ``striate check --rule NAME`` prints the page."""
    message: str
    place: str | None = None
    """The layer, where it is one."""
    fix: str | None = None
    """What to do, or the line to write."""
    source: str | None = None
    """ "net.py:12", where the line is known."""


@dataclass(frozen=True)
class NetworkReport:
    """All findings about one network, the gravest first."""

    title: str
    findings: tuple[NetworkFinding, ...]
    heading: str = ""
    """What came before the findings: the trace of a network that failed."""

    @property
    def ok(self) -> bool:
        """Whether there is no error."""
        return not any(finding.severity == "error" for finding in self.findings)

    @property
    def next_step(self) -> tuple[str, str]:
        """What to type next, and what it brings."""
        for finding in self.findings:
            if finding.place is not None:
                return command("check", "--rule", finding.rule), "the reason, with its source"
        return command("explain", self.title), "every layer, every number derived"

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"ok": self.ok, **asdict(self)}

    def text(self, shown: int = 3) -> str:
        """A page to read; of each rule the first ``shown`` findings."""
        lines = [self.heading or f"{self.title}:"]
        for rule, found in _by_rule(self.findings).items():
            for finding in found[:shown]:
                lines.append(f"{finding.severity}: {_where(finding)}{finding.message} [{rule}]")
                lines += [f"    {line}" for line in (finding.fix or "").splitlines()]
            if len(found) > shown:
                rest = ", ".join(finding.place or "" for finding in found[shown : shown + 6])
                more = f"{rest}, ..." if len(found) > shown + 6 else rest
                lines.append(f"    and {len(found) - shown} more: {more}")
        return "\n".join(lines)


def _where(finding: NetworkFinding) -> str:
    """ "fc1 (net.py:12): ", or what of it is known."""
    if finding.place is None or finding.source is None:
        known = finding.place or finding.source
        return f"{known}: " if known else ""
    return f"{finding.place} ({finding.source}): "


def in_order(findings: Iterable[NetworkFinding]) -> tuple[NetworkFinding, ...]:
    """The gravest first, those of one rule together, otherwise as they came."""
    found = list(findings)
    first = {finding.rule: index for index, finding in reversed(list(enumerate(found)))}
    return tuple(sorted(found, key=lambda one: (SEVERITIES.index(one.severity), first[one.rule])))


def _by_rule(findings: Iterable[NetworkFinding]) -> dict[str, list[NetworkFinding]]:
    groups: dict[str, list[NetworkFinding]] = {}
    for finding in findings:
        groups.setdefault(finding.rule, []).append(finding)
    return groups
