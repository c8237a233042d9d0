"""Does an input come through the network, what is the smallest that does, and what do the rules say?"""

from __future__ import annotations

from striate.arithmetic import show, smallest_input
from striate.doctor.findings import NetworkFinding, NetworkReport, in_order
from striate.doctor.lint import Choice, lint
from striate.doctor.patient import Patient
from striate.errors import ShapeError
from striate.graph import Graph


def examine(title: str, network: Graph | Patient, choice: Choice | None = None) -> NetworkReport:
    """Derive every size of ``network`` for its own input, then ask the rules.

    Where the input does not come through, the one finding is an error that names the layer.
    """
    patient = network if isinstance(network, Patient) else Patient(network)
    graph = patient.graph
    shape = next(iter(graph.inputs.values()))
    try:
        shapes = patient.shapes
    except ShapeError as error:
        return NetworkReport(title, (NetworkFinding("error", "input-fits", str(error), error.layer),))
    outputs = ", ".join(show(shapes[name]) for name in graph.outputs)
    passed = f"{show(shape)} comes through {len(graph)} layer{'s' * (len(graph) > 1)} as {outputs}."
    found = [*lint(patient, choice), NetworkFinding("note", "input-fits", passed)]
    if len(graph.inputs) == 1 and len(shape) > 2:
        least = smallest_input(graph)
        size = "x".join(map(str, least.size))
        why = f" Below it: {least.below}" if least.below is not None else ""
        found.append(NetworkFinding("note", "smallest-input", f"The smallest input is {size}.{why}"))
    return NetworkReport(title, in_order(found))
