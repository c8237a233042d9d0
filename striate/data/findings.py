"""What a check of a data set found, for a person to read and for a program."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from striate.errors import command


@dataclass(frozen=True)
class Finding:
    """One thing that was found."""

    severity: str
    """ "error", "warning" or "note"."""
    rule: str
    """The name of what was looked for, for example "duplicates-across-splits"."""
    message: str
    files: tuple[str, ...] = ()
    """The files concerned, by their keys."""


@dataclass(frozen=True)
class DataReport:
    """All findings, the gravest first."""

    source: str
    images: dict[str, int]
    """Split -> images."""
    counts: dict[str, dict[str, int]]
    """Split -> class -> images."""
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether there is no error."""
        return not any(finding.severity == "error" for finding in self.findings)

    @property
    def next_step(self) -> tuple[str, str]:
        """What to type next, and what it brings."""
        return command("train", self.source), "a network, a report and a bundle"

    def to_json(self) -> dict[str, Any]:
        """Plain values, files included."""
        return {"ok": self.ok, **asdict(self)}

    def text(self, shown: int = 5) -> str:
        """A page to read; the first ``shown`` findings of a kind, and of each the first ``shown`` files."""
        lines = [
            f"{self.source}: "
            + ", ".join(f"{split} {count:,}" for split, count in self.images.items())
            + f" images in {_classes(len(next(iter(self.counts.values()))))}"
        ]
        told: Counter[str] = Counter()
        for finding in self.findings:
            told[finding.rule] += 1
            if told[finding.rule] > shown:
                continue
            lines.append(f"{finding.severity}: {finding.message}")
            files = [file for file in finding.files if not finding.message.startswith(file)]
            lines += [f"    {file}" for file in files[:shown]]
            if len(files) > shown:
                lines.append(f"    and {len(files) - shown} more")
        lines += [
            f"... and {count - shown} more of the kind {rule}; --json lists them all."
            for rule, count in told.items()
            if count > shown
        ]
        if not self.findings:
            lines.append("Nothing was found.")
        return "\n".join(lines)


def _classes(number: int) -> str:
    return "1 class" if number == 1 else f"{number} classes"
