"""A training that no longer gets better ends, and keeps the weights of its best epoch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import training_world as world

from striate.training import checkpoint, events
from striate.training.loop import fit

SETTINGS = replace(world.SETTINGS, epochs=30, patience=2)


def train(folder: Path | None, **options: Any) -> tuple[Any, Any, list[Any]]:
    heard: list[Any] = []
    module = world.network()
    result = fit(module, world.Blobs(), world.Blobs(steps=1), SETTINGS, [heard.append], folder, **options)
    return module, result, heard


def test_it_ends_with_the_best_epoch(tmp_path: Path) -> None:
    module, result, heard = train(tmp_path)
    ended = [event for event in heard if isinstance(event, events.EpochEnded)]
    (kept,) = (event for event in heard if isinstance(event, events.BestKept))
    best = max(ended, key=lambda event: (event.val_accuracy, -event.val_loss))
    assert len(ended) < 30 and result.steps == ended[-1].step
    assert (kept.epoch, kept.of, kept.accuracy) == (best.epoch, best.epoch + 2, best.val_accuracy)
    saved = checkpoint.read(checkpoint.path_of(tmp_path, best.step)).part("average")
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point():
            assert torch.equal(tensor, saved[name]), name


def test_without_a_folder_and_resumed_it_is_the_same(tmp_path: Path) -> None:
    module, _, _ = train(None)
    saved, _, _ = train(tmp_path)
    again, result, heard = train(tmp_path, resume=True)
    assert result.evaluation is None and not any(isinstance(event, events.EpochEnded) for event in heard)
    for one, two, three in zip(*(m.state_dict().values() for m in (module, saved, again)), strict=True):
        assert torch.equal(one, two) and torch.equal(two, three)


def test_a_best_checkpoint_that_broke_is_said(tmp_path: Path) -> None:
    _, _, heard = train(tmp_path)
    (kept,) = (event for event in heard if isinstance(event, events.BestKept))
    (tmp_path / f"step-{kept.epoch * world.STEPS:08d}" / "state.safetensors").write_bytes(b"")
    _, _, heard = train(tmp_path, resume=True)
    (warning,) = (event.message for event in heard if isinstance(event, events.Warned))
    assert warning.endswith("The weights of the last epoch are kept instead of the best one's.")


def test_patience_without_a_validation_split_waits_for_ever() -> None:
    settings = replace(SETTINGS, epochs=4, patience=1)
    assert fit(world.network(), world.Blobs(), None, settings).steps == 4 * world.STEPS


@pytest.mark.parametrize("patience", [0, 1.5])
def test_refusals(patience: float) -> None:
    with pytest.raises(ValueError, match="patience must be a whole number of at least 1"):
        replace(SETTINGS, patience=patience)
