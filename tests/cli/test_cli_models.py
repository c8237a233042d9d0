"""``striate models``: the catalogue filtered and sorted, and one network's card."""

import json

from typer.testing import CliRunner

from striate.cli import app
from striate.models import list_models


def answer(*arguments: str):
    return CliRunner().invoke(app, ["models", *arguments], env={"COLUMNS": "200"})


def names(*arguments: str) -> list[str]:
    return [card["name"] for card in json.loads(answer(*arguments, "--json").output)]


def test_all_networks_stand_there_in_the_order_of_their_years() -> None:
    cards = json.loads(answer("--json").output)
    assert sorted(card["name"] for card in cards) == list_models()
    assert [card["year"] for card in cards] == sorted(card["year"] for card in cards)
    assert cards[0]["name"] == "simple_complex_cells" and cards[1]["name"] == "neocognitron"


def test_filters_and_order() -> None:
    assert names("--like", "LENET-", "--sort", "parameters") == ["lenet1", "lenet4", "lenet5_1998", "lenet5"]
    small = names("--since", "2019", "--max-parameters", "3", "--sort", "multiply-adds")
    assert small and "mobilenet_v3_small" in small and "mobilenet_v3_large" not in small
    assert "No network of the catalogue is like that." in answer("--like", "no such thing").output


def test_a_card_says_one_thing_a_line() -> None:
    lines = answer("lenet5_1998").output.splitlines()
    (deliberate,) = (line.split("  ", 1)[1].strip() for line in lines if line.startswith("deliberate"))
    assert deliberate == "saturating-activation: Scaled tanh, as published (appendix A)."
    first = next(index for index, line in enumerate(lines) if line.startswith("notes"))
    assert lines[first + 1].startswith("   ") and lines[first + 1].strip().startswith("The scores are")
    assert any(line.startswith("smallest image") and line.split()[-1] == "12" for line in lines)


def test_a_card_as_json() -> None:
    card = json.loads(answer("lenet5_1998", "--json").output)
    assert card["parameters"] == 60_000 and card["smallest_image"] == 12
    assert card["deliberate"] == {"saturating-activation": "Scaled tanh, as published (appendix A)."}
