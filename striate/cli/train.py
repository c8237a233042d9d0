"""``striate train DATA``: a folder of images becomes a checked data set, a network, a report and a bundle."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from striate.cli import training_options as options
from striate.cli.answer import JsonOption, count, emit, next_steps, of_one_pass, say
from striate.errors import INTERRUPTED, ArgumentError, command

if TYPE_CHECKING:
    from striate.api import Run


def register(app: typer.Typer) -> None:
    app.command()(train)


def train(
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="[DATA]",
            help="Class folders, a train/val tree, a CSV, tar shards (or https://), .npz, IDX, a named set.",
        ),
    ] = None,
    model: Annotated[str, typer.Option(help="A name from striate models, or auto.")] = "auto",
    run: Annotated[
        Path | None, typer.Option(help="The new run folder (default: runs/<data>-<model>-<n>).")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Continue this run, bit for bit.")
    ] = None,
    like: Annotated[
        Path | None, typer.Option(metavar="RUN", help="With all that was chosen for this run.")
    ] = None,
    image_size: Annotated[
        str | None, typer.Option(metavar="ROWSxCOLUMNS", help="Size to bring images to.")
    ] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave unreadable images out.")] = False,
    task: options.TaskName = None,
    root: options.Root = None,
    weights: options.Weights = None,
    freeze: options.Freeze = None,
    head_epochs: options.HeadEpochs = None,
    first_layer_lr: options.FirstLayerLr = None,
    freeze_batch_norm: options.FreezeBatchNorm = None,
    activation: options.Activation = None,
    epochs: options.Epochs = None,
    budget: options.Budget = None,
    folds: options.Folds = None,
    batch_size: options.BatchSize = None,
    lr: options.Lr = None,
    optimiser: options.Optimiser = None,
    schedule: options.Schedule = None,
    warmup: options.Warmup = None,
    weight_decay: options.WeightDecay = None,
    label_smoothing: options.LabelSmoothing = None,
    grad_clip: options.GradClip = None,
    accumulate: options.Accumulate = None,
    ema_decay: options.EmaDecay = None,
    patience: options.Patience = None,
    test_time_mirror: options.TestTimeMirror = None,
    seed: options.Seed = None,
    precision: options.Precision = None,
    memory_format: options.MemoryFormat = None,
    convolutions: options.Convolutions = None,
    compile: options.Compile = None,
    tune: options.Tune = False,
    threads: options.Threads = None,
    deterministic: options.Deterministic = None,
    augment: options.Augment = None,
    mirror: options.Mirror = None,
    vary: options.Vary = None,
    balance: options.Balance = None,
    checkpoint_minutes: options.CheckpointMinutes = None,
    checkpoint_steps: options.CheckpointSteps = None,
    checkpoints_kept: options.CheckpointsKept = None,
    processes: options.Processes = None,
    max_restarts: options.MaxRestarts = None,
    sync_bn: options.SyncBn = None,
    as_json: JsonOption = False,
) -> None:
    """Train a network on images, and write a report and a bundle."""
    given = {name: value for name, value in locals().items() if value is not None}
    from striate import api
    from striate.cli.progress import TrainingProgress

    settings = {name: value for name, value in given.items() if name in options.settings()}
    if resume is not None:
        others: dict[str, object] = {
            "model": model != "auto",
            "run": run,
            "image_size": image_size,
            "skip_bad": skip_bad,
        }
        others |= {
            "weights": weights,
            "like": like,
            "budget": budget,
            "activation": activation,
            "folds": folds,
            "tune": tune,
        }
        others |= {"task": task, "root": root, "augment": augment, "vary": bool(vary)}
        others["mirror"] = mirror is not None
        _refuse_choices([*settings, *(name for name, chosen in others.items() if chosen)])
    if processes is not None or max_restarts is not None:
        sys.exit(_launch(processes if processes is not None else 1, max_restarts or 0))
    leads = os.environ.get("RANK", "0") == "0"  # of the processes of torchrun, the first one speaks
    with TrainingProgress(quiet=as_json or not leads) as progress:
        if resume is not None:
            finished = api.resume(resume, data, listeners=[progress])
        else:
            finished = api.train(
                data,
                model=model,
                run=run,
                like=like,
                budget=budget,
                folds=folds,
                tune=tune,
                image_size=image_size,
                skip_bad=skip_bad,
                task=task,
                root=root,
                weights=weights,
                activation=activation,
                augment=augment,
                augmentation=options.variations(mirror, vary or []) or None,
                listeners=[progress],
                **settings,
            )
    if not leads:
        return
    if not finished.finished:  # Ctrl-C: the run is saved, the progress has said how to continue
        if as_json:
            from striate.api.carrying import how_to_go_on
            from striate.runs import RunFolder

            emit(
                {
                    "run": str(finished.path),
                    "finished": False,
                    "next": how_to_go_on(RunFolder(finished.path)),
                }
            )
        sys.exit(INTERRUPTED)
    if as_json:
        emit(finished.to_json())
        return
    _say_result(finished)


def _launch(processes: int, max_restarts: int) -> int:
    """This command again, in several processes; the exit code of all."""
    from striate import api

    if "RANK" in os.environ:
        raise ArgumentError(
            "--processes and --max-restarts must be left out under torchrun, which has its own: use "
            "--nproc-per-node and --max-restarts before -m striate."
        )
    words, rest = [], iter(sys.argv[1:])
    for word in rest:
        name, given, _value = word.partition("=")
        if name in ("--processes", "--max-restarts"):
            if not given:
                next(rest)
        else:
            words.append(word)
    return api.launch(processes, max_restarts, words)


def _refuse_choices(given: Sequence[str]) -> None:
    """Raise ArgumentError where a resumed run is told what it settled at its beginning."""
    for name in given:
        raise ArgumentError(
            f"--{name.replace('_', '-')} must be left out with --resume, a run keeps what it began with: "
            "leave it out, or start a new run."
        )


def _say_folds(run: Run) -> None:
    result = run.result
    name, what = ("mean_average_precision", "mean average precision")
    if result.get(name) is None:
        name, what = "accuracy", "accuracy"
    for fold in result["folds"]:
        say(f"{fold['run']}: {what} {fold[name]:.2%} on {count(fold['images'], 'image')} it held out")
    say(
        f"{what} {result[name]:.2%}, standard deviation {result[f'{name}_spread']:.2%}, over "
        f"{count(len(result['folds']), 'fold')} ({count(result['images'], 'image')}, each answered once)"
    )
    if (test := result.get("test")) is not None:
        alone = test["folds"]
        say(
            f"{what} {test[name]:.2%} of the mean of the networks on "
            f"{count(test['images'], 'test image')}, {sum(alone) / len(alone):.2%} of one alone (their mean)"
        )
    say(f"report:  {run.path / 'report.html'}")
    say(f"bundle:  {run.path / 'bundle'} (the mean of the networks, in the time of all of them)")
    next_steps(
        (command("report", run.path, "--open"), "look at it"),
        (command("predict", run.path, run.sample), "ask the mean of the networks about an image"),
        (command("train", "--like", run.path), "train the one network, on all images"),
    )


def _say_result(run: Run) -> None:
    result = run.result
    if "folds" in result:
        _say_folds(run)
        return
    on = f"{count(result['images'], 'image')} of the {result['split']} split"
    took = (
        f"{count(result['epochs'], 'epoch')} in {result['seconds']:.{0 if result['seconds'] > 9 else 1}f} s"
    )
    measured = f"accuracy {result['accuracy']:.2%}"
    if result.get("mean_average_precision") is not None:
        measured = f"mean average precision {result['mean_average_precision']:.3f}"
    say(f"{measured} on {on}, {took}")
    if (alone := result.get("one_pass")) is not None:
        say(of_one_pass(alone["accuracy"], several=result.get("mean_average_precision") is not None))
    say(f"report:  {run.path / 'report.html'}")
    say(f"bundle:  {run.path / 'bundle'}")
    next_steps(
        (command("report", run.path, "--open"), "look at it"),
        (command("predict", run.path, run.sample), "ask it about an image"),
        (command("explain", run.path), "every layer, every number derived"),
    )
