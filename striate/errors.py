"""Every error that striate raises on purpose. This file imports nothing of ours.

A message is written for the person who made the request. It names the argument, the rule,
the value that broke it and the remedy, in that order:

    kernel_size must be at least 1 on every axis, got (3, 0): give a positive size for each axis.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from difflib import get_close_matches

INTERRUPTED = 130  # the exit code of a process that Ctrl-C ended, as shells count: 128 + SIGINT
VERDICT = "STRIATE_VERDICT"  # names the file that tells the launcher of several processes how the whole ended


class StriateError(Exception):
    """Base of all errors that are answers, not bugs.

    ``exit_code`` is what the command line returns: 1 "the answer is no", 2 "the request was wrong".
    """

    exit_code = 2
    silent = False
    """True where another process of the same training says it already."""
    apart = False
    """True where several processes had come together: until then all of them meet the same errors."""


class ArgumentError(StriateError, ValueError):
    """An argument breaks a rule of the thing it is an argument of."""


class ShapeError(StriateError, ValueError):
    """Sizes do not fit: a window larger than its input, channels that differ, a map that vanishes.

    ``layer`` is the name of the node at which it happens, where there is one.
    """

    def __init__(self, message: str, layer: str | None = None) -> None:
        super().__init__(message)
        self.layer = layer


class GraphError(StriateError, ValueError):
    """A graph contradicts itself: an unknown input, a name used twice, an unreadable file."""


class UnsupportedError(StriateError):
    """A reading of a word, or a word for an operation, does not exist: a stated refusal."""


class UnknownNameError(StriateError, KeyError):
    """A name that no registry holds; the message suggests the nearest ones."""

    def __str__(self) -> str:  # KeyError would print the repr of the message
        return str(self.args[0])


class DataError(StriateError):
    """The images, their folders or their classes cannot be used as they are."""


class ImageError(DataError):
    """One image cannot be decoded; the message names the file."""


class RunError(StriateError):
    """A run folder is missing, of another version, or does not fit the request."""


class CheckpointError(RunError):
    """A checkpoint cannot be written or read; the previous good one is untouched."""


class BundleError(StriateError):
    """A bundle folder is missing a file, or its files contradict each other."""


class TrainingError(StriateError):
    """Training cannot go on: a loss that is not a number, a network that does not fit the data."""

    exit_code = 1


class LeftAloneError(StriateError):
    """Another process of the same training has ended. ``speaks``: nobody else has said why."""

    exit_code = 1

    def __init__(self, speaks: bool) -> None:
        super().__init__(
            "Every process of a training must live until its end, and another one has ended: continue with "
            "striate train --resume RUN."
        )
        self.silent = not speaks


class MissingExtraError(StriateError, ImportError):
    """A part of striate needs packages of an extra that is not installed."""

    def __init__(self, what: str, package: str, extra: str) -> None:
        super().__init__(f'{what} needs the package {package}: pip install "striate[{extra}]".')


class WeightsWarning(UserWarning):
    """Weights were loaded, and something about it should be known: a fresh head, names of another library."""


def command(*words: object) -> str:
    """``striate`` and ``words`` as a line that can be typed: names with blanks or quotes stand in quotes."""
    return shlex.join(["striate", *map(str, words)])


def nearest(name: object, known: Iterable[str], count: int = 3) -> str:
    """``"did you mean resnet18, resnet34?"``, or an empty string when nothing is near."""
    close = get_close_matches(str(name), sorted(known), n=count, cutoff=0.6)
    return f"did you mean {', '.join(close)}?" if close else ""
