"""Everything that can be chosen about a training, in one frozen value that is checked when it is made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from striate.errors import ArgumentError, nearest
from striate.training.limits import number, one_of, whole, yes_or_no

OptimiserName = Literal["adamw", "sgd", "muon", "lamb"]
ScheduleName = Literal["linear", "cosine", "one-cycle", "step"]
PrecisionName = Literal["auto", "fp32", "tf32", "bf16"]
LayoutName = Literal["auto", "contiguous", "channels_last"]
BalanceName = Literal["none", "loss", "sampler"]
ConvolutionName = Literal["auto", "torch"]
DeviceName = Literal["auto", "cpu", "cuda"]

MOST_THREADS = 1024  # each needs a stack, and with too many of them OpenMP ends the process without a word
MOST_SEED = 2**63 - 1  # what torch takes

# What each field must be; beside these, True or False. None is allowed where it is the default.
WHOLE: dict[str, dict[str, int]] = {
    "epochs": {"at_least": 1},
    "batch_size": {"at_least": 1},
    "seed": {"at_least": 0, "at_most": MOST_SEED},
    "threads": {"at_least": 1, "at_most": MOST_THREADS},
    "head_epochs": {"at_least": 0},
    "accumulate": {"at_least": 1},
    "patience": {"at_least": 1},
    "checkpoint_steps": {"at_least": 1},
    "checkpoints_kept": {"at_least": 2},
}
_SHARE: dict[str, float] = {"at_least": 0, "below": 1}
_UP_TO_ONE: dict[str, float] = {"at_least": 0, "at_most": 1}
NUMBERS: dict[str, dict[str, float]] = {
    "lr": {"above": 0},
    "weight_decay": {"at_least": 0},
    "momentum": _SHARE,
    "beta2": _SHARE,
    "label_smoothing": _SHARE,
    "warmup": _SHARE,
    "start_factor": _UP_TO_ONE,
    "end_factor": _UP_TO_ONE,
    "first_layer_lr": {"above": 0, "at_most": 1},
    "grad_clip": {"above": 0},
    "ema_decay": {"above": 0, "below": 1},
    "checkpoint_minutes": {"above": 0},
}
CHOICES: dict[str, Any] = {
    "optimiser": OptimiserName,
    "schedule": ScheduleName,
    "balance": BalanceName,
    "device": DeviceName,
    "precision": PrecisionName,
    "memory_format": LayoutName,
    "convolutions": ConvolutionName,
}

# Choices of where and when, not of what: a resumed run may change them and is still the same run.
NOT_PART_OF_THE_RESULT = (
    *("checkpoint_minutes", "checkpoint_steps", "checkpoints_kept"),
    *("device", "precision", "memory_format", "convolutions", "threads", "deterministic", "compile"),
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
    """How a gradient becomes a change: ``adamw`` (arXiv:1711.05101), ``sgd`` with Nesterov momentum, ``muon``
    (orthogonal changes of hidden layers, at AdamW's learning rate), ``lamb`` (for batches of thousands)."""

    lr: float = 0.01
    """Peak learning rate, reached at the end of the warm-up; change of a weight per unit of gradient."""

    weight_decay: float = 0.05
    """Share of a weight removed per step, times the learning rate; biases and normalisation are spared."""

    momentum: float = 0.9
    """Share of the running mean of gradients kept per step (AdamW's and LAMB's beta1)."""

    beta2: float = 0.98
    """Share of the running mean of squared gradients kept per step; ``sgd`` has none."""

    label_smoothing: float = 0.05
    """Probability spread evenly over all classes in the target, 0 to below 1 (arXiv:1512.00567)."""

    schedule: ScheduleName = "linear"
    """How the learning rate falls after the warm-up: straight, as half a cosine, as one cycle, or by tens."""

    warmup: float = 0.1
    """Share of all steps in which the learning rate rises, 0 to below 1."""

    start_factor: float = 0.2
    """Learning rate of the first step, as a share of the peak."""

    end_factor: float = 0.0
    """Learning rate after the last step, as a share of the peak."""

    drops: tuple[float, ...] = (0.5, 0.75)
    """With ``step``: after which shares of all steps the learning rate is divided by ten."""

    accumulate: int = 1
    """Parts in which the images of a step are computed one after another: large batches in little memory.
    Without batch norm the change is that of the whole batch."""

    patience: int | None = None
    """End after this many epochs without a better validation, and keep the weights of the best epoch;
    ``None`` keeps the last epoch's, which a rate that falls to zero makes the better choice."""

    grad_clip: float | None = None
    """Largest Euclidean norm of the whole gradient; ``None`` leaves it as it is."""

    ema_decay: float | None = None
    """Share of the running average of the weights kept per step, e.g. 0.99; ``None``: no average is kept.
    With an average, it is what is evaluated and what remains at the end."""

    freeze: str | None = None
    """Layers that keep their weights: names with commas between, "layer1,conv1", or "body" for all but the
    head. Their batch norms keep their statistics, and their dropout does nothing."""

    head_epochs: int = 0
    """Epochs at the beginning in which only the head learns; the rest of the network is frozen as above."""

    first_layer_lr: float = 1.0
    """Learning rate of the first layer as a share of the head's; between them it grows geometrically with
    depth (discriminative fine-tuning, arXiv:1801.06146)."""

    freeze_batch_norm: bool = False
    """Batch norms normalise by the statistics that they have and do not change them; their scale and shift
    learn. For weights that were learned on more images than there are now."""

    sync_bn: bool = False
    """Whether batch normalisation sees the whole batch when processes share it; else each its part."""

    balance: BalanceName = "none"
    """What makes rare classes heard: nothing, a weight in the ``loss``, or a ``sampler`` that shows them as
    often as frequent ones."""

    test_time_mirror: bool = False
    """Whether the finished network answers twice, to an image and to its mirror image, and gives the mean of
    the logits: often a little more accurate, at twice the time. Accuracy and temperature are measured so, and
    the bundle answers so. Only with training images that are mirrored; between epochs one pass is made."""

    seed: int = 0
    """All randomness of the training follows from this number: weights, order, augmentation, dropout."""

    device: DeviceName = "auto"
    """Where to compute; ``auto`` takes a CUDA device where there is one."""

    precision: PrecisionName = "auto"
    """Number format in convolutions and products; weights stay fp32. ``auto``: bf16 if the chip has it, else
    fp32; ``train`` takes fp32 on a CPU where there are depthwise convolutions. ``tf32`` (10 bits of mantissa)
    is for tensor cores, from compute capability 8.0."""

    memory_format: LayoutName = "auto"
    """Order of the axes in memory; ``auto`` is ``channels_last``."""

    convolutions: ConvolutionName = "auto"
    """Who computes convolutions on a CPU in fp32: ``auto`` takes kernels compiled for this network where
    these are known to be faster (processors with AVX2), ``torch`` leaves all to torch."""

    compile: bool = False
    """Whether torch.compile prepares the network for training, which takes about a minute before the first
    step; on a GPU steps are also recorded and replayed. Without a compiler it is trained as it is, and this
    is said."""

    deterministic: bool = False
    """Refuse operations of which torch has no form that gives the same bits every time. On a CPU, and in the
    networks of the catalogue, all have one, so that this changes nothing there but is checked."""

    threads: int | None = None
    """CPU threads; ``None`` takes the number of cores that this process may use."""

    checkpoint_minutes: float = 10.0
    """Longest time in minutes between two checkpoints; one is written at the end of each epoch anyway."""

    checkpoint_steps: int | None = None
    """Also write a checkpoint after every so many steps."""

    checkpoints_kept: int = 2
    """How many of the newest checkpoints are kept, beside the best: one to go on from, one in reserve."""

    def __post_init__(self) -> None:
        for field in fields(self):
            name, value = field.name, getattr(self, field.name)
            if value is None and field.default is None:
                continue
            if name in WHOLE:
                whole(name, value, **WHOLE[name])
            elif name in NUMBERS:
                number(name, value, field.default, **NUMBERS[name])
            elif name in CHOICES:
                one_of(name, value, get_args(CHOICES[name]))
            elif isinstance(field.default, bool):
                yes_or_no(name, value)
        if not isinstance(self.freeze, str | None):
            raise ArgumentError(
                f"freeze must be names with commas between, got {self.freeze!r}: give for example 'conv1'."
            )
        if not _rising_shares(self.drops):
            raise ArgumentError(
                f"drops must be shares of the training between 0 and 1, rising, got {self.drops!r}: give for "
                "example (0.5, 0.75)."
            )
        if self.head_epochs >= self.epochs:
            raise ArgumentError(
                f"head_epochs must be fewer than the epochs ({self.epochs}), got {self.head_epochs}: give "
                "fewer, or freeze='body' to train the head alone."
            )

    def to_json(self) -> dict[str, Any]:
        """A dict of JSON values, one per field."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> TrainSettings:
        """The settings in ``values``; a missing field keeps its default, an unknown one is refused."""
        known = [field.name for field in fields(cls)]
        for name in values:
            if name not in known:
                hint = nearest(name, known) or f"known are {', '.join(known)}."
                raise ArgumentError(f"A training has no setting {name!r}: {hint}")
        given: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in values.items()}
        return cls(**given)

    def what_decides(self) -> dict[str, Any]:
        """The fields that decide the result, without those that only say where and when to compute."""
        return {name: value for name, value in self.to_json().items() if name not in NOT_PART_OF_THE_RESULT}

    def fingerprint(self) -> str:
        """SHA-256 (hexadecimal) over the fields that decide the result."""
        return hashlib.sha256(json.dumps(self.what_decides(), sort_keys=True).encode()).hexdigest()


def _rising_shares(values: object) -> bool:
    if not isinstance(values, tuple) or not all(isinstance(value, float) for value in values):
        return False
    return all(0 < low < high for low, high in zip(values, (*values[1:], 1.0), strict=True))
