"""What is raced, as files that every process reads: the network in two forms, images, the right answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.api.stages import Listener, stage
from striate.errors import ArgumentError, UnsupportedError

if TYPE_CHECKING:
    from torch import nn

    from striate.graph import Graph, Weights

NETWORK, STATE = "network", "module.safetensors"


@dataclass(frozen=True)
class Entered:
    """``network``: what we load. ``module``: whether ``build`` makes a torch module of ``model``."""

    model: str
    network: str
    module: bool
    sizes: tuple[int, ...]
    batches: tuple[int, ...]
    multiply_adds: int


def prepare(
    model: str,
    size: str | Sequence[int] | None,
    batches: Sequence[int],
    folder: Path,
    listeners: Sequence[Listener],
) -> Entered:
    """Write all files of a race into ``folder``. Raises as ``striate.api.subject.subject`` does."""
    from striate.api.prediction import bundle_of
    from striate.bundle import Bundle, read_bundle, write_bundle
    from striate.export import with_batch, write_onnx
    from striate.graph.fold import fold_batch_norm

    done = stage(listeners, "preparing")
    done(0, 3)
    weights: Weights
    network, is_file = folder / NETWORK, model.lower().endswith(".onnx")
    if is_file:
        from striate.onnx import read_onnx

        network = Path(model).resolve()
        graph, weights = read_onnx(network, _sizes(size))
    elif Path(model).is_dir():
        network = bundle_of(Path(model)).resolve()
        bundle = read_bundle(network)
        if bundle.mirror or bundle.precision != "fp32":  # engines race over single passes, in float32
            network = folder / NETWORK
            write_bundle(network, replace(bundle, mirror=False, precision="fp32"))
        graph, weights = bundle.graph, bundle.weights
        if size is not None:
            raise ArgumentError(f"input must be left out for a bundle, it has its own, got {size!r}.")
    else:
        graph, weights = _captured(model, _sizes(size), folder)
        write_bundle(network, Bundle(graph, weights, (), {}, {}))
    done(1, 3)
    sizes = _fixed(graph, model)
    rng = np.random.default_rng(0)
    for batch in batches:
        images = rng.standard_normal((batch, *sizes)).astype(np.float32)
        np.save(folder / f"images-{batch}.npy", images)
        if is_file:
            with_batch(model, folder / f"batch-{batch}.onnx", batch)
        else:
            write_onnx(folder / f"batch-{batch}.onnx", graph, weights, batch=batch)
        rows = images[[0, -1]] if batch > 1 else images
        folded = fold_batch_norm(graph, weights)
        np.save(folder / f"expected-{batch}.npy", _defined(*folded, rows))
    done(3, 3)
    module = not is_file and builder(model, sizes, folder) is not None
    return Entered(model, str(network), module, sizes, tuple(batches), _multiply_adds(graph))


def builder(model: str, sizes: Sequence[int], folder: Path) -> Callable[[], nn.Module] | None:
    """What builds the torch module of MODEL, with the weights of the race; None: nothing can."""
    from importlib.util import find_spec

    if find_spec("torch") is None or model.lower().endswith(".onnx"):
        return None
    if not Path(model).is_dir():
        return lambda: _with_state(_module(model, tuple(sizes)), folder / STATE)
    from striate.api.carrying import build
    from striate.api.prediction import bundle_of
    from striate.bundle import TENSORS, read_bundle

    bundle = bundle_of(Path(model))
    made = read_bundle(bundle).card.get("model")
    if not isinstance(made, dict) or not {"name", "classes", "in_channels", "image_size"} <= set(made):
        return None
    return lambda: build({**made, "weights": bundle / TENSORS}, seed=0)


def _captured(model: str, sizes: tuple[int, ...] | None, folder: Path) -> tuple[Graph, Weights]:
    """The words of a module, whose tensors are kept for the other processes."""
    from safetensors.torch import save_model

    from striate.api.extras import require_train
    from striate.capture import capture

    require_train(f"racing {model}")
    module = _module(model, sizes)
    save_model(module, str(folder / STATE))
    return capture(module, (1, *_input_of(model, sizes)))


def _module(model: str, sizes: tuple[int, ...] | None) -> nn.Module:
    """The network in evaluation mode; the norms of one that nobody has trained are not left the identity."""
    import torch

    from striate.api.subject import module_of
    from striate.models import create

    torch.manual_seed(0)
    own = module_of(model)
    if own is not None:
        return own.eval()
    wanted = _input_of(model, sizes)
    module = create(model, in_channels=wanted[0], image_size=(wanted[1], wanted[2])).eval()
    for part in module.modules():
        if isinstance(part, torch.nn.BatchNorm2d) and part.running_mean is not None:
            part.running_mean.normal_(0, 0.1)
            part.running_var.uniform_(0.5, 1.5)  # type: ignore[union-attr]
    return module


def _input_of(model: str, sizes: tuple[int, ...] | None) -> tuple[int, ...]:
    from striate.api.subject import FILE_AND_CLASS
    from striate.models import card

    if sizes is not None:
        return sizes
    if FILE_AND_CLASS.fullmatch(model):
        raise ArgumentError(f"input must be given for {model}: add for example --input 3x224x224.")
    known = card(model)
    return (known.channels, *known.image_size)


def _with_state(module: nn.Module, path: Path) -> nn.Module:
    from safetensors.torch import load_model

    load_model(module, str(path))
    return module


def _sizes(size: str | Sequence[int] | None) -> tuple[int, ...] | None:
    from striate.api.subject import parse_input

    return parse_input(size)


def _fixed(graph: Graph, model: str) -> tuple[int, ...]:
    """The input's sizes without the batch."""
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise UnsupportedError(
            f"a race needs a network of one input and one output, {model} has {len(graph.inputs)} and "
            f"{len(graph.outputs)}: give another."
        )
    (shape,) = graph.inputs.values()
    if any(isinstance(size, str) for size in shape[1:]):
        raise ArgumentError(f"input must be given for {model}, which takes {shape}: add --input 3x224x224.")
    return tuple(int(size) for size in shape[1:])


def _defined(graph: Graph, weights: Weights, images: np.ndarray) -> np.ndarray:
    """The definition's answer in float64, image by image: a large network takes much memory."""
    from striate.reference import run

    rows: list[Any] = [run(graph, weights, image[None]) for image in images]
    return np.concatenate(rows)


def _multiply_adds(graph: Graph) -> int:
    from striate.arithmetic import cost, graph_shapes

    shapes = graph_shapes(graph)
    return sum(cost(node.op, [shapes[value] for value in node.inputs]).multiply_adds.result for node in graph)
