"""Convolutions by our own kernels are torch's, and have the same bits every time."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from striate.engine.target import LEVELS, host, usable
from striate.training import kernels
from striate.training.convolution import _kernels, own_convolutions
from striate.training.device import Placement, place
from striate.training.settings import TrainSettings

HERE = Placement("cpu", "fp32", "channels_last", 1, own_convolutions=True)
LARGEST_ERROR = 1e-5  # relative, in the Euclidean norm; torch's own are near 3e-7


@pytest.fixture(autouse=True)
def level(monkeypatch):
    """As on a processor on which they pay: those with AVX-512 can do what those with AVX2 can."""
    if kernels.level() is None:
        kernels.functions.cache_clear()
        paying = LEVELS[kernels.LEVEL] if kernels.LEVEL in usable() else host()
        monkeypatch.setattr(kernels, "level", lambda: paying)


def _gradients(layer: nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    """The answer, and the gradients of the input and of all parameters."""
    answer = layer(x)
    weights = torch.linspace(-1, 1, answer.numel(), dtype=x.dtype).view_as(answer)
    return [answer.detach(), *torch.autograd.grad((answer * weights).sum(), [x, *layer.parameters()])]


def _is_ours(answer: torch.Tensor) -> bool:
    return "_Convolution" in type(answer.grad_fn).__name__


LAST, PLANES = torch.channels_last, torch.contiguous_format


@pytest.mark.parametrize(
    ("shape", "out", "padding", "bias", "layout"),
    [
        ((8, 32, 7, 7), 64, 1, False, LAST),
        ((2, 16, 29, 18), 48, 1, True, PLANES),  # no whole tiles
        ((3, 32, 14, 13), 16, 0, True, LAST),
        ((12, 16, 9, 3), 32, (2, 1), False, PLANES),
        ((1, 16, 56, 56), 8, 1, True, LAST),  # one image
        ((33, 16, 3, 3), 24, 1, True, LAST),  # whole maps, and not a whole number of units
        ((32, 48, 3, 5), 40, 1, False, LAST),  # maps smaller than a tile, an odd number of vectors
    ],
)
def test_values_and_gradients_are_the_definitions(shape, out, padding, bias, layout):
    torch.manual_seed(0)
    layer = nn.Conv2d(shape[1], out, 3, padding=padding, bias=bias).to(memory_format=layout)
    x = torch.randn(shape).to(memory_format=layout).requires_grad_()
    wanted = _gradients(copy.deepcopy(layer).double(), x.detach().double().requires_grad_())
    with own_convolutions(nn.Sequential(layer), HERE):
        assert _is_ours(layer(x))
        found, again = _gradients(layer, x), _gradients(layer, x)
        with torch.no_grad():
            assert torch.equal(layer(x), found[0])
    assert "_conv_forward" not in vars(layer) and not _is_ours(layer(x))
    for ours, same, exact in zip(found, again, wanted, strict=True):
        assert torch.equal(ours, same)
        assert ours.shape == exact.shape
        assert float((ours - exact).norm() / exact.norm()) < LARGEST_ERROR


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Conv2d(32, 40, 3, 2, 1, bias=False), (16, 32, 56, 56)),
        (nn.Conv2d(3, 64, 7, 2, 3), (16, 3, 63, 64)),
        (nn.Conv2d(52, 48, (5, 3), (2, 1), (2, 0), bias=False), (9, 52, 29, 40)),
    ],
)
@pytest.mark.parametrize("layout", [LAST, PLANES])
def test_gradients_of_weights_are_torchs_where_the_rest_is(layer, shape, layout):
    torch.manual_seed(0)
    layer = layer.to(memory_format=layout)
    x = torch.randn(shape).to(memory_format=layout).requires_grad_()
    wanted = _gradients(layer, x)
    with own_convolutions(layer, HERE):
        assert _is_ours(layer(x))
        found = _gradients(layer, x)
    for ours, theirs in zip(found, wanted, strict=True):
        assert ours.stride() == theirs.stride()
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5 * float(theirs.abs().max()))


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Conv2d(30, 32, 3, padding=1), (8, 30, 28, 28)),  # no whole vectors of channels
        (nn.Conv2d(32, 32, 3, padding=1), (1, 32, 7, 7)),  # few tiles, and no whole vectors of images
        (nn.Conv2d(16, 16, 3, padding=1), (128, 16, 2, 2)),
        (nn.Conv2d(16, 16, 3, padding=3), (128, 16, 9, 9)),
        (nn.Conv2d(32, 32, 3, padding="same"), (8, 32, 7, 7)),
        (nn.Conv2d(32, 32, 3, padding=1, padding_mode="reflect"), (8, 32, 7, 7)),
        (nn.Conv2d(32, 32, 3, padding=2, dilation=2), (8, 32, 7, 7)),
        (nn.Conv2d(64, 64, 3, padding=1, groups=2), (8, 64, 7, 7)),
        (nn.Conv2d(64, 64, 1), (8, 64, 7, 7)),
        (nn.Conv2d(64, 64, 3, padding=1), (0, 64, 7, 7)),
        (nn.Conv2d(64, 64, 3, padding=1), (64, 7, 7)),  # without an axis of images
        (nn.Conv2d(64, 64, 3, padding=1).double(), (8, 64, 7, 7)),
    ],
)
def test_others_are_left_alone(layer, shape):
    with own_convolutions(layer, HERE):
        assert not _is_ours(layer(torch.randn(shape, dtype=layer.weight.dtype)))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((8, 16, 14, 14), "16 channels"),
        ((8, 64, 14, 14), "64 channels"),
        ((8, 32, 0, 14), "Kernel size"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_by_torch(shape, message):
    layer = nn.Conv2d(32, 64, 3)
    with own_convolutions(layer, HERE), pytest.raises(RuntimeError, match=message):
        layer(torch.randn(shape, requires_grad=True))


def test_threads_change_no_bit():
    layer, x = nn.Conv2d(32, 64, 3, padding=1, bias=False), torch.randn(32, 32, 7, 7, requires_grad=True)
    threads = torch.get_num_threads()
    found = []
    try:
        with own_convolutions(layer, HERE):
            for count in (1, 2, 3):
                torch.set_num_threads(count)
                found.append(_gradients(layer, x))
    finally:
        torch.set_num_threads(threads)
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


def test_frozen_weights_autocast_and_copies():
    module, x = nn.Sequential(nn.Conv2d(32, 64, 3, padding=1)), torch.randn(8, 32, 7, 7)
    with own_convolutions(module, HERE):
        module.requires_grad_(False)
        assert module(x).grad_fn is None
        answer = module(x.requires_grad_())
        assert _is_ours(answer)
        answer.sum().backward()
        assert module[0].weight.grad is None and x.grad is not None
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert module(x).dtype == torch.bfloat16
        copied = copy.deepcopy(module)
        assert _is_ours(copied(x))
    assert not _is_ours(copied(x)) and not _is_ours(module(x))


def test_a_second_derivative_is_refused():
    layer, x = nn.Conv2d(32, 64, 3, padding=1), torch.randn(8, 32, 7, 7, requires_grad=True)
    with own_convolutions(layer, HERE):
        (first,) = torch.autograd.grad(layer(x).square().sum(), x, create_graph=True)
        with pytest.raises(RuntimeError, match="once_differentiable"):
            first.sum().backward()


def test_who_computes_is_a_setting(monkeypatch):
    monkeypatch.setattr("striate.training.compiler.missing", lambda device: None)
    fp32 = {"precision": "fp32", "device": "cpu"}
    assert place(TrainSettings(**fp32)).own_convolutions
    for other in ({"convolutions": "torch"}, {"compile": True}, {"precision": "bf16"}):
        placement = place(TrainSettings(**(fp32 | other)))
        assert not placement.own_convolutions
        layer = nn.Conv2d(32, 32, 3, padding=1)
        with own_convolutions(layer, placement):
            assert "_conv_forward" not in vars(layer)


def test_other_processors_are_left_to_torch(monkeypatch):
    monkeypatch.undo()
    kernels.level.cache_clear()
    for capability in ("DEFAULT", "AVX512"):
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda found=capability: found)
        kernels.level.cache_clear()
        assert kernels.level() is None
    monkeypatch.setenv("STRIATE_TARGET", "nothing")
    kernels.level.cache_clear()
    assert kernels.level() is None
    kernels.level.cache_clear()


def test_kernels_are_compiled_together_and_this_is_said_once(tmp_path, monkeypatch):
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path))
    kernels.functions.cache_clear()  # as in a new process
    module, x = nn.Sequential(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU()), torch.randn(8, 32, 7, 7)
    heard = []
    with own_convolutions(module, HERE) as own:
        own.tell = heard.append
        own.prepare(x)
        own.prepare(x)
        missing = kernels.functions().missing
        wanted = _kernels(module[0], tuple(x.shape))
        assert len(wanted) == 5 and not missing(
            wanted
        )  # of two sums a kernel and its weights', of one a kernel
        before = dict(kernels.functions()._addresses)
        module(x.requires_grad_()).sum().backward()
        assert kernels.functions()._addresses == before
    assert heard == [5]
