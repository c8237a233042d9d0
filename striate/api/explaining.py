"""``explain``: every size, count and receptive field of a network, each with its derivation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from striate.explanation import Explanation, Reconciliation


def explain(model: Any, input: str | Sequence[int] | None = None) -> Explanation:
    """Derive every number of ``model``: a name, a run, a bundle, an ONNX file, ``FILE.py:CLASS(args)``,
    a folder with weights and config.json in timm's layout, a module, a Graph.

    ``input``: channels x rows x columns, "3x224x224" or (3, 224, 224); None takes the model's own.
    Raises ShapeError, naming the layer, where the input does not fit.
    """
    from striate.api.subject import subject
    from striate.explanation import explain_graph

    looked_at = subject(model, input)
    return explain_graph(looked_at.graph, trainable=looked_at.trainable)


def against(model: Any, input: str | Sequence[int] | None = None) -> Reconciliation:
    """What torchinfo, fvcore, thop and ptflops print for ``model``, and why it differs from ``explain``.

    Arguments and errors as of ``explain``. Of a run, a bundle or a Graph the tree of modules is not known:
    torch's own modules are assumed, and the answer's ``note`` says so.
    """
    from striate.api.inventory import module_facts
    from striate.api.subject import subject
    from striate.explanation import reconcile

    found = subject(model, input)
    facts = module_facts(found.module) if found.module is not None else None
    return reconcile(found.graph, facts, trainable=found.trainable)
