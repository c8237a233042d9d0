"""What was run, on what, with which versions, and the commands that repeat it or go on from it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any

from striate.report.contents import Contents
from striate.runs import RunFolder


@dataclass(frozen=True)
class RepeatPart:
    """``command`` as it was typed, ``next_commands`` as (command, what it does), tables of (name, value)."""

    command: str | None
    next_commands: list[tuple[str, str]]
    tables: list[tuple[str, list[tuple[str, str]]]]


def repeat_part(run: Contents) -> RepeatPart:
    command = run.settings.get("command")
    result = run.result or {}
    versions = {
        "striate": run.settings.get("striate"),
        "seed": run.settings.get("settings", {}).get("seed"),
        "data fingerprint": (run.data or {}).get("fingerprint"),
    }
    machine = {**run.settings.get("machine", {}), **result.get("machine", {})}
    tables = {
        "Settings": run.settings.get("settings", {}),
        "Variation of training images": run.settings.get("augmentation", {}),
        "Network": run.settings.get("model", {}),
        "Version and seed": versions,
        "Device": run.settings.get("device", {}),
        "Machine": machine,
    }
    return RepeatPart(
        command=shlex.join(command) if isinstance(command, list) else command,
        next_commands=_next_commands(run),
        tables=[(title, rows) for title, values in tables.items() if (rows := _rows(values))],
    )


def _next_commands(run: Contents) -> list[tuple[str, str]]:
    folder = shlex.quote(str(run.path))
    if run.result is None:
        return [(f"striate train --resume {folder}", "go on where it stopped")]
    if run.is_crossed:
        return [
            (
                f"striate predict {folder} IMAGE.png",
                "what the mean of the networks sees on a picture of yours",
            ),
            (f"striate train --like {folder}", "train the one network with these choices, on all images"),
            (f"striate report {shlex.quote(str(RunFolder(run.path).fold(1).path))}", "the page of one fold"),
        ]
    return [
        (f"striate predict {folder} IMAGE.png", "what is on a picture of yours"),
        (f"striate evaluate {folder} DATA", "how good it is on other images"),
        (f"striate explain {folder}", "every size in the network, derived"),
    ]


def _rows(values: Any) -> list[tuple[str, str]]:
    """Names and values in words; what is not known is left out."""
    if not isinstance(values, dict):
        return [("", _plain(values))]
    return [(str(name).replace("_", " "), _plain(v)) for name, v in values.items() if v is not None]


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return " × ".join(_plain(item) for item in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(item)}" for name, item in value.items()) or "none"
    return str(value)
