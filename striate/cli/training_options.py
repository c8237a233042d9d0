"""The options of ``striate train`` that are settings of a training, in the groups in which --help shows them.

What is not given is None: the recipe, or the run that is named by --like, chooses it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

from striate.errors import ArgumentError

STARTING = "Starting from weights (fine-tuning)"
VARYING = "Varying and balancing images"
LEARNING = "Learning"
MACHINE = "Machine"
MANY = "Several processes (also: torchrun --nproc-per-node N -m striate train ...)"
SAFETY = "Not losing work (a checkpoint is written after every epoch)"


def settings() -> set[str]:
    """Names of the options that are fields of ``TrainSettings``."""
    from striate.training.settings import TrainSettings

    return {field.name for field in fields(TrainSettings)}


def variations(mirror: bool | None, vary: Sequence[str]) -> dict[str, Any]:
    """The fields of the augmentation that were given. Raises ArgumentError for what is no NAME=VALUE."""
    fields: dict[str, Any] = {} if mirror is None else {"flip": mirror}
    for text in vary:
        name, equals, value = text.partition("=")
        try:
            fields[name.strip()] = json.loads(f"[{value}]") if "," in value else json.loads(value)
        except ValueError:
            equals = ""
        if not equals or not name.strip():
            raise ArgumentError(
                f"--vary must be NAME=VALUE, got {text!r}: write for example erase=8 or scale_crop=0.35,1."
            )
    return fields


TaskName = Annotated[
    str | None,
    typer.Option("--task", help="classes, labels (several an image), binary (default: what DATA shows)."),
]
Root = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="Where the paths of a CSV begin (default: there).")
]
Augment = Annotated[
    str | None,
    typer.Option(help="none, few, some, many (default: by images a class).", rich_help_panel=VARYING),
]
Mirror = Annotated[
    bool | None,
    typer.Option("--mirror/--no-mirror", help="Left may become right.", rich_help_panel=VARYING),
]
Vary = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=VALUE", help="One variation: erase=8, mixup=0.2 ...", rich_help_panel=VARYING),
]
Balance = Annotated[
    str | None,
    typer.Option(help="none, loss or sampler: how rare classes are heard.", rich_help_panel=VARYING),
]
Weights = Annotated[
    str | None,
    typer.Option(
        metavar="WHERE",
        help="Start from these: a file, a folder as timm publishes it, hf-hub:timm/NAME, a run, pretrained.",
        rich_help_panel=STARTING,
    ),
]
Freeze = Annotated[
    str | None,
    typer.Option(
        metavar="LAYERS", help="Layers that stay as they are: names, or body for all but the head.",
        rich_help_panel=STARTING,
    ),
]  # fmt: skip
HeadEpochs = Annotated[
    int | None, typer.Option(help="Epochs in which the head learns alone.", rich_help_panel=STARTING)
]
FirstLayerLr = Annotated[
    float | None,
    typer.Option(
        help="Learning rate of the first layer, as a share of the head's.", rich_help_panel=STARTING
    ),
]
FreezeBatchNorm = Annotated[
    bool | None,
    typer.Option(
        "--freeze-batch-norm/--learn-batch-norm",
        help="Whether batch norms keep their statistics.",
        rich_help_panel=STARTING,
    ),
]
Activation = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="Of the hidden layers: leaky_relu, gelu ... (default: the network's own).",
        rich_help_panel=LEARNING,
    ),
]  # fmt: skip
Epochs = Annotated[int | None, typer.Option(help="Passes over the images.", rich_help_panel=LEARNING)]
Budget = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="As many epochs as fit: 90s, 10m, 1h30m.", rich_help_panel=LEARNING),
]
Folds = Annotated[
    int | None,
    typer.Option(
        metavar="K", help="Cross-validation: K trainings, each holding another part out.",
        rich_help_panel=LEARNING,
    ),
]  # fmt: skip
BatchSize = Annotated[int | None, typer.Option(help="Images a step.", rich_help_panel=LEARNING)]
Lr = Annotated[float | None, typer.Option(help="Highest learning rate.", rich_help_panel=LEARNING)]
Optimiser = Annotated[
    str | None, typer.Option(help="adamw, sgd (Nesterov), muon or lamb.", rich_help_panel=LEARNING)
]
Schedule = Annotated[
    str | None, typer.Option(help="linear, cosine, one-cycle or step.", rich_help_panel=LEARNING)
]
Warmup = Annotated[
    float | None, typer.Option(help="Share of all steps in which the rate rises.", rich_help_panel=LEARNING)
]
WeightDecay = Annotated[float | None, typer.Option(help="Decoupled weight decay.", rich_help_panel=LEARNING)]
LabelSmoothing = Annotated[
    float | None, typer.Option(help="Share of the target spread over all classes.", rich_help_panel=LEARNING)
]
GradClip = Annotated[
    float | None, typer.Option(help="Largest norm of the whole gradient.", rich_help_panel=LEARNING)
]
Accumulate = Annotated[
    int | None,
    typer.Option(help="Parts in which a batch is computed, to save memory.", rich_help_panel=LEARNING),
]
EmaDecay = Annotated[
    float | None,
    typer.Option(help="End with an average of the weights, e.g. 0.99.", rich_help_panel=LEARNING),
]
Patience = Annotated[
    int | None,
    typer.Option(
        help="Stop after so many epochs without a better validation; keep the best.", rich_help_panel=LEARNING
    ),
]
TestTimeMirror = Annotated[
    bool | None,
    typer.Option(
        "--test-time-mirror/--no-test-time-mirror",
        help="Answer as the mean over an image and its mirror image, in twice the time.",
        rich_help_panel=LEARNING,
    ),
]
Seed = Annotated[int | None, typer.Option(help="All randomness follows from it.", rich_help_panel=LEARNING)]
Precision = Annotated[str | None, typer.Option(help="auto, fp32, tf32 or bf16.", rich_help_panel=MACHINE)]
MemoryFormat = Annotated[
    str | None, typer.Option(help="auto, channels_last or contiguous.", rich_help_panel=MACHINE)
]
Convolutions = Annotated[
    str | None,
    typer.Option(help="auto (compiled for this network where faster) or torch.", rich_help_panel=MACHINE),
]
Compile = Annotated[
    bool | None,
    typer.Option("--compile/--no-compile", help="torch.compile the training step.", rich_help_panel=MACHINE),
]
Tune = Annotated[
    bool, typer.Option("--tune", help="Measure these first, and take the fastest.", rich_help_panel=MACHINE)
]
Deterministic = Annotated[
    bool | None,
    typer.Option("--deterministic", help="Refuse what may give other bits.", rich_help_panel=MACHINE),
]
Threads = Annotated[int | None, typer.Option(help="Threads (default: all cores).", rich_help_panel=MACHINE)]
CheckpointMinutes = Annotated[
    float | None, typer.Option(help="Longest time between checkpoints (default: 10).", rich_help_panel=SAFETY)
]
CheckpointSteps = Annotated[
    int | None, typer.Option(help="A checkpoint after every so many steps, too.", rich_help_panel=SAFETY)
]
CheckpointsKept = Annotated[
    int | None, typer.Option(help="How many stay, beside the best (default: 2).", rich_help_panel=SAFETY)
]
Processes = Annotated[
    int | None,
    typer.Option(help="Train in so many processes of this machine (torchrun).", rich_help_panel=MANY),
]
MaxRestarts = Annotated[
    int | None,
    typer.Option(
        help="How often to start them again, from the last checkpoint, after one was killed.",
        rich_help_panel=MANY,
    ),
]
SyncBn = Annotated[
    bool | None,
    typer.Option("--sync-bn", help="Batch norm sees the batch of all of them.", rich_help_panel=MANY),
]
