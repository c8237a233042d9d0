"""torch.compile: the same names, the same end after a stop, and a sentence where it cannot be had."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import training_world as world
from torch import nn

from striate.errors import ArgumentError
from striate.training import compiler, device, events
from striate.training.checkpoint import load_newest
from striate.training.device import place
from striate.training.loop import FitResult, fit
from striate.training.machine import prepared
from striate.training.settings import TrainSettings

SETTINGS = replace(world.SETTINGS, epochs=2, compile=True)


def run(
    folder: Path, stop_at: int = -1, resume: bool = False, heard: list[Any] | None = None
) -> tuple[nn.Module, FitResult]:
    module = world.network()

    def listen(event: events.Event) -> None:
        if heard is not None:
            heard.append(event)
        if isinstance(event, events.EpochEnded) and event.epoch == stop_at:
            raise KeyboardInterrupt

    return module, fit(module, world.Blobs(), world.Blobs(2), SETTINGS, [listen], folder, resume=resume)


def compare(tmp_path: Path) -> None:
    """A whole run, and one that was stopped and resumed."""
    whole, _ = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", stop_at=2)
    parts, result = run(tmp_path / "parts", resume=True)
    assert result.steps == 2 * world.STEPS
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, parts.state_dict()[name]), name
    newest = load_newest(tmp_path / "whole")
    assert newest is not None and newest.placement["compiled"] is True
    assert {*newest.part("model")} == {*world.network().state_dict()}  # no _orig_mod


def test_names_and_resume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the compiler's front alone, which needs no C++ compiler and takes a second."""
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    monkeypatch.setattr(compiler, "missing", lambda device: None)
    compare(tmp_path)


@pytest.mark.long
def test_names_and_resume_with_the_whole_compiler(tmp_path: Path) -> None:
    assert compiler.missing("cpu") is None, "the long tier needs a C++ compiler"
    compare(tmp_path)


def test_without_a_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "missing", lambda device: "a C++ compiler (g++ or clang++)")
    heard: list[Any] = []
    run(tmp_path, heard=heard)
    said = [event.message for event in heard if isinstance(event, events.Warned)]
    assert said == [
        "torch.compile needs a C++ compiler (g++ or clang++), which is not here: the network is trained as "
        "it is."
    ]


def test_what_cannot_be_compiled_is_trained_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(module: nn.Module, **how: Any) -> Any:
        def call(*given: Any) -> None:
            raise RuntimeError("no such instruction\nand a page of C++")

        return call

    monkeypatch.setattr(torch, "compile", broken)
    monkeypatch.setattr(compiler, "missing", lambda device: None)
    heard: list[Any] = []
    _, result = run(tmp_path, heard=heard)
    assert result.steps == 2 * world.STEPS
    said = [event.message for event in heard if isinstance(event, events.Warned)]
    assert said == ["torch.compile cannot compile this network (no such instruction): it is trained without."]


def test_precisions_that_the_machine_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ArgumentError, match=r"got 'tf32', which takes a GPU of compute capability 8.0"):
        place(TrainSettings(precision="tf32", device="cpu"))
    monkeypatch.setattr(device, "has_bf16", lambda device: False)
    asked = TrainSettings(precision="bf16", device="cpu")
    (said,) = device.told(asked, place(asked))
    assert said.startswith("This processor has no bf16 and only imitates it")
    assert device.told(TrainSettings(), place(TrainSettings(device="cpu"))) == []


def test_tf32_is_the_trainings_own_and_put_back() -> None:
    flags = torch.backends.cuda.matmul, torch.backends.cudnn
    before = [part.allow_tf32 for part in flags]
    for precision in ("tf32", "fp32"):
        with prepared(device.Placement("cuda", precision, "contiguous", 1)):
            assert [part.allow_tf32 for part in flags] == [precision == "tf32"] * 2
    assert [part.allow_tf32 for part in flags] == before


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16"])
def test_replayed_steps_are_steps(precision: str, tmp_path: Path) -> None:
    """CUDA graphs give what the network itself gives, within the precision."""
    ends = []
    for compile in (False, True):
        settings = replace(world.SETTINGS, epochs=2, compile=compile, precision=precision, device="cuda")
        module = world.network()
        fit(module, world.Blobs(), None, settings, (), tmp_path / str(compile))
        ends.append(torch.cat([p.detach().float().flatten().cpu() for p in module.parameters()]))
    torch.testing.assert_close(ends[0], ends[1], rtol=0.1, atol=0.05)
