"""Carrying out what settings.json says: build the network, train it, finish. Nothing is chosen here."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from striate.api.choices import objective, training_batches
from striate.api.run import Run
from striate.api.stages import Listener, Noted, stage, tell
from striate.errors import VERDICT, ArgumentError, BundleError, RunError, WeightsWarning, command
from striate.runs import RunFolder

if TYPE_CHECKING:
    from torch import nn

    from striate.data.dataset import Dataset
    from striate.training.loop import FitResult
    from striate.training.team import Team


def carry_out(
    folder: RunFolder,
    begun: Mapping[str, Any],
    dataset: Dataset,
    module: nn.Module,
    listeners: Sequence[Listener],
    team: Team,
) -> Run:
    """Train as settings.json says, then finish: measure, capture, look, report."""
    from striate.api.finish import AT_ONCE, finish
    from striate.data.batches import Batches
    from striate.training.device import place
    from striate.training.history import HistoryFile
    from striate.training.loop import fit
    from striate.training.machine import prepared
    from striate.training.own_rule import fit_by_own_rule, has_own_rule
    from striate.training.settings import TrainSettings

    written = begun["settings"]
    settings = TrainSettings.from_json(written["settings"])
    placement = place(settings)
    batches = training_batches(dataset, settings, written["augmentation"], (team.rank, team.size))
    val = None
    if dataset.val is not None:
        val = Batches(dataset.val, dataset.preprocessing, AT_ONCE, device=placement.device)
    train_it: Callable[..., FitResult] = partial(fit, team=team)
    if has_own_rule(module):
        if team.size > 1:
            raise ArgumentError(
                f"processes must be 1 for a network that learns by a rule of its own, got {team.size}: leave "
                "--processes out."
            )
        train_it = partial(fit_by_own_rule, on_progress=stage(listeners, "learning"))
    heard: list[str] = []
    result = train_it(
        module,
        batches,
        val,
        settings,
        [HistoryFile(folder.history), _Warnings(heard), *listeners],
        folder.checkpoints,
        objective=objective(dataset, settings),
        data=dataset.fingerprint,
        resume=begun["resume"],
    )
    if result.interrupted:
        tell(listeners, Noted(f"Stopped and saved. Continue with: {how_to_go_on(folder)}"))
        return Run(folder.path)
    try:
        with prepared(placement):
            finish(folder, dataset, module, placement, heard, listeners, team, settings.test_time_mirror)
    except (RunError, BundleError, OSError):
        rest = command("report", folder.path) if folder.result.exists() else how_to_go_on(folder)
        tell(listeners, Noted(f"The training is done and saved; only what follows it is missing: {rest}"))
        raise
    return Run(folder.path)


def how_to_go_on(folder: RunFolder) -> str:
    """The command that continues a run, with as many processes; of a fold, all of its folder."""
    from striate.training.team import all_processes

    above, count = RunFolder(folder.path.parent), all_processes() if VERDICT in os.environ else 1
    several = ("--processes", count) if count > 1 else ()
    return command("train", "--resume", above.path if above.settings.exists() else folder.path, *several)


class _Warnings:
    """A listener that keeps what the training warned of, for result.json and the report."""

    def __init__(self, kept: list[str]) -> None:
        self.kept = kept

    def __call__(self, event: Any) -> None:
        from striate.training.events import Warned

        if isinstance(event, Warned):
            self.kept.append(event.message)


def build(model: Mapping[str, Any], seed: int) -> nn.Module:
    """The network that settings.json names, its weights drawn from ``seed`` or read from its file."""
    import torch

    from striate.models import create, replace_activations
    from striate.models.pretrained import PRETRAINED
    from striate.training.fine_tuning import batch_norms

    torch.manual_seed(seed)
    with warnings.catch_warnings():
        if model["weights"] == PRETRAINED:  # nothing about them is in doubt, and a new head is what is wanted
            warnings.simplefilter("ignore", WeightsWarning)
        module = create(
            model.get("form", model["name"]),
            classes=model["classes"],
            in_channels=model["in_channels"],
            image_size=tuple(model["image_size"]),
            weights=model["weights"],
        )
    if model.get("activation") is not None:
        replace_activations(module, model["activation"])
    for norm in batch_norms(module) if model.get("batch_norm_epsilon") else ():
        norm.eps = model["batch_norm_epsilon"]
    return module
