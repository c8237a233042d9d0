"""What a remedy is: why a step failed in one sentence, and the change that mends it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

from striate.doctor.trace import Sizes, Step, Trace


@dataclass(frozen=True)
class Remedy:
    """``says``: what the failed step received and needed.

    The mended line is the constructor of ``step`` (None: the failed step; ``kind``: another layer's) with
    the arguments in ``change``, or ``built`` in its place; or the line of the forward that calls ``step``,
    with its input put into ``wrap``; or ``code``, where no such line is found. ``instead`` are other ways.
    """

    rule: str
    says: str
    change: Mapping[str, Any] = field(default_factory=dict)
    step: Step | None = None
    kind: str | None = None
    code: str | None = None
    wrap: str = ""
    """What the step's input must go through: "torch.flatten({}, 1)"."""
    summand: bool | None = None
    """Whether the second summand of an addition, not the first, must go through the new layer of ``code``."""
    built: str = ""
    """The call of another layer that takes the place of the one that built the step."""
    then: str = ""
    """What must follow, in one line."""
    instead: tuple[str, ...] = ()
    resize: bool = False
    """Whether another input size may mend it as well."""


def shape_before_flattening(trace: Trace, step: Step) -> Sizes | None:
    """The map (C, *sizes) that was flattened to make the input of ``step``."""
    for made in trace.behind(step.inputs[0]):
        if made.layer.kind.lower() in ("flatten", "view", "reshape") and made.inputs:
            return made.inputs[0].shape[1:]
        if made.layer.kind.startswith(("Linear", "Conv")):
            return None
    return None


def times(sizes: Sizes) -> str:
    """``"16 channels x 4 x 4"``."""
    rest = "".join(f" x {size}" for size in sizes[1:])
    return f"{sizes[0]} channels{rest}" if sizes else "1"


def per_image(shape: Sizes) -> int:
    """Values of one image."""
    return prod(shape[1:])


def axes_of(kind: str) -> int | None:
    """How many spatial axes a layer such as "Conv2d" works over; None where its name does not say."""
    return int(kind[-2]) if kind[-1:] == "d" and kind[-2:-1] in ("1", "2", "3") else None


def entry(value: Any, axis: int) -> Any:
    """An argument that is one number for all axes or one for each."""
    return value[axis] if isinstance(value, (tuple, list)) else value
