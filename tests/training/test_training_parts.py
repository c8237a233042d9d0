"""Evaluation, placement, monitors, the average, seeds and the history file, each by itself."""

from __future__ import annotations

import platform
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from striate.errors import ArgumentError, DataError
from striate.layers.auxiliary import Scores
from striate.runs import append_line, read_lines
from striate.training import device, machine
from striate.training.average import Average
from striate.training.device import Placement, has_bf16, place
from striate.training.evaluate import Evaluation, evaluate
from striate.training.events import EpochEnded, RunStarted
from striate.training.history import HistoryFile
from striate.training.machine import prepared
from striate.training.monitor import Units, all_finite, dead_share, watching
from striate.training.objective import Objective
from striate.training.optimiser import Optimiser
from striate.training.seeds import derive, seed_step
from striate.training.settings import TrainSettings
from striate.training.step import update

HERE = Placement("cpu", "bf16", "channels_last", 1)


# --- evaluation -----------------------------------------------------------------------------------


def test_evaluation_is_exact_for_any_batching() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(), nn.Flatten(), nn.Linear(64, 7)
    )
    module[2].eval()
    images, labels = torch.randn(23, 3, 6, 6), torch.randint(0, 7, (23,))
    whole = evaluate(module, [(images, labels)], HERE)
    parts = evaluate(module, zip(images.split(5), labels.split(5), strict=True), HERE)
    np.testing.assert_allclose(parts.logits, whole.logits, atol=1e-6)
    assert whole.images == 23 and whole.logits.dtype == np.float32
    assert [part.training for part in module.modules()] == [True, True, True, False, True, True]
    module.eval()
    with torch.no_grad():
        expected = module(images)
    np.testing.assert_allclose(whole.logits, expected, atol=1e-6)
    assert whole.loss == pytest.approx(F.cross_entropy(expected, labels).item(), abs=1e-6)
    assert whole.accuracy == pytest.approx((expected.argmax(1) == labels).float().mean().item())
    np.testing.assert_allclose(whole.probabilities, expected.softmax(1), atol=1e-6)
    top5 = (expected.topk(5).indices == labels[:, None]).any(1).float().mean().item()
    assert whole.top5 == pytest.approx(top5)


def test_a_mirrored_evaluation_is_the_mean_of_two_passes() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Flatten(), nn.Linear(12, 3)).eval()
    images, labels = torch.randn(9, 1, 3, 4), torch.randint(0, 3, (9,))
    batches = list(zip(images.split(5), labels.split(5), strict=True))
    found = evaluate(module, batches, HERE, mirror=True)
    alone = evaluate(module, batches, HERE)
    mirrored = evaluate(module, [(x.flip(3), y) for x, y in batches], HERE)
    np.testing.assert_allclose(found.logits, (alone.logits + mirrored.logits) / 2, atol=1e-6)
    one = found.of_one_pass()
    assert one is not None and alone.of_one_pass() is None
    np.testing.assert_array_equal(one.logits, alone.logits)


def test_ties_and_few_classes() -> None:
    equal = Evaluation(np.zeros((7, 7), np.float32), np.arange(7))
    assert equal.accuracy == pytest.approx(1 / 7)
    assert equal.top5 == pytest.approx(5 / 7)
    assert Evaluation(np.zeros((2, 3), np.float32), np.array([0, 2])).top5 == 1.0


def test_large_logits_give_probabilities() -> None:
    huge = Evaluation(np.array([[1000.0, 0.0]], np.float32), np.array([0]))
    assert huge.probabilities.tolist() == [[1.0, 0.0]]


def test_nothing_to_evaluate() -> None:
    with pytest.raises(DataError, match="There are no images to evaluate"):
        evaluate(nn.Flatten(), [], HERE)


# --- the step --------------------------------------------------------------------------------------


def test_auxiliary_heads_add_to_the_loss_and_not_to_the_answer() -> None:
    class TwoHeads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.early, self.late = nn.Linear(4, 3), nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor | Scores:
            return Scores(self.late(x), (self.early(x),), 0.3) if self.training else self.late(x)

    torch.manual_seed(1)
    module, settings = TwoHeads(), TrainSettings(label_smoothing=0.1)
    images, labels = torch.randn(8, 4), torch.randint(0, 3, (8,))
    late, early = module.late(images).detach(), module.early(images).detach()
    losses = [F.cross_entropy(logits, labels, label_smoothing=0.1).item() for logits in (late, early)]
    plain, asked = Placement("cpu", "fp32", "contiguous", 1), Objective(label_smoothing=0.1)
    before = module.early.weight.detach().clone()
    loss, right = update(module, Optimiser(module, settings), images, labels, 0.01, settings, plain, asked)
    assert loss.item() == pytest.approx(losses[0] + 0.3 * losses[1])
    assert right.item() == (late.argmax(1) == labels).sum()
    assert not torch.equal(module.early.weight, before)


# --- placement ------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_last_reaches_the_convolution(channels: int) -> None:
    """With one channel the strides must say so by themselves, or the output falls back to NCHW."""
    images = HERE.lay_out(torch.randn(2, channels, 8, 8))
    assert images.shape == (2, channels, 8, 8)
    assert images.stride(1) == 1 and images.stride(3) == channels
    answer = nn.Conv2d(channels, 4, 3)(images)
    assert answer.is_contiguous(memory_format=torch.channels_last)


def test_lay_out_changes_no_value() -> None:
    images = torch.randn(2, 1, 5, 7)
    assert torch.equal(HERE.lay_out(images), images)
    plain = Placement("cpu", "fp32", "contiguous", 1)
    assert plain.lay_out(images.bfloat16()).dtype == torch.float32
    assert plain.lay_out(images) is images


def test_sequences_have_no_channels_last() -> None:
    module = HERE.move(nn.Conv1d(2, 3, 3))
    assert module(HERE.lay_out(torch.randn(2, 2, 9))).shape == (2, 3, 7)


@pytest.mark.parametrize(("bf16", "amx", "expected"), [(1, 0, "bf16"), (0, 1, "bf16"), (0, 0, "fp32")])
def test_precision_follows_the_chip(
    bf16: int, amx: int, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: bool(bf16), raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: bool(amx), raising=False)
    assert place(TrainSettings(device="cpu")).precision == expected
    assert place(TrainSettings(device="cpu", precision="fp32")).precision == "fp32"


def test_a_torch_that_cannot_say_computes_in_fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported", raising=False)
    monkeypatch.delattr(torch.cpu, "_is_amx_tile_supported", raising=False)
    assert not has_bf16("cpu")


def test_cuda_asked_for_and_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(
        ArgumentError, match="device must be one that is there, got 'cuda' and torch sees none"
    ):
        place(TrainSettings(device="cuda"))
    assert place(TrainSettings()).device == "cpu"


def test_threads_are_those_asked_for_or_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    assert place(TrainSettings(threads=3)).threads == 3
    monkeypatch.setattr(device, "_THREADS_OF_TORCH", 1)
    assert place(TrainSettings()).threads == 1


def test_the_machine_in_words() -> None:
    told = machine.describe()
    assert set(told) == {"system", "processor", "cores", "memory_gib", "gpu", "python", "torch"}
    assert told["cores"] >= 1 and told["processor"]


def test_the_allocator_is_tuned_only_where_it_is_glibcs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.keep_freed_memory() is (platform.libc_ver()[0] == "glibc")
    monkeypatch.setattr(machine.platform, "libc_ver", lambda: ("", ""))
    assert machine.keep_freed_memory() is False


# --- monitors -------------------------------------------------------------------------------------


class EveryWay(nn.Module):
    """Five ReLUs, written in five ways; the third is dead in one of two channels."""

    def __init__(self) -> None:
        super().__init__()
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.relu(x))
        x = F.relu(x - torch.tensor([0.0, 1e9]).view(1, 2, 1, 1))
        x = torch.relu(x).relu_()
        return x.flatten(1).mean(1)


def test_relus_are_seen_however_they_are_written() -> None:
    module = EveryWay()
    layers: list[Units] = []
    with watching(module, layers):
        module(torch.rand(3, 2, 4, 4) + 0.1)
    assert [(layer.place, layer.dead, layer.channels) for layer in layers] == [
        ("relu", 0, 2),
        ("relu, call 2", 0, 2),
        ("the network's own forward", 1, 2),
        ("the network's own forward, call 2", 1, 2),
        ("the network's own forward, call 3", 1, 2),
    ]
    assert dead_share(layers) == 3 / 10
    assert dead_share([]) is None
    assert not module._forward_hooks and not module.relu._forward_pre_hooks


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_and_statistics_must_be_numbers(value: float) -> None:
    module = nn.BatchNorm2d(3)
    assert all_finite(module) and all_finite(nn.Flatten())
    assert module.running_var is not None
    module.running_var[1] = value
    assert not all_finite(module)


# --- average, seeds, history ----------------------------------------------------------------------


def test_the_average_by_hand() -> None:
    module = nn.Linear(1, 1, bias=False)
    module.weight.data.fill_(0.0)
    average = Average(module, 0.15)
    module.weight.data.fill_(1.0)
    average.update(1)  # keeps 1/10
    module.weight.data.fill_(2.0)
    average.update(2)  # keeps 0.15, which is less than 2/11
    expected = 0.9 * 0.15 + 2.0 * 0.85
    with average.in_place():
        assert module.weight.item() == pytest.approx(expected)
    assert module.weight.item() == 2.0
    average.hand_over()
    assert module.weight.item() == pytest.approx(expected)


def test_draws_depend_on_the_step_alone() -> None:
    seed_step(1, 5)
    first = torch.rand(4)
    torch.rand(100)
    seed_step(1, 5)
    assert torch.equal(torch.rand(4), first)
    seed_step(1, 6)
    assert not torch.equal(torch.rand(4), first)
    assert derive(1, "a", 2) != derive(1, "a", 3) != derive(12, "a") and 0 <= derive(0) < 2**63


def test_history_forgets_epochs_that_the_checkpoint_does_not_know(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    listener = HistoryFile(path)
    begun = RunStarted(3, 10, 30, 0, 1, "cpu", "fp32", 1, None)
    listener(begun)
    for epoch in (1, 2):
        listener(EpochEnded(epoch, 10 * epoch, 0.1, 1.0, 0.5, None, None, 9.0, 0.0, 1.0))
    with path.open("a") as file:
        file.write('{"epoch": 3, "st')
    listener(RunStarted(3, 10, 30, 10, 1, "cpu", "fp32", 1, tmp_path, whole_epochs=1))
    assert [record["epoch"] for record in read_lines(path)] == [1]
    listener(RunStarted(3, 10, 30, 10, 1, "cpu", "fp32", 1, tmp_path, whole_epochs=0))
    assert read_lines(path) == [], "all steps of the epoch are in the checkpoint, its validation is not"
    append_line(path, {"epoch": 2, "step": 20})
    listener(begun)
    assert read_lines(path) == []


def test_the_process_computes_afterwards_as_it_did_before():
    """Flushed denormals would change other people's numbers in the same process."""
    placement = place(TrainSettings(threads=1, device="cpu"))
    tiny, threads = torch.tensor([1e-40]), torch.get_num_threads()
    with prepared(placement):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == threads
    assert (tiny * 0.5).item() > 0
