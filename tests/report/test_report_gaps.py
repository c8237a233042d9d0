"""Runs that are unfinished, half copied, edited, or named by somebody with bad intent."""

from __future__ import annotations

from pathlib import Path

import pytest
from page_reader import Page

from striate.report import write_report
from striate.runs import RunFolder, read_json, write_json

FILES = {
    "result.json": "the run is not finished",
    "data.json": "nothing about the images it was trained on",
    "history.jsonl": "no curves",
    "network.json": "no table of layers",
    "insight/mistakes.json": "no confusion matrix, classes or pictures",
    "insight/filters.json": "no picture of the first layer",
}
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


def page_of(run: RunFolder) -> Page:
    return Page(write_report(run.path).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_missing_is_said_to_be(run: RunFolder, name: str) -> None:
    (run.path / name).unlink()
    page = page_of(run)
    assert "What is missing from this page" in page.text
    assert FILES[name] in page.text
    assert sum(other in page.text for other in FILES.values()) == 1


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"classes": 3, "accuracy": "high"}', "\n5\n6"])
@pytest.mark.parametrize("name", FILES)
def test_a_file_of_another_form_is_named_and_the_rest_is_shown(
    run: RunFolder, name: str, content: str
) -> None:
    (run.path / name).write_text(content)
    page = page_of(run)
    assert "What is missing from this page" in page.text
    assert name in page.text
    assert "How to repeat it" in page.text


def test_the_gap_names_the_file_at_fault_and_no_other(run: RunFolder) -> None:
    data = read_json(run.data)
    del data["splits"]["train"]["per_class"]
    write_json(run.data, data)
    page = page_of(run)
    assert "data.json has another form than this striate writes (KeyError: 'per_class')" in page.text
    assert "mistakes.json" not in page.text
    assert "Most often confused" in page.text


def test_only_settings_are_needed(run: RunFolder) -> None:
    for name in FILES:
        (run.path / name).unlink()
    page = page_of(run)
    assert all(sentence in page.text for sentence in FILES.values())
    assert "not yet" in page.text
    assert "0 epochs of 4 done" in page.text
    assert "striate train --resume runs/try-1" in page.text


def test_an_unfinished_run_shows_how_far_it_is_and_how_to_go_on(run: RunFolder) -> None:
    run.result.unlink()
    run.history.write_text(
        "".join(run.history.read_text().splitlines(keepends=True)[:3]) + '{"epoch": 4, "st'
    )
    page = page_of(run)
    assert "3 epochs of 4 done" in page.text
    assert "78.0%" in page.text  # 0.88 - 0.3 / 3
    assert "striate train --resume runs/try-1" in page.text
    assert "striate predict" not in page.text


def test_a_run_without_validation_says_so(run: RunFolder) -> None:
    text = run.history.read_text()
    for epoch in range(1, 5):
        text = text.replace(f'"val_loss": {1.7 / epoch}', '"val_loss": null')
        text = text.replace(f'"val_accuracy": {0.88 - 0.3 / epoch}', '"val_accuracy": null')
    run.history.write_text(text)
    page = page_of(run)
    assert "There is no validation split" in page.text
    assert "validation 7" not in page.text


def test_names_from_outside_are_text_and_never_markup(tmp_path: Path, make_run) -> None:
    run = make_run(tmp_path / "<b>run", (EVIL, "bee", f"{EVIL}2"), size=4)
    settings, data, mistakes = (
        read_json(path) for path in (run.settings, run.data, run.insight / "mistakes.json")
    )
    settings["command"] = settings["settings"][EVIL] = settings["model"]["name"] = EVIL
    data["notes"], data["source"] = [EVIL], EVIL
    mistakes["worst"][0]["key"] = mistakes["split"] = EVIL
    write_json(run.settings, settings)
    write_json(run.data, data)
    write_json(run.insight / "mistakes.json", mistakes)
    page = page_of(run)
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert not any(name.startswith("on") for _, given in page.tags for name in given)
    assert all(given["src"].startswith("data:") for tag, given in page.tags if tag == "img")
    assert page.text.count(EVIL) > 10
    assert "<b>run" in page.text
    assert EVIL in [given["alt"] for tag, given in page.tags if tag == "img"]


@pytest.mark.parametrize("place", ["mistakes", "filters"])
def test_a_picture_from_elsewhere_is_not_loaded(run: RunFolder, place: str) -> None:
    path = run.insight / f"{place}.json"
    content = read_json(path)
    elsewhere = "https://example.org/p.png"
    if place == "mistakes":
        content["worst"][0]["thumbnail"] = elsewhere
    else:
        content["tiles"][0] = elsewhere
    write_json(path, content)
    page = page_of(run)
    assert f"insight/{place}.json has another form" in page.text
    assert elsewhere not in page.loads


def test_a_network_without_mistakes_says_that_there_are_none(run: RunFolder) -> None:
    path = run.insight / "mistakes.json"
    content = read_json(path)
    diagonal = [[40 * (i == j) for j in range(10)] for i in range(10)]
    content.update(worst=[], wrong=0, confused=[], confusion=diagonal)
    write_json(path, content)
    page = page_of(run)
    assert "There are none: every image was answered rightly." in page.text
    assert "Most often confused" not in page.text
