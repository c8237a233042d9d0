"""Does an input come through the network? Where it vanishes, and the smallest that does not."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from striate.arithmetic import graph_shapes, show, smallest_input
from striate.errors import ShapeError
from striate.graph import Graph


@dataclass(frozen=True)
class NetworkFinding:
    """One thing that was found. ``severity``: "error", "warning" or "note"; ``place``: the layer, if one."""

    severity: str
    rule: str
    message: str
    place: str | None = None


@dataclass(frozen=True)
class NetworkReport:
    """All findings about one network, the gravest first."""

    title: str
    findings: tuple[NetworkFinding, ...]

    @property
    def ok(self) -> bool:
        """Whether there is no error."""
        return not any(finding.severity == "error" for finding in self.findings)

    @property
    def next_step(self) -> tuple[str, str]:
        """What to type next, and what it brings."""
        return f"striate explain {self.title}", "every layer, every number derived"

    def to_json(self) -> dict[str, Any]:
        return {"ok": self.ok, **asdict(self)}

    def text(self) -> str:
        """A line a finding."""
        return "\n".join(
            [f"{self.title}:", *(f"{found.severity}: {found.message}" for found in self.findings)]
        )


def examine(title: str, graph: Graph) -> NetworkReport:
    """Derive every size of ``graph`` for its own input; an error names the layer at which it ends."""
    shape = next(iter(graph.inputs.values()))
    try:
        shapes = graph_shapes(graph)
    except ShapeError as error:
        return NetworkReport(title, (NetworkFinding("error", "input-fits", str(error), error.layer),))
    outputs = ", ".join(show(shapes[name]) for name in graph.outputs)
    found = [
        NetworkFinding("note", "input-fits", f"{show(shape)} comes through {len(graph)} layers as {outputs}.")
    ]
    if len(shape) > 2:
        least = smallest_input(graph)
        size = "x".join(map(str, least.size))
        why = f" Below it: {least.below}" if least.below is not None else ""
        found.append(NetworkFinding("note", "smallest-input", f"The smallest input is {size}.{why}"))
    return NetworkReport(title, tuple(found))
