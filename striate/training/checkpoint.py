"""Checkpoints: all that is needed to go on, in a folder that is whole or is not there.

The newest few stay, and the one with the best answers to the validation split.

    checkpoints/step-00001234/state.safetensors     weights, optimiser, running sums
    checkpoints/step-00001234/checkpoint.json       where the run stands, and the SHA-256 of both files

It is written under another name, flushed to the disk, and renamed. Whatever still goes wrong, a cut cable or
a copy that stopped half-way, the hashes tell, and the checkpoint before it is used. There is no pickle:
reading one runs no code.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from striate.errors import CheckpointError, command
from striate.runs import sync_folder, write_atomically

CHECKPOINT_FORMAT = 1
_TENSORS, _RECORD = "state.safetensors", "checkpoint.json"
_PARTIAL = ".step-*.part"


@dataclass(frozen=True)
class Best:
    """The epoch with the best validation so far: highest accuracy and, of equal ones, lowest loss."""

    epoch: int
    """From 1."""
    step: int
    """Steps done at its end: the checkpoint's name."""
    accuracy: float
    loss: float


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run between two steps."""

    step: int
    """Steps done since the beginning."""
    epoch: int
    """The epoch that goes on, from 0; ``epochs`` when all are done."""
    step_in_epoch: int
    """Steps of that epoch that are done; all of them when only its evaluation is missing."""
    settings: Mapping[str, Any]
    """The settings that decide the result (``TrainSettings.what_decides``)."""
    data: str
    """Fingerprint of the data."""
    placement: Mapping[str, Any]
    """Device, precision, layout and threads that it was computed with."""
    tensors: Mapping[str, Tensor]
    """``model/...``, ``optimiser/...``, ``tally/...`` and, with an average, ``average/...``."""
    best: Best | None = None
    """The best epoch so far; None without a validation split or before the first one."""

    def part(self, prefix: str) -> dict[str, Tensor]:
        """The tensors under ``prefix/``, without the prefix."""
        start = len(prefix) + 1
        return {name[start:]: t for name, t in self.tensors.items() if name.startswith(prefix + "/")}


def save(folder: Path, checkpoint: Checkpoint, keep: int = 2) -> Path:
    """Write ``checkpoint`` into ``folder`` and remove all but the last ``keep`` and the best.

    Returns its path. Raises CheckpointError when the disk refuses (full, read-only); those before it stay.
    """
    final = path_of(folder, checkpoint.step)
    partial = folder / f".{final.name}.part"
    try:
        for unfinished in folder.glob(_PARTIAL):  # a process was killed while it wrote
            _clear(unfinished)
        partial.mkdir(parents=True)
        _write(partial, checkpoint)
        _clear(final)  # only ever one that could not be read, or the same state over again
        partial.replace(final)
        sync_folder(folder)
        _prune(folder, final, keep, checkpoint.best)
    except OSError as error:
        kept = [path.name for path in list_steps(folder)]
        raise CheckpointError(
            f"The checkpoint at step {checkpoint.step} cannot be written to {folder} "
            f"({error.strerror or error}); {_what_remains(kept)}: make room there, then continue with "
            f"{command('train', '--resume', folder.parent)}."
        ) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return final


def path_of(folder: Path, step: int) -> Path:
    """Where the checkpoint of step ``step`` stands."""
    return folder / f"step-{step:08d}"


def list_steps(folder: Path) -> list[Path]:
    """The checkpoints in ``folder``, newest first, unread."""
    return sorted((path for path in folder.glob("step-*") if path.is_dir()), reverse=True)


def load_newest(folder: Path, on_broken: Callable[[str], None] = lambda message: None) -> Checkpoint | None:
    """The newest checkpoint that is whole, or None where there is none.

    ``on_broken`` hears one sentence for each newer one that had to be passed over. Raises CheckpointError
    when there are checkpoints and none can be read.
    """
    found = list_steps(folder)
    for path in found:
        try:
            return read(path)
        except CheckpointError as error:
            on_broken(str(error))
    if found:
        raise CheckpointError(
            f"None of the {len(found)} checkpoints in {folder} can be read: train again without --resume."
        )
    return None


def read(path: Path) -> Checkpoint:
    """The checkpoint in the folder ``path``, its hashes checked.

    Raises CheckpointError: incomplete, changed since it was written, or of another format.
    """
    try:
        content = (path / _TENSORS).read_bytes()
        record = json.loads((path / _RECORD).read_text(encoding="utf-8"))
        seal = record.pop("sha256_of_the_rest")
        if record["format"] != CHECKPOINT_FORMAT:
            raise CheckpointError(
                f"{path} has checkpoint format {record['format']}, this striate reads {CHECKPOINT_FORMAT}: "
                "use the version of striate that wrote it."
            )
        if seal != _seal(record) or record.pop("sha256_of_tensors") != hashlib.sha256(content).hexdigest():
            raise CheckpointError(f"{path} is not as it was written and is passed over.")
        del record["format"]
        best = record.pop("best", None)
        return Checkpoint(
            **record, tensors=load_tensors(content), best=Best(**best) if best is not None else None
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError):
        raise CheckpointError(f"{path} is incomplete and is passed over.") from None


def _write(folder: Path, checkpoint: Checkpoint) -> None:
    content = save_tensors({name: _to_store(tensor) for name, tensor in checkpoint.tensors.items()})
    record = {
        "format": CHECKPOINT_FORMAT,
        "step": checkpoint.step,
        "epoch": checkpoint.epoch,
        "step_in_epoch": checkpoint.step_in_epoch,
        "settings": dict(checkpoint.settings),
        "data": checkpoint.data,
        "placement": dict(checkpoint.placement),
        "best": asdict(checkpoint.best) if checkpoint.best is not None else None,
        "sha256_of_tensors": hashlib.sha256(content).hexdigest(),
    }
    write_atomically(folder / _TENSORS, content)
    write_atomically(folder / _RECORD, json.dumps(record | {"sha256_of_the_rest": _seal(record)}, indent=1))


def _to_store(tensor: Tensor) -> Tensor:
    """A copy of its own, in the plain layout: safetensors refuses memory that two tensors share."""
    return tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)


def _seal(record: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _prune(folder: Path, final: Path, keep: int, best: Best | None) -> None:
    """Keep ``final``, those before it and the best. Newer ones are of a future given up as unreadable."""
    found = list_steps(folder)
    position = found.index(final)
    stay = set(found[position : position + keep])
    if best is not None:
        stay.add(path_of(folder, best.step))
    for path in found:
        if path not in stay:
            _clear(path)


def _clear(path: Path) -> None:
    if path.exists():
        shutil.rmtree(path)


def _what_remains(kept: list[str]) -> str:
    return f"{kept[0]} is untouched" if kept else "there is no earlier one"
