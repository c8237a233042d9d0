"""What fit does when all goes well, when it is asked to stop, and when it must give up."""

from __future__ import annotations

import errno
import os
import re
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import training_world as world
from torch import Tensor, nn

from striate import runs
from striate.errors import CheckpointError, RunError, TrainingError
from striate.training import events
from striate.training.loop import fit


class Heard(list[Any]):
    """A listener that remembers."""

    def __call__(self, event: events.Event) -> None:
        self.append(event)

    def of(self, kind: type) -> list[Any]:
        return [event for event in self if isinstance(event, kind)]


def run(folder: Path | None = None, *listeners: Any, **changes: Any) -> Any:
    options = {key: changes.pop(key) for key in ("resume", "data", "clock") if key in changes}
    module = changes.pop("module", None) or world.network()
    batches = changes.pop("batches", world.Blobs())
    val = changes.pop("val", world.Blobs(steps=2))
    settings = replace(world.SETTINGS, **changes)
    return module, fit(module, batches, val, settings, listeners, folder, **options)


def same(a: nn.Module, b: nn.Module) -> bool:
    theirs = b.state_dict()
    return all(torch.equal(tensor, theirs[name]) for name, tensor in a.state_dict().items())


def test_it_learns_and_tells(tmp_path: Path) -> None:
    heard = Heard()
    _, result = run(tmp_path, heard, epochs=6, ema_decay=None)
    assert result.evaluation.accuracy > 0.9
    assert not result.interrupted and result.steps == 36
    kinds = [type(event).__name__ for event in heard if not isinstance(event, events.StepDone)]
    assert kinds == [
        "RunStarted",
        *["EpochStarted", "EpochEnded", "CheckpointSaved"] * 6,
        "RunEnded",
    ]
    last = heard.of(events.EpochEnded)[-1]
    assert (last.epoch, last.step, last.val_accuracy) == (6, 36, result.evaluation.accuracy)
    assert last.train_loss < heard.of(events.EpochEnded)[0].train_loss
    assert 0 <= last.data_wait_share <= 1 and last.images_per_second > 0
    assert heard.of(events.StepDone)[-1].step == 36
    best = max(heard.of(events.EpochEnded), key=lambda event: (event.val_accuracy, -event.val_loss))
    assert {path.name for path in tmp_path.iterdir()} == {
        *("step-00000030", "step-00000036", f"step-{best.step:08d}")
    }


def test_the_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    first, _ = run(epochs=1)
    second, _ = run(epochs=1)
    other, _ = run(epochs=1, seed=4)
    assert same(first, second)
    assert not same(first, other), "dropout must follow the seed"


def test_reports_come_ten_times_a_second_and_at_the_end_of_an_epoch() -> None:
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 0.001
        return now

    heard = Heard()
    run(None, heard, epochs=1, batches=world.Blobs(steps=100), val=None, clock=clock)
    steps = heard.of(events.StepDone)
    assert 2 <= len(steps) <= 20
    assert steps[-1].step == 100 and steps[-1].eta_seconds == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("batch", [10, 7, 31], ids=["mid-epoch", "evaluation", "last evaluation"])
def test_asked_to_stop_it_saves_and_goes_on_later(number: int, batch: int, tmp_path: Path) -> None:
    """Batches 7-8 and 31-32 are those of the first and the last evaluation."""

    class Pressed(world.Blobs):
        count = 0

        def batch(self, epoch: int, step: int) -> tuple[Tensor, Tensor]:
            Pressed.count += 1
            if Pressed.count == batch + 1:  # the first batch of all is only looked at
                os.kill(os.getpid(), number)
            return super().batch(epoch, step)

    before = signal.getsignal(number)
    heard = Heard()
    _, result = run(tmp_path, heard, batches=Pressed(), val=Pressed(steps=2))
    assert signal.getsignal(number) == before
    assert result.interrupted and result.checkpoint is not None
    interrupted = heard[-1]
    assert isinstance(interrupted, events.Interrupted)
    assert interrupted.checkpoint == result.checkpoint
    assert not heard.of(events.RunEnded)

    again = Heard()
    resumed, result = run(tmp_path, again, resume=True)
    assert again[0].resumed_from == interrupted.checkpoint and again[0].step == interrupted.step
    assert not result.interrupted
    whole, _ = run()
    assert same(resumed, whole)
    epochs = [event.epoch for event in heard.of(events.EpochEnded) + again.of(events.EpochEnded)]
    assert epochs == [1, 2, 3, 4]


def test_asked_twice_it_ends_at_once(tmp_path: Path) -> None:
    class Hammered(world.Blobs):
        def batch(self, epoch: int, step: int) -> tuple[Tensor, Tensor]:
            if (epoch, step) == (1, 2):
                os.kill(os.getpid(), signal.SIGTERM)
                os.kill(os.getpid(), signal.SIGINT)
            return super().batch(epoch, step)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, batches=Hammered())
    assert signal.getsignal(signal.SIGTERM) is before
    resumed, _ = run(tmp_path, resume=True)
    whole, _ = run()
    assert same(resumed, whole)


def test_sums_of_an_interrupted_epoch_are_those_of_the_whole_epoch(tmp_path: Path) -> None:
    class Pressed(world.Blobs):
        def batch(self, epoch: int, step: int) -> tuple[Tensor, Tensor]:
            if (epoch, step) == (1, 4):
                os.kill(os.getpid(), signal.SIGINT)
            return super().batch(epoch, step)

    whole, heard = Heard(), Heard()
    run(None, whole)
    run(tmp_path, batches=Pressed())
    run(tmp_path, heard, resume=True)
    for ours, theirs in zip(heard.of(events.EpochEnded), whole.of(events.EpochEnded)[1:], strict=True):
        for name in ("train_loss", "train_accuracy", "val_loss", "val_accuracy", "lr", "step"):
            assert getattr(ours, name) == getattr(theirs, name), name


def test_a_long_epoch_is_saved_in_between(tmp_path: Path) -> None:
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 1.0
        return now

    heard = Heard()
    run(tmp_path, heard, epochs=1, batches=world.Blobs(steps=60), checkpoint_minutes=1.0, clock=clock)
    steps = [event.step for event in heard.of(events.CheckpointSaved)]
    assert len(steps) > 2 and steps[0] < 60 and steps[-1] == 60


def test_a_finished_run_has_nothing_left_to_do(tmp_path: Path) -> None:
    first, _ = run(tmp_path)
    batches = world.Blobs()
    again, result = run(tmp_path, resume=True, batches=batches)
    assert same(first, again) and batches.drawn == 0 and result.evaluation is None


def test_resume_without_a_checkpoint_starts_from_the_beginning(tmp_path: Path) -> None:
    heard = Heard()
    run(tmp_path / "none", heard, resume=True)
    assert heard[0].step == 0 and heard[0].resumed_from is None


class Explosive(world.Blobs):
    """Step 3 of epoch 2 holds an infinite pixel."""

    def batch(self, epoch: int, step: int) -> tuple[Tensor, Tensor]:
        images, labels = super().batch(epoch, step)
        if (epoch, step) == (1, 2):
            images[0, 0, 0, 0] = torch.inf
        return images, labels


def test_a_loss_that_is_no_number_stops_with_an_explanation(tmp_path: Path) -> None:
    with pytest.raises(TrainingError) as caught:
        run(tmp_path, batches=Explosive())
    message = str(caught.value)
    assert "The loss is no longer a number in epoch 2, step 9 of 24, at learning rate 0.00" in message
    assert "train again with a lower lr (for example 0.0025), a longer warmup or grad_clip=1" in message
    assert message.endswith(f"the last good checkpoint is {tmp_path / 'step-00000006'}.")
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000006"]


def test_weights_that_are_no_numbers_are_never_saved(tmp_path: Path) -> None:
    class Root(nn.Module):
        """Its gradient is infinite at zero, where its value is still fine."""

        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.zeros(()))
            self.linear = nn.Linear(64, 4)

        def forward(self, x: Tensor) -> Tensor:
            answer: Tensor = self.linear(x.flatten(1)) + self.scale.abs().sqrt()
            return answer

    with pytest.raises(TrainingError, match="A weight is no longer a number in epoch 1, step 1 of 1"):
        run(tmp_path, module=Root(), epochs=1, batches=world.Blobs(steps=1), ema_decay=None, grad_clip=None)
    assert not tmp_path.exists() or not list(tmp_path.iterdir())


@pytest.mark.parametrize("call", [1, 3])
def test_a_full_disk_loses_nothing(call: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "checkpoints"
    run(folder, epochs=1)
    sync, count = os.fsync, 0

    def full(descriptor: int) -> None:
        nonlocal count
        count += 1
        if count == call:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(descriptor)

    files = sorted(path for path in folder.rglob("*"))
    monkeypatch.setattr(runs.os, "fsync", full)
    with pytest.raises(CheckpointError) as caught:
        run(folder, epochs=1, batches=world.Blobs(steps=9))
    assert str(caught.value) == (
        f"The checkpoint at step 9 cannot be written to {folder} (No space left on device); step-00000006 is "
        f"untouched: make room there, then continue with striate train --resume {tmp_path}."
    )
    assert sorted(path for path in folder.rglob("*")) == files


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": "other"}, "with the data that it began with, and the images, labels or their split have"),
        ({"lr": 0.5}, "the settings that it began with: lr was 0.01, got 0.5: leave lr as it was"),
        ({"epochs": 9}, "the settings that it began with: epochs was 4, got 9"),
        (
            {"module": nn.Sequential(nn.Flatten(), nn.Linear(64, 4))},
            "network that it began with: 0.bias is (8,) in the",
        ),
    ],
    ids=["data", "lr", "epochs", "network"],
)
def test_a_run_is_not_resumed_as_another_run(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    run(tmp_path)
    with pytest.raises(RunError, match=re.escape(message)):
        run(tmp_path, resume=True, **changes)


def test_another_precision_is_said_and_not_refused(tmp_path: Path) -> None:
    run(tmp_path, precision="bf16")
    heard = Heard()
    run(tmp_path, heard, resume=True, precision="fp32")
    assert "precision bf16" in heard[0].message and "may differ in the last digits" in heard[0].message


def test_only_broken_checkpoints(tmp_path: Path) -> None:
    run(tmp_path)
    for path in tmp_path.glob("*/checkpoint.json"):
        path.write_text("{")
    with pytest.raises(CheckpointError, match=r"None of the 2 checkpoints in .* can be read: train again"):
        run(tmp_path, resume=True)


def test_dead_units_are_told_once() -> None:
    module = world.network()
    with torch.no_grad():
        module[4].bias[:6] = -100.0  # type: ignore[index]
    heard = Heard()
    run(None, heard, module=module, lr=1e-6)
    warnings = [event.message for event in heard.of(events.Warned)]
    assert warnings == [
        "5: 75% of 8 ReLU channels have been silent for 3 epochs and no longer learn: lower --lr, raise "
        "--warmup, or take --activation leaky_relu."
    ]
    assert heard.of(events.EpochEnded)[0].dead_relu_share == 6 / 16


def test_waiting_for_data_is_told() -> None:
    now = 0.0

    def clock() -> float:
        return now

    class Slow(world.Blobs):
        def batch(self, epoch: int, step: int) -> tuple[Tensor, Tensor]:
            nonlocal now
            now += 1.0
            return super().batch(epoch, step)

    heard = Heard()
    run(None, heard, batches=Slow(), clock=clock)
    assert [event.message for event in heard.of(events.Warned)] == [
        "Training waits for data more than 30% of the time: vary images less (--augment none) or take "
        "smaller ones (--image-size)."
    ]
    assert heard.of(events.EpochEnded)[0].data_wait_share == 1.0


def test_a_network_starts_from_the_images_once(tmp_path: Path) -> None:
    class Seeing(nn.Sequential):
        seen: list[tuple[int, ...]]

        def initialise_from(self, images: Tensor) -> None:
            self.seen = [*getattr(self, "seen", []), tuple(images.shape)]

    def make() -> Seeing:
        return Seeing(*world.network())

    first, _ = run(tmp_path, module=make())
    assert first.seen == [(96, 1, 8, 8)], "at most one epoch's images"
    again, _ = run(tmp_path, module=make(), resume=True)
    assert not hasattr(again, "seen")


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (
            nn.Sequential(nn.Flatten(), nn.Linear(64, 3)),
            "3 classes and the data has a label 3 (from 0)",
        ),
        (nn.Conv2d(1, 4, 3), "must answer (images, classes), this one answers (2, 4, 6, 6)"),
    ],
    ids=["classes", "maps"],
)
def test_a_network_that_does_not_fit_the_data(module: nn.Module, message: str) -> None:
    with pytest.raises(TrainingError, match=re.escape(message)):
        run(module=module)


def test_no_whole_batch() -> None:
    with pytest.raises(TrainingError, match="There is no whole batch to train on"):
        run(batches=world.Blobs(steps=0))


def test_a_training_does_not_load_the_compiler() -> None:
    """torch's compiler takes longer to import than a small network takes to learn."""
    code = (
        "import sys, kill_world as world, pathlib, tempfile\n"
        "world.train(pathlib.Path(tempfile.mkdtemp()))\n"
        "heavy = ('torch._dynamo', 'torch._inductor', 'torch.onnx', 'sympy')\n"
        "print([name for name in heavy if name in sys.modules])\n"
    )
    done = world.as_a_process("-c", code)
    assert done.stdout.strip() == "[]", done.stderr


def test_a_listener_that_fails_loses_nothing(tmp_path: Path) -> None:
    """A listener that fails ends the run with its own error, and the checkpoint before it can be resumed."""

    def fails(event: events.Event) -> None:
        if isinstance(event, events.EpochEnded) and event.epoch == 2:
            raise OSError("history is on a full disk")

    with pytest.raises(OSError, match="history is on a full disk"):
        run(tmp_path, fails)
    resumed, _ = run(tmp_path, resume=True)
    whole, _ = run()
    assert same(resumed, whole)
