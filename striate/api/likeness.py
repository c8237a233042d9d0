"""``train(like=RUN)``: a new run with everything that was chosen for another, from its settings.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from striate.api import number_format
from striate.api.choices import Choice
from striate.api.mirroring import refuse_alone
from striate.errors import ArgumentError
from striate.runs import RunFolder, read_record

if TYPE_CHECKING:
    from striate.data.dataset import Dataset


def refuse_both(given: Mapping[str, object]) -> None:
    """Raise ArgumentError where a run is named and also something that it has settled."""
    for name, value in given.items():
        if value:
            raise ArgumentError(
                f"{name} must be left out with like, whose run has settled it, got {value!r}: leave it out."
            )


def choice_of(folder: RunFolder, given: Mapping[str, Any]) -> Choice:
    """What settings.json chose, the machine's part made explicit; ``given`` settings replace its own.

    On another device than the run's, a number format that nobody asked for is chosen anew.
    Raises RunError when settings.json is not whole, ArgumentError for an impossible setting.
    """
    from striate.data.augment import Augmentation
    from striate.training.device import device_of
    from striate.training.settings import TrainSettings

    written = read_record(folder.settings, model=dict, settings=dict, augmentation=dict, device=dict)
    settings = TrainSettings.from_json({**written["settings"], **_placed(written["device"]), **given})
    ours = written["settings"].get("precision") == "auto" or "precision" in written.get("unasked", ())
    unasked = ours and "precision" not in given
    if unasked and device_of(settings) != written["device"].get("device"):
        settings = replace(settings, precision="auto")
    checked = number_format.settled(settings, written["model"]["name"])
    refuse_alone(checked, Augmentation.from_json(written["augmentation"]))
    names = ("precision",) if unasked else ()
    return Choice(written["model"], checked.to_json(), written["augmentation"], unasked=names)


def differences(folder: RunFolder, dataset: Dataset) -> list[str]:
    """Sentences about what is not as it was, so that the result may differ."""
    from striate import __version__
    from striate.training.machine import describe

    written = read_record(folder.settings, machine=dict)
    known = read_record(folder.data, fingerprint=str)
    now, then = describe(), written["machine"]
    found = []
    if dataset.fingerprint != known["fingerprint"]:
        found.append(f"The images are not those of {folder.path}: the result will be another.")
    versions = {"striate": (written.get("striate"), __version__)} | {
        name: (then.get(name), now[name]) for name in ("torch", "processor", "gpu")
    }
    other = [f"{name} {old} there, {new} here" for name, (old, new) in versions.items() if old != new]
    if other:
        found.append(f"The result may differ from {folder.path} in its last digits: {'; '.join(other)}.")
    return found


def _placed(device: Mapping[str, Any]) -> dict[str, Any]:
    """The places that "auto" became; a GPU only where there is one."""
    import torch

    names = ("precision", "memory_format", "threads")
    placed = {name: device[name] for name in names if name in device}
    if placed.get("precision") == "tf32" and not torch.cuda.is_available():
        placed["precision"] = "auto"
    if device.get("device") == "cpu" or torch.cuda.is_available():
        placed |= {"device": device.get("device", "auto")}
    return placed
