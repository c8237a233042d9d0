"""What a check of a data set found, for a person to read and for a program."""

from __future__ import annotations

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
        """A page to read; of each finding the first ``shown`` files."""
        lines = [
            f"{self.source}: "
            + ", ".join(f"{split} {sum(c.values()):,}" for split, c in self.counts.items())
            + f" images in {len(next(iter(self.counts.values())))} classes"
        ]
        for finding in self.findings:
            lines.append(f"{finding.severity}: {finding.message}")
            lines += [f"    {file}" for file in finding.files[:shown]]
            if len(finding.files) > shown:
                lines.append(f"    and {len(finding.files) - shown} more")
        if not self.findings:
            lines.append("Nothing was found.")
        return "\n".join(lines)
