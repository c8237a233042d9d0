"""What a training returns: a run folder, read on demand. Everything it says stands in the folder's files."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from striate.errors import RunError, command
from striate.runs import RunFolder, read_record

if TYPE_CHECKING:
    from striate.engine import Prediction


SHOWN = {"accuracy": float, "loss": float, "split": str, "images": int, "epochs": int, "seconds": float}


@dataclass(frozen=True)
class Run:
    """A training on disk. ``Run("runs/photos-1").accuracy``."""

    path: Path

    @property
    def folder(self) -> RunFolder:
        """The names of the files inside. Raises RunError when there is no such run."""
        return RunFolder.open(Path(self.path))

    @property
    def finished(self) -> bool:
        return self.folder.result.exists()

    @cached_property
    def result(self) -> dict[str, Any]:
        """result.json. Raises RunError when the training has not finished."""
        if not self.finished:
            raise RunError(
                f"{self.path} has no result, its training has not finished: "
                f"continue it with {command('train', '--resume', self.path)}."
            )
        return read_record(self.folder.result, **SHOWN)

    @property
    def accuracy(self) -> float:
        """Share of right answers (0 to 1) on the split that ``result["split"]`` names."""
        return float(self.result["accuracy"])

    @property
    def sample(self) -> str:
        """An image file to try ``striate predict`` on, from the working directory where it lies below it."""
        path = Path(read_record(self.folder.data, sample=str)["sample"])
        here = Path.cwd()
        return str(path.relative_to(here) if path.is_relative_to(here) else path)

    def predict(self, *images: str | Path | bytes, top: int = 5) -> list[Prediction]:
        """What the network sees in images; see ``striate.api.prediction``."""
        from striate.api.prediction import predict

        return predict(self.path, images, top=top)

    def report(self) -> Path:
        """Write report.html again and return its path."""
        return report(self.path)

    def to_json(self) -> dict[str, Any]:
        """The result with the paths of what was made."""
        made = {"run": str(self.path), "report": str(self.folder.report)}
        if self.folder.bundle.exists():
            made["bundle"] = str(self.folder.bundle)
        return made | self.result


def refuse_folds(folder: RunFolder, argument: str) -> None:
    """Raise RunError where a network is meant and a folder of folds without their mean is named."""
    settings = read_record(folder.settings)
    if settings.get("folds") is not None:
        raise RunError(
            f"{argument} must be a network, {folder.path} holds {settings['folds']} folds and no bundle yet: "
            f"finish it with {command('train', '--resume', folder.path)}, or name one of them, such as "
            f"{folder.fold(1).path}."
        )


def report(run: str | Path) -> Path:
    """Write the page about a run (also of one that has not finished) and return its path."""
    from striate.report import write_report

    return write_report(RunFolder.open(Path(run)).path)
