"""Where a training stands: network, optimiser, average, sums and position; stored and restored together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from striate.errors import RunError
from striate.training import checkpoint
from striate.training.average import Average
from striate.training.checkpoint import Best, Checkpoint
from striate.training.device import Placement
from striate.training.evaluate import Evaluation
from striate.training.optimiser import Optimiser
from striate.training.settings import TrainSettings
from striate.training.tally import Tally
from striate.training.team import Team


class State:
    """Moves ``module`` to its place and keeps everything that changes from step to step.

    ``folder`` is where the lead of ``team`` writes checkpoints, None for nowhere; ``data`` the fingerprint of
    the data, ``lr_shares`` the learning rate of parameters as a share of the step's.
    """

    def __init__(
        self,
        module: nn.Module,
        settings: TrainSettings,
        placement: Placement,
        folder: Path | None,
        data: str,
        lr_shares: Mapping[str, float] | None = None,
        team: Team | None = None,
    ) -> None:
        self.module = placement.move(module)
        self.optimiser = Optimiser(module, settings, lr_shares)
        self.tally = Tally(placement.device)
        self.step = self.epoch = self.step_in_epoch = 0
        self.checkpoint: Path | None = None
        self.best: Best | None = None
        self.placement, self.team = placement, team or Team()
        self._settings, self._folder, self._data = settings, folder, data
        self._saved_at: tuple[int, int] | None = None
        self._best_weights: dict[str, Tensor] = {}
        self.begin_average()

    def begin_average(self) -> None:
        """Start the average of the weights from what they are now."""
        decay = self._settings.ema_decay
        self._average = Average(self.module, decay) if decay is not None else None

    def count(self, loss: Tensor, right: Tensor, images: int) -> None:
        """A step is done: this process's mean loss, its count of right answers, its number of images."""
        self.tally.add(loss, right, images, self.team)
        self.step += 1
        self.step_in_epoch += 1
        if self._average is not None:
            self._average.update(self.step)

    def judge(self, evaluation: Evaluation) -> bool:
        """Take in how the epoch that ends does on the validation split; True when it is the best so far."""
        now = Best(self.epoch + 1, self.step, evaluation.accuracy, evaluation.loss)
        if self.best is not None and (now.accuracy, -now.loss) <= (self.best.accuracy, -self.best.loss):
            return False
        self.best = now
        if self._settings.patience is not None and self._folder is None:  # else the checkpoint has them
            self._best_weights = {name: tensor.clone() for name, tensor in self._weights_now().items()}
        return True

    @property
    def has_lost_patience(self) -> bool:
        """Whether the last ``patience`` epochs were no better than one before."""
        patience = self._settings.patience
        return patience is not None and self.best is not None and self.epoch - self.best.epoch >= patience

    def next_epoch(self) -> None:
        self.epoch += 1
        self.step_in_epoch = 0
        self.tally = Tally(self.placement.device)

    def final_weights(self) -> AbstractContextManager[None]:
        """Inside, the module holds the weights that the run would end with now."""
        return self._average.in_place() if self._average is not None else nullcontext()

    def finish(self) -> None:
        """Leave the final weights in the module: the last ones or, with ``patience``, the best epoch's.

        Raises CheckpointError, the last ones left there, when those of the best epoch cannot be read.
        """
        if self._average is not None:
            self._average.hand_over()
        if self._settings.patience is None or self.best is None or self.best.step == self.step:
            return
        if self._folder is not None:
            found = checkpoint.read(checkpoint.path_of(self._folder, self.best.step))
            self._best_weights = found.part("model") | found.part("average")
        _load(self.module, self._best_weights)

    def _weights_now(self) -> dict[str, Tensor]:
        """What ``finish`` would leave now, without patience."""
        return self.module.state_dict() | (self._average.state() if self._average is not None else {})

    def save(self) -> Path | None:
        """Write a checkpoint and return its path; None without a folder, news or the lead.

        Raises CheckpointError when the disk refuses.
        """
        position = (self.step, self.epoch)
        if self._folder is None or position == self._saved_at or not self.team.leads:
            return None
        self.checkpoint = checkpoint.save(
            self._folder,
            Checkpoint(
                step=self.step,
                epoch=self.epoch,
                step_in_epoch=self.step_in_epoch,
                settings=self._settings.what_decides(),
                data=self._data,
                placement=self.placement.to_json(),
                tensors=self._tensors(),
                best=self.best,
            ),
            self._settings.checkpoints_kept,
        )
        self._saved_at = position
        return self.checkpoint

    def resume(self, warn: Callable[[str], None]) -> Path | None:
        """Continue the newest whole checkpoint; returns its path, None when there is none.

        The lead reads it and tells the others. Raises RunError when it belongs to other data, other settings
        or another network, CheckpointError when no checkpoint can be read. ``warn`` hears what else the user
        should know.
        """
        told = self.team.tell(lambda: self._restore(warn))
        if told is None:
            return None
        self.step, self.epoch, self.step_in_epoch = told["position"]
        self.best = Best(**told["best"]) if told["best"] is not None else None
        self._saved_at = (self.step, self.epoch)
        self.checkpoint = Path(told["path"])
        return self.checkpoint

    def follow_the_lead(self) -> None:
        """Take all numbers from the lead of the team."""
        self.team.follow(self._tensors().values())

    def _restore(self, warn: Callable[[str], None]) -> dict[str, Any] | None:
        found = checkpoint.load_newest(self._folder, warn) if self._folder is not None else None
        if self._folder is None or found is None:
            return None
        self._refuse_other_run(found)
        if {"processes": 1, "compiled": False, **found.placement} != self.placement.to_json():
            warn(
                f"The run began with {_in_words(found.placement)} and goes on with "
                f"{_in_words(self.placement.to_json())}: the result may differ in the last digits."
            )
        _load(self.module, found.part("model"))
        self.optimiser.restore(found.part("optimiser"))
        self.tally.restore(found.part("tally"))
        self.begin_average()
        if self._average is not None:
            self._average.restore(found.part("average"))
        return {
            "position": [found.step, found.epoch, found.step_in_epoch],
            "best": asdict(found.best) if found.best is not None else None,
            "path": str(checkpoint.path_of(self._folder, found.step)),
        }

    def _tensors(self) -> dict[str, Tensor]:
        parts = {
            "model": self.module.state_dict(),
            "optimiser": self.optimiser.state(),
            "tally": self.tally.state(),
            "average": self._average.state() if self._average is not None else {},
        }
        return {f"{part}/{name}": tensor for part, state in parts.items() for name, tensor in state.items()}

    def _refuse_other_run(self, found: Checkpoint) -> None:
        if found.data != self._data:
            raise RunError(
                "A run can only be resumed with the data that it began with, and the images, labels or their "
                "split have changed since: restore the data, or train again without --resume."
            )
        asked = self._settings.what_decides()
        differing = [name for name in asked if found.settings.get(name) != asked[name]]
        if differing:
            name = differing[0]
            raise RunError(
                f"A run can only be resumed with the settings that it began with: {name} was "
                f"{found.settings.get(name)!r}, got {asked[name]!r}: leave {', '.join(differing)} as it was, "
                "or train again without --resume."
            )


@torch.no_grad()
def _load(module: nn.Module, stored: dict[str, Tensor]) -> None:
    """Copy ``stored`` into the module, which keeps its own layout in memory."""
    own = module.state_dict()
    mine = {name: tuple(tensor.shape) for name, tensor in own.items()}
    theirs = {name: tuple(tensor.shape) for name, tensor in stored.items()}
    if mine != theirs:
        name = min(set(mine.items()) ^ set(theirs.items()))[0]
        raise RunError(
            f"A run can only be resumed with the network that it began with: {name} is "
            f"{theirs.get(name, 'missing')} in the checkpoint and {mine.get(name, 'missing')} in the network."
        )
    for name, tensor in own.items():
        tensor.copy_(stored[name])


def _in_words(placement: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in placement.items())
