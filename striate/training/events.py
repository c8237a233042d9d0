"""What happens during a training, as frozen values: the only thing a progress bar or a history file sees.

Epochs are counted from 1, as people do. A step is one change of the weights; ``step`` is the number of
steps done since the beginning of the run, interruptions included.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from striate.training.layer_watch import LayerMove
    from striate.training.monitor import Units


@dataclass(frozen=True)
class RunStarted:
    """Before the first step. ``step`` is above 0 when the run was resumed from ``resumed_from``."""

    epochs: int
    steps_per_epoch: int
    total_steps: int
    step: int
    parameters: int
    device: str
    precision: str
    threads: int
    resumed_from: Path | None
    own_convolutions: bool = False
    whole_epochs: int = 0
    """Epochs that are done, their validation included."""


@dataclass(frozen=True)
class EpochStarted:
    epoch: int
    epochs: int
    step: int
    total_steps: int


@dataclass(frozen=True)
class StepDone:
    """At most about four a second, and always after the last step of an epoch.

    ``loss`` (nats), ``accuracy`` (0..1) and ``images_per_second`` are means over the epoch so far,
    ``eta_seconds`` is the time until the last step of the last epoch, ``data_wait_share`` the share of the
    epoch's time in which the loop waited for batches.
    """

    epoch: int
    step: int
    total_steps: int
    loss: float
    accuracy: float
    images_per_second: float
    lr: float
    eta_seconds: float
    data_wait_share: float


@dataclass(frozen=True)
class EpochEnded:
    """One line of ``history.jsonl``. ``val_loss`` and ``val_accuracy`` are None without a validation split.

    Training loss and accuracy are means over the epoch, taken with augmentation while the weights changed.
    ``seconds`` is the epoch's time in this process, ``dead_relu_share`` the share of ReLU channels that
    answered with zero everywhere in a batch (None: not measured).
    """

    epoch: int
    step: int
    lr: float
    train_loss: float
    train_accuracy: float
    val_loss: float | None
    val_accuracy: float | None
    images_per_second: float
    data_wait_share: float
    seconds: float
    dead_relu_share: float | None = None
    moves: tuple[LayerMove, ...] = ()
    """Of each layer in the epoch's last step."""
    units: tuple[Units, ...] = ()
    """Of each activation on some validation images, at the end."""


@dataclass(frozen=True)
class CheckpointSaved:
    """``epoch`` is the number of whole epochs in it."""

    epoch: int
    step: int
    path: Path


@dataclass(frozen=True)
class Warned:
    """One sentence that says what was seen and what to do."""

    message: str


@dataclass(frozen=True)
class Compiling:
    """So many kernels for the network's convolutions are compiled now; they are kept for the next time."""

    kernels: int


@dataclass(frozen=True)
class BestKept:
    """The weights are those of ``epoch``, of ``of`` that were run; ``accuracy`` (0..1): its validation's."""

    epoch: int
    of: int
    accuracy: float


@dataclass(frozen=True)
class RunEnded:
    """After the last epoch. ``seconds`` is the time in this process."""

    epochs: int
    step: int
    seconds: float


@dataclass(frozen=True)
class Interrupted:
    """Ctrl-C or a request to end. ``checkpoint`` is where the run stands (None: no run folder was given)."""

    epoch: int
    step: int
    total_steps: int
    checkpoint: Path | None


Progressing = RunStarted | EpochStarted | StepDone | EpochEnded | CheckpointSaved
Event = Progressing | Warned | Compiling | BestKept | RunEnded | Interrupted
Listener = Callable[[Event], None]
