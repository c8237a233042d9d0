"""Pictures of ideas: the atlas of activations, one window step by step, the case for convolution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from striate.api.extras import require_train
from striate.api.stages import Listener, stage
from striate.api.subject import parse_input
from striate.errors import ArgumentError

if TYPE_CHECKING:
    from striate.explanation.atlas import Atlas
    from striate.explanation.walk import Sliding, Walk
    from striate.explanation.why import Connections
    from striate.insight.weight_sharing import WeightSharing

POOLS = ("max", "min", "avg")
EPOCHS = 6
Sizes = int | str | Sequence[int]


def atlas(names: str = "all") -> Atlas:
    """Activations measured: ``names`` separated by commas, "all", or "textbook" for the six of every book.

    Raises UnknownNameError with the nearest names, ArgumentError for softmax and for wrong arguments.
    """
    from striate.explanation.atlas import atlas as measured

    return measured(names)


def walk(picture: Sizes, pool: str | None = None, *, seed: int = 0, **arguments: Any) -> Walk:
    """One convolution, or one ``pool`` ("max", "min", "avg"), step by step on a small picture.

    ``picture``: "5x5", rows x columns. ``arguments``: those of the PyTorch layer, and as texts: kernel_size
    (3 if not given), stride, padding ("1", "1x2", "same"), dilation, padding_mode, groups, bias, in_channels,
    out_channels, ceil_mode, count_include_pad, divisor_override; None counts as not given. ``seed`` draws
    the whole numbers.

    Raises ArgumentError for an argument that the layer does not have, ShapeError where the window does not
    fit.
    """
    from striate.explanation.walk import walk as walked

    given = {name: value for name, value in arguments.items() if value is not None}
    channels = int(given.get("in_channels", 1))
    if pool is not None:
        given.pop("in_channels", None)  # a pool takes any number
    rows, columns = _pair("--conv", picture)
    return walked(_word(pool, given), rows, columns, channels, seed)


def draw(subject: Atlas | Walk, path: str | Path) -> Path:
    """Write the picture of an atlas (.svg, .png, .html) or of a walk (.html, .gif); returns the path.

    Raises ArgumentError for another ending, MissingExtraError without matplotlib.
    """
    from striate.explanation.atlas import Atlas
    from striate.runs import write_atomically

    target = Path(path)
    kind = target.suffix.lower()
    if isinstance(subject, Atlas):
        from striate.explanation.atlas_figure import atlas_figure

        content: str | bytes = atlas_figure(subject, kind)
    elif kind == ".html":
        from striate.explanation.walk_page import walk_page

        content = walk_page(subject)
    elif kind == ".gif":
        from striate.explanation.walk_film import walk_film

        content = walk_film(subject)
    else:
        raise ArgumentError(f"--out must end in .html or .gif for --conv, got {path}: choose one of these.")
    if target.is_dir() or (target.parent.exists() and not target.parent.is_dir()):
        raise ArgumentError(f"--out must be a file, got {path}: give the name of one.")
    write_atomically(target, content)
    return target


@dataclass(frozen=True)
class Why:
    """The case for convolution: counted, and, where networks were trained, measured."""

    connections: Connections
    sharing: WeightSharing | None

    def text(self) -> str:
        """Both parts."""
        parts = [self.connections.text(), *([] if self.sharing is None else [self.sharing.text()])]
        return "\n\n".join(parts)

    def to_json(self) -> dict[str, Any]:
        """Plain values only."""
        sharing = None if self.sharing is None else self.sharing.to_json()
        return {"connections": self.connections.to_json(), "weight_sharing": sharing}


def why(
    input: str | Sequence[int] | None = None,
    *,
    units: int = 1000,
    kernel: int = 3,
    epochs: int = EPOCHS,
    seed: int = 0,
    listeners: Sequence[Listener] = (),
) -> Why:
    """Fully connected, locally connected and convolutional layers on one image; then trained and shifted.

    ``input``: the image of the count, channels x rows x columns (None: the textbook's 1x1080x1920).
    ``epochs`` of training on the embedded images, for each of five networks; 0 only counts.
    """
    from striate.explanation.why import connections

    size = parse_input(input) or (1, 1080, 1920)
    if len(size) != 3:
        raise ArgumentError(f"input must be channels x rows x columns, got {input!r}: write 1x1080x1920.")
    if epochs < 0:
        raise ArgumentError(f"epochs must be 0 or more, got {epochs}: 0 only counts.")
    counted = connections(size, units, kernel)
    if epochs == 0:
        return Why(counted, None)
    require_train("training for --why (--epochs 0 only counts)")
    from striate.data.catalogue import open_dataset
    from striate.insight.weight_sharing import weight_sharing

    trained = weight_sharing(
        open_dataset(None), epochs=epochs, seed=seed, on_progress=stage(listeners, "training networks")
    )
    return Why(counted, trained)


def _word(pool: str | None, given: Mapping[str, Any]) -> Sliding:
    """The word that these arguments describe; one that it does not take is refused, not ignored."""
    from dataclasses import fields

    from striate.ops import AvgPool2d, Conv2d, MaxPool2d, MinPool2d

    if pool is not None and pool not in POOLS:
        raise ArgumentError(f"--pool must be one of {', '.join(POOLS)}, got {pool!r}: choose one of these.")
    words: dict[str | None, type[Sliding]] = {None: Conv2d, "max": MaxPool2d, "min": MinPool2d}
    kind = words.get(pool, AvgPool2d)
    takes = {field.name for field in fields(kind)}
    for name in given:
        if name not in takes:
            what = "a convolution" if pool is None else f"--pool {pool}"
            raise ArgumentError(f"{name} must be left out for {what}, got {given[name]!r}: it has none.")
    values = {"kernel_size": 3, **({} if pool else {"in_channels": 1, "out_channels": 1}), **given}
    for name in ("kernel_size", "stride", "dilation", "padding"):
        if name in values and not (name == "padding" and values[name] in ("same", "valid")):
            values[name] = _pair(f"--{name.removesuffix('_size')}", values[name])
    return kind(**values)


def _pair(option: str, value: Sizes) -> tuple[int, int]:
    """ "3", "3x5", 3 or (3, 5) as two numbers."""
    try:
        parts = (
            value.lower().replace("×", "x").split("x")
            if isinstance(value, str)
            else value
            if isinstance(value, Sequence)
            else [value]
        )
        sides = [int(part) for part in parts]
    except (TypeError, ValueError):
        sides = []
    least = 0 if option == "--padding" else 1
    if len(sides) not in (1, 2) or min(sides) < least:
        raise ArgumentError(f"{option} must be one or two sizes, got {value!r}: write 3 or 3x5.")
    return sides[0], sides[-1]
