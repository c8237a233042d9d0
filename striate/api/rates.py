"""``find_lr``: a learning rate that suits a network and a data set, measured by a short training."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from striate.api.choices import choose, objective, parse_size, training_batches
from striate.api.extras import require_train
from striate.api.stages import Listener, Noted, stage, tell
from striate.api.start import start_from
from striate.errors import ArgumentError, MissingExtraError
from striate.runs import write_atomically, writing

if TYPE_CHECKING:
    from striate.training.range_test import RangeTest

PICTURES = (".svg", ".png", ".pdf")


@dataclass(frozen=True)
class FoundRate:
    """What the test found for a network; ``usual`` is what the recipe would have chosen."""

    model: str
    usual: float
    test: RangeTest
    picture: Path | None

    def to_json(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "usual": self.usual,
            "picture": str(self.picture) if self.picture is not None else None,
            **self.test.to_json(),
        }


def find_lr(
    data: str | Path | None = None,
    *,
    model: str = "auto",
    weights: str | Path | None = None,
    activation: str | None = None,
    image_size: str | int | Sequence[int] | None = None,
    skip_bad: bool = False,
    steps: int = 100,
    out: str | Path | None = None,
    listeners: Sequence[Listener] = (),
    **settings: Any,
) -> FoundRate:
    """Train a throw-away network for ``steps`` batches at ever higher rates; see ``training.range_test``.

    Arguments are those of ``train``. ``out``: where to draw loss over rate (.svg, .png or .pdf). Raises what
    ``train`` raises, and ArgumentError for steps below 20 or another kind of picture.
    """
    require_train("training")
    from striate.api.carrying import build
    from striate.data.catalogue import open_dataset
    from striate.training.range_test import range_test
    from striate.training.settings import TrainSettings

    picture = Path(out) if out is not None else None
    if picture is not None and picture.suffix.lower() not in PICTURES:
        raise ArgumentError(
            f"out must end in {', '.join(PICTURES)}, got {picture}: name it lr.svg, for example."
        )
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 20:
        raise ArgumentError(
            f"steps must be a whole number of at least 20, got {steps!r}: give for example 100."
        )
    size = parse_size(image_size)
    start = start_from(model, weights, keep_size=size is not None, activation=activation)
    dataset = open_dataset(
        data,
        image_size=size,
        skip_bad=skip_bad,
        prepare=start.prepare,
        on_progress=stage(listeners, "reading images"),
    )
    for note in dataset.notes:
        tell(listeners, Noted(note))
    chosen = choose(dataset, start.settled(dataset.image_size), settings, None)
    training = TrainSettings.from_json(chosen.settings)
    batches = training_batches(dataset, training, chosen.augmentation)
    module = build(chosen.network, chosen.seed)
    progress = stage(listeners, "trying learning rates")
    found = range_test(
        module, batches, training, steps=steps, objective=objective(dataset, training), on_progress=progress
    )
    if picture is not None:
        _draw(found, picture)
    return FoundRate(chosen.network["name"], training.lr, found, picture)


def _draw(found: RangeTest, path: Path) -> None:
    """Loss over learning rate, the suggestion marked."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("The picture", "matplotlib", "train") from None
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(found.rates, found.losses, color="#1f5fa8")
    at = found.rates.index(found.suggestion)
    axes.scatter([found.suggestion], [found.losses[at]], color="#b3402a", zorder=3)
    axes.annotate(
        f"{found.suggestion:.2g}", (found.suggestion, found.losses[at]), (6, 6), textcoords="offset points"
    )
    axes.set(xscale="log", xlabel="learning rate", ylabel="running loss (nats)")
    axes.set_ylim(top=min(max(found.losses), 1.3 * max(found.losses[:10])))
    axes.grid(alpha=0.3)
    content = io.BytesIO()
    figure.savefig(content, format=path.suffix.lower()[1:])
    with writing(path):
        write_atomically(path, content.getvalue())
