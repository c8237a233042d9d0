"""The data of a run that has begun, read again as it was read then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from striate.api.choices import as_read
from striate.api.stages import Listener, stage
from striate.errors import RunError
from striate.runs import RunFolder, read_record

if TYPE_CHECKING:
    from striate.data.dataset import Dataset


def open_again(folder: RunFolder, data: str | Path | None, listeners: Sequence[Listener]) -> Dataset:
    """The data set of a run, read as it was read then; ``data`` is where it is now, if it has moved."""
    known = read_record(folder.data, preprocessing=dict, classes=list)
    return open_as(settings_of(folder)["data"], known, data, listeners)


def open_as(
    asked: Mapping[str, Any],
    known: Mapping[str, Any],
    data: str | Path | None,
    listeners: Sequence[Listener],
) -> Dataset:
    """The data set that ``asked`` (of settings.json) and ``known`` (of data.json) name."""
    from striate.data.catalogue import open_dataset
    from striate.data.preprocess import Preprocessing

    preprocessing = Preprocessing.from_json(known["preprocessing"])
    return open_dataset(
        data if data is not None else asked["source"],
        skip_bad=asked["skip_bad"],
        **as_read({**asked, "root": root_of(asked, data)}),
        classes=known["classes"],
        prepare=lambda _: preprocessing,
        on_progress=stage(listeners, "reading images"),
        on_scan=stage(listeners, "looking at files"),
    )


def root_of(asked: Mapping[str, Any], data: str | Path | None) -> str | None:
    """The folder that the paths of a CSV are relative to; None where ``data``, read instead, is no CSV."""
    from striate.data.source import is_table

    root: str | None = asked.get("root")
    return root if is_table(str(data if data is not None else asked["source"])) else None


def as_asked(asked: Mapping[str, Any], data: str | Path | None) -> dict[str, Any]:
    """How ``data`` is read for a new run that reads as ``asked`` says: all but the source itself."""
    return {name: value for name, value in asked.items() if name != "source"} | {"root": root_of(asked, data)}


def refuse_other_images(dataset: Dataset, found: str, known: str, run: str | Path) -> None:
    """Raise RunError unless the fingerprint ``found`` is the one with which ``run`` began."""
    if found != known:
        raise RunError(
            f"DATA must be the images that {run} began with, but those in {dataset.source} "
            "differ: restore them, or start a new run with striate train."
        )


def settings_of(folder: RunFolder) -> dict[str, Any]:
    """settings.json, which holds what a run needs to be read again, or RunError."""
    return read_record(folder.settings, model=dict, settings=dict, data=dict, augmentation=dict)
