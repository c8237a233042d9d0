"""Which kernel runs a stage. One recipe a kind of stage: the frames it demands, the forms it knows.

A stage that no recipe takes runs outside, in NumPy. Nothing here knows a network's name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from striate.engine.compiled import Compiled
from striate.engine.layout import Frame, Layout
from striate.engine.scaling import Scaling
from striate.engine.stage import Stage
from striate.engine.target import Target
from striate.ops import Op

if TYPE_CHECKING:  # it brings LLVM along, which a stored program needs none of
    from striate.engine.kernels.kernel import Kernel

Layouts = Mapping[str, Layout]
NO_FRAME: Frame = (0, 0, 0, 0)


@dataclass(frozen=True)
class Settings:
    """``exact``: only kernels that compute the sum as it is written. ``threads``: who will share the work.

    ``tuner``: measures a stage's forms; None: the cost model decides. ``precision``: "bf16": weights may be
    stored so, and maps rounded to it if the processor multiplies such numbers, where that is faster.
    ``scaling``: images may come as bytes, which it makes the input of; None: they may not.
    """

    target: Target
    exact: bool = False
    threads: int = 1
    tuner: Tuner | None = None
    precision: str = "fp32"
    scaling: Scaling | None = None

    @property
    def dots(self) -> bool:
        """Whether products of bf16 are wanted, and the machine has them."""
        return self.precision == "bf16" and self.target.dots


@dataclass(frozen=True)
class Part:
    """A kernel and its buffers: names of values, arrays that stay, and memory it needs only now.

    ``memory``: operand -> size for one image; parts of a stage share it by the name in ``values``, or else by
    the operand's. ``wait``: what comes next reads what this part writes. ``cycles``: what the cost model
    expects, 0 where it has no opinion. ``why``: how it was chosen; empty where there was no choice.
    """

    kernel: Kernel | Compiled
    values: Mapping[str, str]
    constants: Mapping[str, np.ndarray] = field(default_factory=dict)
    memory: Mapping[str, int] = field(default_factory=dict)
    wait: bool = True
    cycles: float = 0.0
    why: str = ""


@dataclass(frozen=True)
class Form:
    """One way to run a stage. ``parts``: without constants; ``packs`` gives those of each part."""

    parts: tuple[Part, ...]
    packs: tuple[Callable[[], Mapping[str, np.ndarray]], ...]

    @property
    def name(self) -> str:
        """Says all that its machine code depends on."""
        return "+".join(part.kernel.symbol for part in self.parts)

    def build(self, why: str) -> list[Part]:
        return [
            replace(part, constants=pack(), why=why)
            for part, pack in zip(self.parts, self.packs, strict=True)
        ]


class Tuner(Protocol):
    """Who knows from measurement which form of a stage is the fastest."""

    def prepare(self, stages: Sequence[Sequence[Form]]) -> None:
        """Learn at once what will be asked: code is made together."""

    def best(self, forms: Sequence[Form]) -> int:
        """The number of the fastest form."""


class Recipe:
    """Base: how a stage becomes parts."""

    def __init__(self, stage: Stage, settings: Settings) -> None:
        self.stage, self.settings = stage, settings
        self.planar = False  # whether an input of very few channels may arrive in planar order

    @classmethod
    def takes(cls, stage: Stage) -> bool:
        """Whether this recipe is right for any stage with this word."""
        return True

    def frame(self, root: str, layout: Layout) -> Frame:
        """The frame that input ``root`` must have."""
        return NO_FRAME

    def forms(self, layouts: Layouts) -> list[Form]:
        """All ways that are worth a measurement, the cost model's choice first; empty: there is no choice."""
        return []

    def build(self, layouts: Layouts) -> list[Part]:
        """The parts of the chosen form."""
        forms, tuner = self.forms(layouts), self.settings.tuner
        if not forms:
            raise TypeError(f"{type(self).__name__} must build its parts, or say which forms it knows.")
        if len(forms) == 1:
            return forms[0].build("")
        if tuner is None:
            return forms[0].build(f"model, of {len(forms)}")
        return forms[tuner.best(forms)].build(f"measured, of {len(forms)}")


RECIPES: dict[type[Op], type[Recipe]] = {}


def recipe(*words: type[Any]) -> Callable[[type[Recipe]], type[Recipe]]:
    """Enter a recipe for these words."""

    def enter(cls: type[Recipe]) -> type[Recipe]:
        RECIPES.update(dict.fromkeys(words, cls))
        return cls

    return enter


def accepts(stage: Stage) -> bool:
    found = RECIPES.get(type(stage.op))
    return found is not None and found.takes(stage)


def choose(stage: Stage, settings: Settings) -> Recipe:
    return RECIPES[type(stage.op)](stage, settings)
