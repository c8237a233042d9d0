"""Which kernel runs a stage. One recipe a kind of stage: the frames it demands, what it builds.

A stage that no recipe takes runs outside, in NumPy. Nothing here knows a network's name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.engine.compiled import Compiled
from striate.engine.layout import Frame, Layout
from striate.engine.stage import Stage
from striate.engine.target import Target
from striate.ops import Op

if TYPE_CHECKING:  # it brings LLVM along, which a stored program needs none of
    from striate.engine.kernels.kernel import Kernel

Layouts = Mapping[str, Layout]
NO_FRAME: Frame = (0, 0, 0, 0)


@dataclass(frozen=True)
class Settings:
    """``exact``: only kernels that compute the sum as it is written. ``threads``: who will share the work."""

    target: Target
    exact: bool = False
    threads: int = 1


@dataclass(frozen=True)
class Part:
    """A kernel and its buffers: names of values, arrays that stay, and memory it needs only now.

    ``memory``: operand -> size for one image; parts of a stage share it by the name in ``values``, or else by
    the operand's. ``wait``: what comes next reads what this part writes.
    """

    kernel: Kernel | Compiled
    values: Mapping[str, str]
    constants: Mapping[str, np.ndarray] = field(default_factory=dict)
    memory: Mapping[str, int] = field(default_factory=dict)
    wait: bool = True


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

    def build(self, layouts: Layouts) -> list[Part]:
        raise TypeError(f"{type(self).__name__} must build its parts.")


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
