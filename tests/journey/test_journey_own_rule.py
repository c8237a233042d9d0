"""``striate.train`` with a network that has a rule of its own: the whole life, without gradients."""

import json

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_digits

import striate


def test_the_neocognitron_is_trained_by_its_own_rule(tmp_path, monkeypatch):
    digits = load_digits(n_class=3)
    for number, (pixels, label) in enumerate(zip(digits.images[:240], digits.target[:240], strict=True)):
        folder = tmp_path / "digits" / "abc"[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray((pixels * 15.9).astype(np.uint8)).save(folder / f"{number}.png")

    def backward(*_, **__):
        raise AssertionError("there are no gradients in this training")

    monkeypatch.setattr(torch.Tensor, "backward", backward)
    run = striate.train(
        tmp_path / "digits", model="neocognitron", image_size=16, run=tmp_path / "run", threads=1
    )
    history = [json.loads(line) for line in (run.path / "history.jsonl").read_text().splitlines()]
    assert [record["epoch"] for record in history] == [2]
    result = json.loads((run.path / "result.json").read_text())
    assert result["epochs"] == 2 and result["accuracy"] >= 0.85
    image = tmp_path / "digits" / "a" / "0.png"
    assert striate.predict(run.path, [image])[0].label == "a"
