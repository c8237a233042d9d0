"""report.html of a finished run: well-formed, complete, self-contained, the same each time."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from page_reader import Page

import striate
from striate.errors import MissingExtraError, RunError
from striate.report import write_report
from striate.report.wording import percent
from striate.runs import RunFolder, read_json, write_json


def written(run: RunFolder) -> str:
    path = write_report(run.path)
    assert path == run.path / "report.html"
    return path.read_text(encoding="utf-8")


def test_the_page_tells_what_the_files_say(run: RunFolder) -> None:
    page = Page(written(run))
    result, mistakes = read_json(run.result), read_json(run.insight / "mistakes.json")
    assert percent(result["accuracy"]) in page.text
    assert f"{round(400 * result['accuracy'])} of 400 test images" in page.text
    assert "1 min 21 s" in page.text
    assert "lenet5" in page.text
    assert "parameters 11,926" in page.text  # 6*1*5*5 + 6, and 10*6*14*14 + 10
    assert "floor((28 - 5 + 2*2) / 1) + 1" in page.text
    assert "striate train photos --epochs 4 --seed 7" in page.text
    assert "striate predict runs/try-1 IMAGE.png" in page.text
    assert "A Processor" in page.text
    assert "0123abcd" in page.text
    assert "Hidden folder .thumbnails was left out." in page.text
    assert "What is missing" not in page.text
    for row in mistakes["per_class"]:
        assert f"{row['class']} {percent(row['recall'])} {percent(row['precision'])}" in page.text
    pictures = [given for tag, given in page.tags if tag == "img" and given["alt"].startswith("test/")]
    assert [given["alt"] for given in pictures] == [
        row["key"] for row in mistakes["worst"] + mistakes["doubtful"]
    ]
    assert sum(tag == "svg" for tag, _ in page.tags) == 4
    assert "training 82.5%" in page.text
    assert "12,346" in page.text


def test_what_the_data_would_mislead_about_is_told_with_its_files(run: RunFolder) -> None:
    message = "Nearly the same picture lies in more than one split, so that accuracy looks too good: 9 pairs."
    files = [f"train/{k}.png ~ val/<{k}>.jpg" for k in range(9)]
    finding = {
        "severity": "warning",
        "rule": "near-duplicates-across-splits",
        "message": message,
        "files": files,
    }
    write_json(run.data, {**read_json(run.data), "findings": [finding]})
    page = Page(written(run))
    assert page.text.count(message) == 2  # as advice, and where the data is told about
    assert files[7] in page.text and files[8] not in page.text


def test_each_cell_of_the_matrix_is_a_sentence(run: RunFolder) -> None:
    page = Page(written(run))
    counts = read_json(run.insight / "mistakes.json")["confusion"]
    tips = [given["title"] for tag, given in page.tags if tag == "td" and "title" in given]
    assert len(tips) == 100
    assert tips[0] == f"{counts[0][0]} of 40 images of class 0 were called so ({percent(counts[0][0] / 40)})"
    assert tips[1].startswith(f"{counts[0][1]} of 40 images of class 0 were taken for class 1 (")


def test_the_page_loads_nothing(run: RunFolder) -> None:
    html = written(run)
    page = Page(html)
    assert all(load.startswith(("#", "data:image/png;base64,")) for load in page.loads)
    assert any(load.startswith("data:") for load in page.loads)
    assert not re.search(r"@import|url\((?!#)|//[a-z]", " ".join(page.styles + page.scripts))
    assert "http:" not in html
    assert "https:" not in html


def test_only_our_script_may_run(run: RunFolder) -> None:
    page = Page(written(run))
    [policy] = [given["content"] for tag, given in page.tags if given.get("http-equiv")]
    [script] = page.scripts
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert f"script-src 'sha256-{digest}';" in policy


def test_ids_are_unique_and_drawings_follow_the_page(run: RunFolder) -> None:
    html = written(run)
    page = Page(html)
    assert len(page.ids) == len(set(page.ids))
    drawings = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
    assert not re.search(r"#0[1-5]0[1-5]0[1-5]|DejaVu|<metadata", html)
    assert all("var(--one)" in drawing and "aria-label" in drawing for drawing in drawings)
    for reference in re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', html):
        assert "".join(reference) in page.ids


def test_equal_files_give_an_equal_page(run: RunFolder) -> None:
    assert written(run) == written(run)


@pytest.mark.parametrize("classes", [2, 5, 30, 31, 100])
def test_any_number_of_classes(tmp_path: Path, make_run, classes: int) -> None:
    run = make_run(tmp_path / "run", tuple(f"class {k}" for k in range(classes)), size=4)
    page = Page(written(run))
    cells = [given for tag, given in page.tags if tag == "td" and "title" in given]
    assert len(cells) == (classes**2 if classes <= 30 else 0)
    assert "Most often confused" in page.text
    assert f"class {classes - 1}" in page.text
    assert ("right within five guesses" in page.text) == (classes > 5)


def test_ten_classes_of_photographs_stay_below_three_megabytes(tmp_path: Path, make_run) -> None:
    run = make_run(tmp_path / "run", size=128, channels=3)  # noise: no picture compresses worse
    html = written(run)
    Page(html)
    assert len(html) < 3_000_000
    assert "Colours are the weights of red, green and blue" in html


def test_the_page_is_written_without_slow_libraries(run: RunFolder) -> None:
    code = (
        "import sys, pathlib; from striate.report import write_report; "
        "write_report(pathlib.Path(sys.argv[1])); sys.exit(bool({'torch', 'matplotlib'} & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(striate.__file__).parents[1])}
    subprocess.run([sys.executable, "-c", code, str(run.path)], check=True, env=environment)


def test_a_missing_package_is_named_and_the_old_page_stays(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.report.write_text("the old page")
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(
        MissingExtraError, match=r'A report needs the package jinja2: pip install "striate\[train\]"'
    ):
        write_report(run.path)
    assert run.report.read_text() == "the old page"


def test_what_is_not_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"has no settings\.json"):
        write_report(tmp_path)
    with pytest.raises(RunError, match="does not exist"):
        write_report(tmp_path / "nothing")
    assert list(tmp_path.iterdir()) == []
