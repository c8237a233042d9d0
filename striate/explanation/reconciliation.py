"""``--against``: what other counters print for the same network, and why, each difference computed here."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any

from striate.arithmetic import InputShape, graph_parameters, graph_shapes
from striate.explanation.counters import COUNTERS, Call
from striate.explanation.module_facts import ModuleFacts, assumed_facts
from striate.explanation.text import WIDTH
from striate.graph import Graph

ASSUMED = (
    "This graph does not say which layers are modules: each is taken for a call of torch's own module, and "
    "parameters outside the graph are not known. Give FILE.py:CLASS(args) or a name for exact counts."
)
SEEN = (
    "A function that acts on values is taken for the one of torch.nn.functional, sums and products of "
    "tensors for operators (+, *, @): ptflops counts other spellings differently."
)


@dataclass(frozen=True)
class Count:
    """What one tool prints. ``why``: (reason, amount), which add up to its difference from ours."""

    tool: str
    multiply_adds: int
    parameters: int
    why: tuple[tuple[str, int], ...]
    why_parameters: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Reconciliation:
    """Our count, and that of every tool with its reasons; ``note`` says what was assumed."""

    ours: Count
    tools: tuple[Count, ...]
    note: str

    def of(self, tool: str) -> Count:
        """The count of one tool."""
        return next(count for count in self.tools if count.tool == tool)

    def to_json(self) -> dict[str, Any]:
        """Plain values only."""
        return asdict(self)

    def table(self) -> str:
        """A line for each tool, then its reasons."""
        lines = [f"{'':12}{'multiply-adds':>18}{'difference':>16}{'parameters':>16}{'difference':>14}"]
        for count in (self.ours, *self.tools):
            lines.append(
                f"{count.tool:12}{count.multiply_adds:>18,}"
                f"{_signed(count.multiply_adds - self.ours.multiply_adds):>16}"
                f"{count.parameters:>16,}{_signed(count.parameters - self.ours.parameters):>14}"
            )
        for count in self.tools:
            lines += ["", f"{count.tool}:" if count.why or count.why_parameters else f"{count.tool}: as ours"]
            lines += [f"  {amount:>+16,}  {reason}" for reason, amount in count.why]
            lines += [f"  {amount:>+16,}  parameters: {reason}" for reason, amount in count.why_parameters]
        return "\n".join([*lines, "", *textwrap.wrap(self.note, WIDTH)])


def _signed(difference: int) -> str:
    return f"{difference:+,}" if difference else "-"


def reconcile(
    graph: Graph,
    facts: ModuleFacts | None = None,
    input_shape: InputShape = None,
    trainable: Collection[str] | None = None,
) -> Reconciliation:
    """Our count of ``graph`` and what four other tools make of the same network, for one image.

    ``facts``: what the module tells beyond the graph; None: torch's modules are assumed, and the note says
    so. Raises ShapeError where the network does not fit its input.
    """
    known = facts if facts is not None else assumed_facts(graph, trainable)
    shapes = graph_shapes(graph, input_shape)
    calls = [Call.of(node, shapes, known) for node in graph]
    ours = sum(call.multiply_adds for call in calls)
    learned = graph_parameters(graph, trainable).trainable
    tools = []
    for tool, rule in COUNTERS.items():
        why: Counter[str] = Counter()
        for call in calls:
            for reason, amount in rule(call):
                why[reason] += amount
        why_parameters = _parameters(tool, graph, known, learned)
        tools.append(
            Count(
                tool,
                ours + sum(why.values()),
                learned + sum(why_parameters.values()),
                tuple((reason, amount) for reason, amount in why.items() if amount),
                tuple((reason, amount) for reason, amount in why_parameters.items() if amount),
            )
        )
    note = SEEN if facts is not None else f"{ASSUMED} {SEEN}"
    return Reconciliation(Count("striate", ours, learned, (), ()), tuple(tools), note)


def _parameters(tool: str, graph: Graph, facts: ModuleFacts, ours: int) -> Counter[str]:
    """Why a tool's number of parameters differs: tied tensors, frozen ones, those that no layer uses."""
    used = {tensor.partition("#")[0] for node in graph for tensor in node.weights.values()}
    if tool == "thop":
        return Counter(
            {"only modules of torch's own classes that ran are counted": _ran(graph, facts) - ours}
        )
    first = {name: facts.sizes[name] for name, owner in facts.owners.items() if name == owner}
    first |= {owner: facts.sizes[name] for name, owner in facts.owners.items() if owner not in first}
    wanted = first if tool != "ptflops" else {name: n for name, n in first.items() if name in facts.trainable}
    idle = sum(size for name, size in wanted.items() if name not in used)
    why = Counter({"tensors of modules that do not run, as auxiliary heads": idle})
    why["tensors that are not learned"] = sum(wanted.values()) - idle - ours
    if tool == "torchinfo":
        why["tied tensors are counted in each module"] = sum(facts.sizes.values()) - sum(first.values())
    return why


def _ran(graph: Graph, facts: ModuleFacts) -> int:
    """Parameters of the modules that thop's hooks saw: of torch's own classes, each module once."""
    ran = {facts.leaf(node) for node in graph} - {None}
    known = {leaf for leaf in ran if leaf is not None and _has_hook(facts.leaves[leaf])}
    return sum(size for name, size in facts.sizes.items() if name.rpartition(".")[0] in known)


def _has_hook(kind: str) -> bool:
    return kind.startswith(("Conv", "BatchNorm", "LayerNorm", "InstanceNorm")) or kind in ("Linear", "PReLU")
