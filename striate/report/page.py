"""Everything that a run folder holds, put into the template and onto the disk: report.html."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from striate.errors import MissingExtraError, StriateError
from striate.report.advice import advise
from striate.report.classes import ClassPart, class_part
from striate.report.contents import Contents, read_run
from striate.report.curves import Figure, epoch_rows, reliability_figure, training_curves
from striate.report.folds import fold_rows
from striate.report.headline import headline
from striate.report.labels import label_part
from striate.report.layers import layer_part
from striate.report.material import material_part
from striate.report.pictures import filter_part, mistake_pictures
from striate.report.repeat import repeat_part
from striate.report.wording import count, percent, plural
from striate.runs import RunFolder, write_atomically, writing

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"
Part = TypeVar("Part")


def write_report(run: Path) -> Path:
    """Write report.html into the folder ``run`` and return its path.

    One file that loads nothing, equal whenever the files of the run are equal. What a run lacks is said on
    the page. Raises RunError when ``run`` is not a run folder, MissingExtraError without jinja2.
    """
    contents = read_run(run)
    page = render(contents)
    path = RunFolder(run).report
    with writing(path):
        write_atomically(path, page)
    return path


def render(run: Contents) -> str:
    """The page as HTML."""
    template = _environment().get_template("report.html.j2")
    gaps = list(run.gaps)
    # What cannot be shown is not used either, so that a gap names the file that is at fault.
    material = _part(gaps, "data.json", run.data, material_part)
    run = replace(run, data=run.data if material else None)
    mistakes = _part(gaps, "insight/mistakes.json", run, _answers)
    layers = _part(gaps, "network.json", run.network, layer_part)
    parameters = layers.parameters if layers else None
    run = replace(run, mistakes=run.mistakes if mistakes else None)
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    return template.render(
        run=run,
        style=(TEMPLATES / "report.css").read_text(encoding="utf-8"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        headline=_part(gaps, "result.json or settings.json", run, lambda run: headline(run, parameters)),
        advice=_part(gaps, "a file of this run", run, advise) or [],
        folds=_part(gaps, "result.json", run.result, fold_rows) if run.is_crossed else None,
        curves=_part(gaps, "history.jsonl", run, _curves) or [],
        epochs=_part(gaps, "history.jsonl", run.history, epoch_rows) or [],
        material=material,
        classes=mistakes[0] if mistakes else None,
        seen=mistakes[1] if mistakes else None,
        labels=_part(gaps, "insight/labels.json", run.labels, label_part),
        filters=_part(gaps, "insight/filters.json", run.filters, filter_part),
        layers=layers,
        repeat=_part(gaps, "settings.json", run, repeat_part),
        gaps=list(dict.fromkeys(gaps)),
    )


def _answers(run: Contents) -> tuple[ClassPart, dict[str, Any]] | None:
    """Everything that mistakes.json tells."""
    mistakes = run.mistakes
    if mistakes is None:
        return None
    worst, doubtful = mistake_pictures(mistakes)
    reliability = reliability_figure(mistakes["reliability"], mistakes["calibration_error"])
    seen = {"worst": worst, "doubtful": doubtful, "reliability": reliability, "wrong": mistakes["wrong"]}
    return class_part(mistakes, run.data), seen


def _curves(run: Contents) -> list[Figure]:
    return training_curves(run.history, run.settings.get("settings", {}))


def _part(gaps: list[str], file: str, content: Any, build: Callable[[Any], Part]) -> Part | None:
    """What ``build`` makes of ``content``; None without content, or with a gap when it has another form.

    A report must be had of a run whose files were edited or half copied; the page names the file.
    """
    if content is None:
        return None
    try:
        return build(content)
    except MissingExtraError:
        raise
    except StriateError as error:
        gaps.append(f"{file} cannot be shown: {error}")
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        gaps.append(f"{file} has another form than this striate writes ({type(error).__name__}: {error}).")
    return None


def _environment() -> Environment:
    try:
        import jinja2
    except ImportError:
        raise MissingExtraError("A report", "jinja2", "train") from None
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(percent=percent, count=count, plural=plural)
    return environment
