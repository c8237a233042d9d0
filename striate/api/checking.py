"""``check``: a data set or a network examined before a training finds out the slow way."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from striate.api.stages import Listener, stage
from striate.errors import (
    ArgumentError,
    GraphError,
    ShapeError,
    StriateError,
    UnknownNameError,
    UnsupportedError,
    nearest,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

    from striate.data.findings import DataReport
    from striate.doctor import Choice, InputStatistics, NetworkReport

IMAGES = 2  # of a batch that stands for a size: batch norm in training needs more than one


def check(
    subject: Any,
    input: str | Sequence[int] | Tensor | Sequence[Tensor] | None = None,
    *,
    rules: Choice | None = None,
    root: str | Path | None = None,
    listeners: Sequence[Listener] = (),
) -> DataReport | NetworkReport:
    """Examine DATA (what ``striate.train`` takes) or MODEL (what ``striate.explain`` takes).

    ``input``: for a network, channels x rows x columns; a module may also be given the tensors themselves. A
    module (``FILE.py:CLASS`` executes the file) is run first; where it fails, the answer says at which layer
    and which line would mend it. ``root``: where the paths of a CSV begin. ``rules``: None takes the choice
    in the nearest ``pyproject.toml``.

    The answer has ``ok``, ``text()`` and ``to_json()``.
    """
    if is_data(subject):
        from striate.data.check import check_dataset

        return check_dataset(subject, root=root, on_progress=stage(listeners, "examining images"))
    from striate.api.subject import module_of
    from striate.doctor import configured
    from striate.doctor.building import diagnose_building

    chosen = rules or configured(Path.cwd())
    title = _title(subject)
    try:
        module = module_of(subject)
    except ArgumentError as error:
        report = diagnose_building(title, error.__cause__) if error.__cause__ is not None else None
        if report is None:
            raise
        return report
    if module is not None and input is not None:
        return _check_module(title, module, input, chosen)
    try:
        return _lint(title, subject if module is None else module, input, chosen)
    except UnknownNameError as error:
        raise _neither(str(subject), error) from None


def _check_module(title: str, module: nn.Module, given: Any, rules: Choice) -> NetworkReport:
    """Run it as it is used and, if that is its mode, as it is trained; then lint."""
    from striate.doctor.diagnosis import diagnose
    from striate.doctor.trial import own_copy, rerun, run_module

    module = own_copy(module)
    example = _example(module, given)
    for training in (False, True) if module.training else (False,):
        trace = run_module(module, example, training=training)
        report = diagnose(title, trace, module, lambda sizes: rerun(module, sizes))
        if report is not None:
            return report
    if len(example) > 1:
        return _passed(title, "several inputs are run, but not yet looked at by the rules.")
    sizes = tuple(example[0].shape[1:])
    statistics = None if isinstance(given, str) else _statistics(example[0])
    return _lint(title, module, sizes, rules, statistics)


def _lint(
    title: str, model: Any, size: Any, rules: Choice, statistics: InputStatistics | None = None
) -> NetworkReport:
    from striate.api.subject import module_of
    from striate.api.subject import subject as find
    from striate.doctor import Patient, examine

    try:
        found = find(model, size)
    except (GraphError, UnsupportedError, ShapeError) as error:
        if module_of(model) is None or isinstance(model, (str, Path)):
            raise
        return _passed(title, f"it runs, but the rules cannot look at it: {error}")
    patient = Patient(found.graph, _known(found.weights), found.trainable, found.parameters, statistics)
    return examine(title, patient, rules)


def _known(weights: Any) -> Any:
    """Weights, unless they are on the meta device, where every value is not a number."""
    import numpy as np

    real = weights is not None and any(np.isfinite(array).all() for array in weights.values())
    return weights if real else None


def _example(module: nn.Module, given: Any) -> tuple[Tensor, ...]:
    """Tensors as given; a size as a batch of random images on the module's device."""
    import torch

    from striate.api.subject import parse_input

    if isinstance(given, torch.Tensor):
        return (given,)
    if not isinstance(given, str) and any(isinstance(entry, torch.Tensor) for entry in given):
        return tuple(given)
    sizes = parse_input(given) or ()
    own = next((p for p in module.parameters() if p.is_floating_point()), torch.empty(0))  # its device, type
    random = torch.Generator().manual_seed(0)
    images = torch.randn(IMAGES, *sizes, generator=random)
    return (images.to(device=own.device, dtype=own.dtype),)


def _statistics(images: Tensor) -> InputStatistics | None:
    """Of each channel; None for tensors that are no images or stand for a shape alone."""
    from striate.doctor import InputStatistics

    if images.ndim < 3 or not images.is_floating_point():
        return None
    channels = images.transpose(0, 1).flatten(1)
    mean, std = channels.mean(dim=1).tolist(), channels.std(dim=1).tolist()
    return InputStatistics(tuple(mean), tuple(std)) if min(std) > 0 else None


def _passed(title: str, note: str) -> NetworkReport:
    from striate.doctor import NetworkFinding, NetworkReport

    return NetworkReport(title, (NetworkFinding("note", "input-fits", note),))


def _title(subject: Any) -> str:
    return str(subject) if isinstance(subject, (str, Path)) else type(subject).__name__


def rules() -> dict[str, dict[str, str]]:
    """Every rule about networks, by name and in order of its family, as plain values."""
    from striate.doctor import RULES

    ordered = sorted(RULES.values(), key=lambda found: found.family)
    keys = ("name", "family", "severity", "title", "reason", "source", "uses")
    return {found.name: {key: getattr(found, key) for key in keys} for found in ordered}


def rule_page(name: str) -> str:
    """The page of one rule. Raises UnknownNameError with the nearest names."""
    from striate.doctor import page

    return page(name)


def write_sarif(report: DataReport | NetworkReport, path: Path) -> None:
    """Write the findings about a network as SARIF 2.1.0. ArgumentError for a report about data."""
    from striate.doctor import NetworkReport
    from striate.doctor.sarif import sarif
    from striate.runs import write_json

    if not isinstance(report, NetworkReport):
        raise ArgumentError(
            "sarif must be asked of a network, got a data set, which has no lines of code: use --json."
        )
    write_json(path, sarif(report))


def _neither(subject: str, error: UnknownNameError) -> StriateError:
    """For what is no data set and no network: the name that is near, or what may be given."""
    from striate.data.named import NAMED
    from striate.models import MODELS

    if nearest(subject, MODELS):
        return error
    hint = nearest(subject, NAMED) or "check the path, or choose from striate models."
    return UnknownNameError(
        f"DATA|MODEL must be a folder of images, a named set, or a network, got {subject!r}, which is no "
        f"folder and no name: {hint}"
    )


def is_data(subject: Any) -> bool:
    """Whether a path or name means images: of a form that only sets have, or a folder that is no network."""
    from striate.api.subject import is_published
    from striate.data.source import is_source

    if not isinstance(subject, (str, Path)):
        return False
    folder = Path(subject)
    own = (folder / "graph.json").exists() or (folder / "settings.json").exists()
    is_network = own or is_published(folder)
    return is_source(str(subject)) or (folder.is_dir() and not is_network)
