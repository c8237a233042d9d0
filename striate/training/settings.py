"""Everything that can be chosen about a training, in one frozen value that is checked when it is made."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from striate.errors import ArgumentError, nearest

OptimiserName = Literal["adamw", "sgd"]
ScheduleName = Literal["linear", "cosine", "one-cycle"]
PrecisionName = Literal["auto", "fp32", "bf16"]
LayoutName = Literal["auto", "contiguous", "channels_last"]
DeviceName = Literal["auto", "cpu", "cuda"]

MOST_THREADS = 1024  # each needs a stack, and with too many of them OpenMP ends the process without a word
MOST_SEED = 2**63 - 1  # what torch takes

# Choices of where and when, not of what: a resumed run may change them and is still the same run.
NOT_PART_OF_THE_RESULT = (
    *("checkpoint_minutes", "checkpoint_steps", "checkpoints_kept"),
    *("device", "precision", "memory_format", "threads"),
)


@dataclass(frozen=True)
class TrainSettings:
    """What a training is asked to do. Raises ArgumentError for a value that breaks its rule.

    Everything here stands in ``settings.json`` before the first step. The defaults suit small images;
    ``recipe.recipe`` gives the values for a set of images.
    """

    epochs: int = 12
    """How many times the network sees every training image."""

    batch_size: int = 128
    """Images in one step."""

    optimiser: OptimiserName = "adamw"
    """How a gradient becomes a change: ``adamw`` (arXiv:1711.05101) or ``sgd`` with Nesterov momentum."""

    lr: float = 0.01
    """Peak learning rate, reached at the end of the warm-up; change of a weight per unit of gradient."""

    weight_decay: float = 0.05
    """Share of a weight removed per step, times the learning rate; biases and normalisation are spared."""

    momentum: float = 0.9
    """Share of the running mean of gradients kept per step (AdamW's beta1)."""

    beta2: float = 0.98
    """Share of the running mean of squared gradients kept per step; used by ``adamw`` only."""

    label_smoothing: float = 0.05
    """Probability spread evenly over all classes in the target, 0 to below 1 (arXiv:1512.00567)."""

    schedule: ScheduleName = "linear"
    """How the learning rate falls after the warm-up: straight, as half a cosine, or as one cycle."""

    warmup: float = 0.1
    """Share of all steps in which the learning rate rises, 0 to below 1."""

    start_factor: float = 0.2
    """Learning rate of the first step, as a share of the peak."""

    end_factor: float = 0.0
    """Learning rate after the last step, as a share of the peak."""

    grad_clip: float | None = None
    """Largest Euclidean norm of the whole gradient; ``None`` leaves it as it is."""

    ema_decay: float | None = None
    """Share of the running average of the weights kept per step, e.g. 0.99; ``None``: no average is kept.
    With an average, it is what is evaluated and what remains at the end."""

    seed: int = 0
    """All randomness of the training follows from this number: weights, order, augmentation, dropout."""

    device: DeviceName = "auto"
    """Where to compute; ``auto`` takes a CUDA device where there is one."""

    precision: PrecisionName = "auto"
    """Number format in convolutions and products; weights stay fp32. ``auto``: bf16 if the chip has it."""

    memory_format: LayoutName = "auto"
    """Order of the axes in memory; ``auto`` is ``channels_last``."""

    threads: int | None = None
    """CPU threads; ``None`` takes the number of cores that this process may use."""

    checkpoint_minutes: float = 10.0
    """Longest time in minutes between two checkpoints; one is written at the end of each epoch anyway."""

    checkpoint_steps: int | None = None
    """Also write a checkpoint after every so many steps."""

    checkpoints_kept: int = 2
    """How many of the newest checkpoints are kept, beside the best: one to go on from, one in reserve."""

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            _whole(name, getattr(self, name), at_least=1)
        _whole("seed", self.seed, at_least=0, at_most=MOST_SEED)
        if self.threads is not None:
            _whole("threads", self.threads, at_least=1, at_most=MOST_THREADS)
        if self.checkpoint_steps is not None:
            _whole("checkpoint_steps", self.checkpoint_steps, at_least=1)
        _whole("checkpoints_kept", self.checkpoints_kept, at_least=2)
        _number("lr", self.lr, above=0)
        _number("weight_decay", self.weight_decay, at_least=0)
        _number("checkpoint_minutes", self.checkpoint_minutes, above=0)
        for name in ("momentum", "beta2", "label_smoothing", "warmup"):
            _number(name, getattr(self, name), at_least=0, below=1)
        for name in ("start_factor", "end_factor"):
            _number(name, getattr(self, name), at_least=0, at_most=1)
        if self.grad_clip is not None:
            _number("grad_clip", self.grad_clip, above=0)
        if self.ema_decay is not None:
            _number("ema_decay", self.ema_decay, above=0, below=1)
        _one_of("optimiser", self.optimiser, get_args(OptimiserName))
        _one_of("schedule", self.schedule, get_args(ScheduleName))
        _one_of("device", self.device, get_args(DeviceName))
        _one_of("precision", self.precision, get_args(PrecisionName))
        _one_of("memory_format", self.memory_format, get_args(LayoutName))

    def to_json(self) -> dict[str, Any]:
        """A dict of JSON values, one per field."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> TrainSettings:
        """The settings in ``values``; a missing field keeps its default, an unknown one is refused."""
        known = [field.name for field in fields(cls)]
        for name in values:
            if name not in known:
                hint = nearest(name, known) or f"known are {', '.join(known)}."
                raise ArgumentError(f"A training has no setting {name!r}: {hint}")
        return cls(**values)

    def what_decides(self) -> dict[str, Any]:
        """The fields that decide the result, without those that only say where and when to compute."""
        return {name: value for name, value in self.to_json().items() if name not in NOT_PART_OF_THE_RESULT}

    def fingerprint(self) -> str:
        """SHA-256 (hexadecimal) over the fields that decide the result."""
        return hashlib.sha256(json.dumps(self.what_decides(), sort_keys=True).encode()).hexdigest()


def _whole(name: str, value: object, *, at_least: int, at_most: int | None = None) -> None:
    if isinstance(value, int) and not isinstance(value, bool) and at_least <= value:
        if at_most is None or value <= at_most:
            return
        raise ArgumentError(
            f"{name} must be at most {at_most:,}, got {value}: give for example {name}={max(1, at_least)}."
        )
    raise ArgumentError(
        f"{name} must be a whole number of at least {at_least}, got {value!r}: "
        f"give for example {name}={max(1, at_least)}."
    )


def _number(
    name: str,
    value: object,
    *,
    above: float = -math.inf,
    at_least: float = -math.inf,
    below: float = math.inf,
    at_most: float = math.inf,
) -> None:
    """Refuse what is not a finite number inside the bounds, naming the bounds that matter."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if is_number and math.isfinite(value) and above < value < below and at_least <= value <= at_most:  # type: ignore[operator, arg-type]
        return
    bounds = {"above": above, "at least": at_least, "below": below, "at most": at_most}
    rule = " and ".join(f"{word} {bound:g}" for word, bound in bounds.items() if math.isfinite(bound))
    default = TrainSettings.__dataclass_fields__[name].default
    remedy = f"leave it out for {default}" if default is not None else "leave it out for none"
    raise ArgumentError(f"{name} must be a number {rule}, got {value!r}: {remedy}.")


def _one_of(name: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        hint = nearest(str(value), known)
        raise ArgumentError(
            f"{name} must be one of {', '.join(known)}, got {value!r}{': ' + hint if hint else '.'}"
        )
