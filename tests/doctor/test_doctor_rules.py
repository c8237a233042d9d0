"""Every rule fires on its example and is silent on the one beside it; pages, the choice of rules."""

import re
from pathlib import Path

import pytest
from rule_examples import FIRES, PAIR, SILENT, head, network

from striate.doctor import RULES, Choice, configured, lint, page
from striate.doctor.rule import Hit, rule
from striate.errors import ArgumentError, UnknownNameError

every = pytest.mark.parametrize("name", sorted(RULES))


def test_a_rule_without_both_examples_fails() -> None:
    assert set(RULES) == set(FIRES) == set(SILENT)
    assert len(RULES) >= 25


@every
def test_it_fires_where_it_should_and_names_a_place_and_a_fix(name: str) -> None:
    found = list(lint(FIRES[name], Choice(frozenset({name}))))
    assert found
    places = {node.name for node in FIRES[name].graph} | {"extra"}
    for finding in found:
        assert finding.rule == name and finding.severity == RULES[name].severity
        assert finding.place in places and finding.message.endswith(".") and finding.fix
        assert finding.source is None or finding.source.startswith("net.py:")


@every
def test_it_is_silent_where_it_should_be(name: str) -> None:
    assert list(lint(SILENT[name], Choice(frozenset({name})))) == []


@every
def test_its_page_gives_reason_and_source(name: str) -> None:
    text = page(name)
    for part in (RULES[name].reason, RULES[name].source, RULES[name].severity, RULES[name].uses, "pyproject"):
        assert part in text
    assert re.search(r"textbook|\d{4}|PyTorch|the |max\(|oneDNN|IEEE|issue", RULES[name].source)


def test_no_rule_fires_on_everything_and_a_clean_network_has_no_warning() -> None:
    clean = network(*PAIR, *head(8), image=(3, 5, 5))
    assert [found.rule for found in lint(clean) if found.severity != "note"] == []


def test_rules_that_need_more_than_the_graph_say_so_and_are_silent_without() -> None:
    for name in ("frozen-batch-norm", "dead-channels", "weights-not-finite", "unused-parameters"):
        assert RULES[name].uses != "graph"
    bare = network(*PAIR)
    quiet = frozenset(name for name, found in RULES.items() if found.uses != "graph")
    assert list(lint(bare, Choice(quiet))) == []


def test_rules_and_families_are_switched_on_and_off_in_pyproject(tmp_path: Path) -> None:
    inside = tmp_path / "deep" / "inside"
    inside.mkdir(parents=True)
    file = tmp_path / "pyproject.toml"
    file.write_text('[tool.striate.check]\nselect = ["window", "dense-head"]\nignore = ["even-kernel"]\n')
    names = {found.name for found in configured(inside).rules()}
    assert "dense-head" in names and "checkerboard" in names
    assert not names & {"even-kernel", "vector-lanes"}
    file.write_text("[project]\nname = 'x'\n")
    assert {found.name for found in configured(inside).rules()} == set(RULES)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[tool.striate.check]\nselect = ["dense-heads"]', "did you mean dense-head"),
        ('[tool.striate.check]\nselect = "dense-head"', "select must be a list of rules"),
        ("[tool.striate.check]\nwarn = []", "must hold select and ignore, got 'warn'"),
        ("[tool.striate", "must be valid TOML"),
        ("[tool]\nstriate = 3", None),
    ],
)
def test_a_pyproject_that_is_wrong_is_said(tmp_path: Path, text: str, message: str | None) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    if message is None:
        assert configured(tmp_path).select is None
        return
    with pytest.raises((ArgumentError, UnknownNameError), match=re.escape(message)):
        configured(tmp_path)


def test_names_that_are_none_are_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean checkerboard"):
        page("checkerbord")
    with pytest.raises(ArgumentError, match="a name of its own"):
        rule("checkerboard", severity="note", title="", reason="", source="")(lambda _: [Hit(None, "", "")])
