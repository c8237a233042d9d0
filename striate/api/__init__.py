"""TOGETHER: the only place where rooms are joined. One file a verb; what is heavy is imported late.

choices      what is settled before a training, and written down
training     data -> network; resume         finish      bundle, insight, report (labels: judgement)
budget       as many epochs as fit into a time
likeness     a new run with the choices of another       mirroring    two passes for each answer
rates        a learning rate found by a short training; start: random weights or others'
run          what a finished training is     evaluation  a run on a data set
prediction   a run or a bundle on images     explaining  every number of a network derived
weights      the weights of others on images
racing       all engines that are installed, in turns; race_entry, contest: its files, its processes
illustration activations, one window, why convolution
caching      what is kept so that it need not be done again
checking     a data set or a network examined
subject      what MODEL may be: a name, a run, a bundle, an ONNX file, FILE.py:CLASS, a module
stages       what a verb says while it works
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import nn

    from striate.api.caching import cache
    from striate.api.checking import check, rule_page, rules, write_sarif
    from striate.api.evaluation import evaluate
    from striate.api.explaining import against, explain
    from striate.api.illustration import atlas, draw, walk, why
    from striate.api.prediction import compile, load, predict
    from striate.api.racing import race
    from striate.api.rates import find_lr
    from striate.api.run import Run, report
    from striate.api.training import resume, train
    from striate.models import Card

FILES = {
    "caching": ("cache",),
    "checking": ("check", "rule_page", "rules", "write_sarif"),
    "evaluation": ("evaluate",),
    "explaining": ("against", "explain"),
    "illustration": ("atlas", "draw", "walk", "why"),
    "prediction": ("compile", "load", "predict"),
    "racing": ("race",),
    "rates": ("find_lr",),
    "run": ("Run", "report"),
    "training": ("resume", "train"),
}
WHERE = {name: file for file, names in FILES.items() for name in names}

__all__ = [
    "Run",
    "against",
    "atlas",
    "cache",
    "card",
    "check",
    "compile",
    "create",
    "draw",
    "evaluate",
    "explain",
    "find_lr",
    "launch",
    "list_models",
    "load",
    "minimum_size",
    "predict",
    "race",
    "report",
    "resume",
    "rule_page",
    "rules",
    "train",
    "walk",
    "why",
    "write_sarif",
]


def __getattr__(name: str) -> Any:
    """A verb's file is imported when the verb is: loading a bundle need not wait for all others (PEP 562)."""
    if name not in WHERE:
        raise AttributeError(f"module 'striate.api' has no attribute {name!r}")
    return getattr(import_module(f"striate.api.{WHERE[name]}"), name)


def create(
    name: str,
    *,
    weights: str | Path | None = None,
    classes: int | None = None,
    in_channels: int | None = None,
    **size: Any,
) -> nn.Module:
    """Build a network of the catalogue as a torch.nn.Module; see ``striate.models.registry.create``."""
    from striate.models import create as build

    return build(name, weights=weights, classes=classes, in_channels=in_channels, **size)


def launch(processes: int, max_restarts: int, words: Sequence[str]) -> int:
    """``striate WORDS`` in several processes; see ``striate.training.launch``."""
    from striate.api.extras import require_train

    require_train("training")
    from striate.training.launch import launch as start

    return start(processes, max_restarts, words)


def list_models() -> list[str]:
    """Names of all networks that can be created, in alphabetical order."""
    from striate.models import list_models as known

    return known()


def card(name: str) -> Card:
    """The card of a network: paper, year, counts. Raises UnknownNameError with the nearest names."""
    from striate.models import card as find

    return find(name)


def minimum_size(name: str) -> int:
    """Side of the smallest square image that a network accepts, derived. Raises UnknownNameError."""
    from striate.models import minimum_size as derive

    return derive(name)
