"""``striate cache``: what is kept so that it need not be done again, how much, and how to be rid of it."""

from __future__ import annotations

from typing import Annotated

import typer

from striate.cli.answer import JsonOption, Side, count, emit, next_steps, say, screen, table
from striate.errors import command


def register(app: typer.Typer) -> None:
    app.command()(cache)


def cache(
    clear: Annotated[
        bool, typer.Option("--clear", help="Delete all of it. Nothing is lost but time.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List decoded images, facts about files and downloads that are kept; --clear deletes them.

    STRIATE_CACHE names another folder, STRIATE_CACHE_LIMIT the bytes that decoded images may take (20G, 0).
    """
    from striate import api

    found = api.cache(clear=clear)
    if as_json:
        emit(found.to_json())
        return
    if clear:
        say(f"deleted {count(len(found.entries), 'item')}, {_size(found.bytes)}")
        return
    say(f"{found.folder}: {_size(found.bytes)}; decoded images may take {_size(found.limit)}")
    if found.entries:
        columns: list[tuple[str, Side]] = [
            ("what", "left"),
            ("of", "left"),
            ("size", "right"),
            ("used", "left"),
        ]
        rows = [(entry.what, entry.source, _size(entry.bytes), entry.used) for entry in found.entries]
        screen().print(table("", columns, rows))
        next_steps((command("cache", "--clear"), "delete all of it"))


def _size(number: int) -> str:
    """``3.2 GiB``."""
    size = float(number)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
