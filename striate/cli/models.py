"""``striate models [NAME]``: the catalogue, or one network's card."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from striate.cli.answer import JsonOption, Side, emit, next_steps, say, screen, table
from striate.errors import ArgumentError

SORTS = {
    "year": ("year", "name"),
    "name": ("name",),
    "parameters": ("parameters",),
    "multiply-adds": ("multiply_adds",),
    "top1": ("top1",),
}


def register(app: typer.Typer) -> None:
    app.command()(models)


def models(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="A network of the catalogue.")] = None,
    like: Annotated[str, typer.Option(help="Only names, titles and authors that contain this.")] = "",
    since: Annotated[int | None, typer.Option(help="Only networks of this year or later.")] = None,
    most_parameters: Annotated[
        float | None, typer.Option("--max-parameters", help="Only networks with at most this many millions.")
    ] = None,
    sort: Annotated[str, typer.Option(help=f"One of {', '.join(SORTS)}.")] = "year",
    as_json: JsonOption = False,
) -> None:
    """List the networks that can be trained, or print the card of one."""
    from striate import api

    if name is not None:
        _one(name, as_json)
        return
    if sort not in SORTS:
        raise ArgumentError(f"--sort must be one of {', '.join(SORTS)}, got {sort!r}: choose one of these.")
    cards = [api.card(known).to_json() for known in api.list_models()]
    cards = [card for card in cards if _wanted(card, like, since, most_parameters)]
    cards.sort(key=lambda card: tuple(card[key] or 0 for key in SORTS[sort]))
    if as_json:
        emit(cards)
        return
    if not cards:
        say("No network of the catalogue is like that.")
        next_steps(("striate models", "all of them"))
        return
    _list(cards)
    next_steps((f"striate models {cards[0]['name']}", "the card of one"))


def _wanted(card: dict[str, Any], like: str, since: int | None, most: float | None) -> bool:
    text = " ".join(str(card[key]) for key in ("name", "title", "authors", "paper")).lower()
    return (
        like.lower() in text
        and (since is None or card["year"] >= since)
        and (most is None or card["parameters"] <= most * 1e6)
    )


def _list(cards: Sequence[dict[str, Any]]) -> None:
    columns: list[tuple[str, Side]] = [
        ("name", "left"),
        ("year", "right"),
        ("parameters", "right"),
        ("multiply-adds", "right"),
    ]
    columns += [("image", "right"), ("top-1", "right"), ("what it brought", "left")]
    rows = [
        (
            card["name"],
            card["year"],
            f"{card['parameters']:,}",
            f"{card['multiply_adds']:,}",
            _text(card["image_size"]),
            _text(card["top1"]),
            card["summary"],
        )
        for card in cards
    ]
    screen().print(table("", columns, rows))


def _one(name: str, as_json: bool) -> None:
    from striate import api

    card = api.card(name).to_json() | {"smallest_image": api.minimum_size(name)}
    if as_json:
        emit(card)
        return
    width = max(len(key) for key in card)
    for key, value in card.items():
        first, *others = _lines(value)
        say(f"{key.replace('_', ' '):<{width}}  {first}")
        for line in others:
            say(f"{'':<{width}}  {line}")
    next_steps((f"striate explain {name}", "every layer, every number derived"))


def _lines(value: object) -> Sequence[str]:
    """What stands on the card under one heading, one sentence a line."""
    if isinstance(value, dict):
        return [f"{key}: {why}" for key, why in value.items()] or ["-"]
    if isinstance(value, (list, tuple)) and not all(isinstance(entry, int) for entry in value):
        return [str(entry) for entry in value]
    return [_text(value)]


def _text(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return "x".join(str(entry) for entry in value) or "-"
    return f"{value:,}" if isinstance(value, int) and value > 9999 else "-" if value is None else str(value)
