"""``striate explain`` beyond a network's table: other counters, activations, one window, why convolution."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from striate.api import illustration
from striate.cli import app
from striate.errors import ArgumentError, StriateError


def explained(line: str) -> str:
    result = CliRunner().invoke(app, ["explain", *shlex.split(line)])
    if result.exception is not None:
        raise result.exception
    return result.stdout


def test_against() -> None:
    text = explained("lenet5 --against")
    assert "torchinfo 423,038 +6,518 61,706 -" in " ".join(text.split())
    assert "+6,518  additions of the bias" in text
    assert json.loads(explained("lenet5 --against --json"))["ours"]["multiply_adds"] == 416_520


def test_activations(tmp_path: Path) -> None:
    assert explained("--activation relu").startswith("relu: max(0, x).")
    gelu, silu = json.loads(explained("--activation gelu,silu --json"))
    assert (gelu["name"], silu["name"]) == ("gelu", "silu")
    figure = tmp_path / "six.svg"
    assert f"written: {figure}" in explained(f"--activation textbook --out {figure}")
    assert ">leaky_relu</text>" in figure.read_text(encoding="utf-8")


def test_one_window(tmp_path: Path) -> None:
    text = explained("--conv 5x5 --kernel 3 --stride 2 --padding 1")
    assert "floor((5 - 3 + 2*1) / 2) + 1" in text and "gives 1x3x3" in text
    page = tmp_path / "walk.html"
    explained(f"--conv 4x6 --pool avg --kernel 2x3 --no-count-include-pad --out {page}")
    assert "AvgPool2d(kernel_size=(2, 3), count_include_pad=False) on 1x4x6 gives 1x2x2" in page.read_text()
    colour = "--conv 5x5 --channels 3 --filters 2 --no-bias --padding same --json"
    walk = json.loads(explained(colour))
    assert walk["title"] == "Conv2d(3, 2, kernel_size=3, padding='same', bias=False) on 3x5x5 gives 2x5x5"
    assert len(walk["steps"]) == 50
    pooled = json.loads(explained("--conv 5x5 --pool max --channels 2 --ceil-mode --json"))
    assert len(pooled["picture"]) == 2


def test_why_counted() -> None:
    text = explained("--why --epochs 0")
    assert "2,073,600,000" in text and "9,000" in text
    answer = json.loads(explained("--why --epochs 0 --input 3x8x8 --units 2 --kernel 5 --json"))
    assert answer["connections"]["ways"][0]["weights"] == 384
    assert answer["weight_sharing"] is None


def test_why_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    from striate.data import catalogue
    from striate.data.dataset import ImageSet

    whole = catalogue.open_dataset

    def few(source: object) -> object:
        from dataclasses import replace

        def first(images: ImageSet) -> ImageSet:
            return replace(
                images, keys=images.keys[:256], labels=images.labels[:256], images=images.images[:256]
            )

        dataset = whole(None)
        return replace(dataset, train=first(dataset.train), test=first(dataset.test), val=None)

    monkeypatch.setattr(catalogue, "open_dataset", few)
    assert "256 images of fashion-mini, epochs: 1, seed: 3" in explained("--why --epochs 1 --seed 3")


WRONG = [
    ("", "must be given one of MODEL, --activation, --conv, --why, got none"),
    ("lenet5 --why", "got MODEL and --why: choose one"),
    ("lenet5 --kernel 3", "--kernel must be left out with MODEL, got 3"),
    ("lenet5 --out a.svg", "--out must be left out with MODEL"),
    ("--activation relu --layer x", "--layer must be left out with --activation"),
    ("--why --pool max", "--pool must be left out with --why"),
    ("--why --kernel 3x5", "--kernel must be one number for --why"),
    ("--why --epochs -1", "epochs must be 0 or more"),
    ("--why --input 8x8", "input must be channels x rows x columns"),
    ("--activation gelo", "did you mean gelu"),
    ("--activation relu --out a.jpg", "--out must end in .svg, .png, .html"),
    ("--conv five", "--conv must be one or two sizes, got 'five'"),
    ("--conv 5x5 --pool mean", "--pool must be one of max, min, avg, got 'mean'"),
    ("--conv 5x5 --pool max --groups 2", "groups must be left out for --pool max, got 2"),
    ("--conv 5x5 --ceil-mode", "ceil_mode must be left out for a convolution"),
    ("--conv 5x5 --padding -1", "--padding must be one or two sizes"),
    ("--conv 5x5 --kernel 9", "kernel_size must fit into the padded input"),
    ("--conv 5x5 --padding same --stride 2", "padding must be a number where stride is over 1"),
    ("--conv 5x5 --out a.png", "--out must end in .html or .gif for --conv"),
    ("net.onnx --against", "net.onnx must be an existing ONNX file"),
]


@pytest.mark.parametrize(("line", "message"), WRONG, ids=[line or "nothing" for line, _ in WRONG])
def test_a_wrong_request_is_a_sentence(line: str, message: str) -> None:
    with pytest.raises(StriateError) as caught:
        explained(line)
    assert message in str(caught.value)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    folder = tmp_path / "walk.html"
    folder.mkdir()
    with pytest.raises(ArgumentError, match="--out must be a file"):
        illustration.draw(illustration.walk("4x4"), folder)
    assert folder.is_dir()
