"""``striate models [NAME]``: the catalogue, or one network's card."""

from __future__ import annotations

from typing import Annotated

import typer

from striate.cli.answer import JsonOption, emit, next_steps, say, screen, table


def register(app: typer.Typer) -> None:
    app.command()(models)


def models(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="A network of the catalogue.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the networks that can be trained, or print the card of one."""
    from striate import api

    if name is not None:
        card = api.card(name).to_json()
        if as_json:
            emit(card)
            return
        width = max(len(key) for key in card)
        for key, value in card.items():
            say(f"{key.replace('_', ' '):<{width}}  {_text(value)}")
        next_steps((f"striate explain {name}", "every layer, every number derived"))
        return
    cards = [api.card(known).to_json() for known in api.list_models()]
    if as_json:
        emit(cards)
        return
    columns = [("name", "left"), ("year", "right"), ("parameters", "right"), ("multiply-adds", "right")]
    columns += [("image", "right"), ("what it brought", "left")]
    rows = [
        (
            card["name"],
            card["year"],
            f"{card['parameters']:,}",
            f"{card['multiply_adds']:,}",
            _text(card["image_size"]),
            card["summary"],
        )
        for card in cards
    ]
    screen().print(table("", columns, rows))
    next_steps((f"striate models {cards[0]['name']}", "the card of one"))


def _text(value: object) -> str:
    if isinstance(value, (list, tuple)):
        simple = all(isinstance(entry, int) for entry in value)
        return ("x" if simple else "; ").join(str(entry) for entry in value)
    return f"{value:,}" if isinstance(value, int) and value > 9999 else "-" if value is None else str(value)
