"""Running torch.export: the module is afterwards as it was, and a failure is said in one sentence."""

from __future__ import annotations

import io
import logging
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from striate.errors import ArgumentError, ShapeError, UnsupportedError
from striate.machine import collecting_seldom

NOISY = ("torch._subclasses.fake_tensor", "torch.fx.experimental.symbolic_shapes", "torch.export")


class StaticBatchWarning(UserWarning):
    """A captured graph holds for the example's batch size alone; the message says why."""


def export(module: nn.Module, example: tuple[Tensor, ...], *, dynamic_batch: bool) -> ExportedProgram:
    """The program of ``module`` in evaluation mode, for every batch size if that is possible.

    Warns StaticBatchWarning where the module does not allow it. Raises ShapeError where the module itself
    fails on the example, UnsupportedError where torch.export cannot follow it.
    """
    with evaluation_mode(module), torch.no_grad(), _quiet(), collecting_seldom():  # it imports much
        if not dynamic_batch:
            return _export(module, example, symbolic=False)
        try:
            program = _export(module, tuple(_two(tensor) for tensor in example), symbolic=True)
        except UnsupportedError as refusal:
            reason = str(refusal)
        else:
            if _is_symbolic(program):
                return program
            reason = "its forward uses the batch size as a fixed number"
        fixed = _export(module, example, symbolic=False)
        warnings.warn(
            f"the graph holds for batches of {len(example[0])} only: {reason}",
            StaticBatchWarning,
            stacklevel=3,
        )
        return fixed


def _export(module: nn.Module, example: tuple[Tensor, ...], *, symbolic: bool) -> ExportedProgram:
    shapes: Any = None
    if symbolic:
        shapes = torch.export.ShapesCollection()  # type: ignore[no-untyped-call]
        for tensor in example:
            shapes[tensor] = {0: torch.export.Dim.AUTO}
    said = io.StringIO()  # where it fails, torch prints the whole program before it raises
    try:
        with redirect_stderr(said):
            program = torch.export.export(module, example, dynamic_shapes=shapes, strict=False)
        sys.stderr.write(said.getvalue())
        return program
    except Exception as fault:  # torch.export raises whatever it met: its own errors, sympy's, the module's
        _run(module, example)
        raise UnsupportedError(
            f"{type(module).__name__} cannot be captured: torch.export cannot follow its forward: "
            f"{_first_sentence(fault)} Avoid Python branches on values of tensors in forward."
        ) from fault


def _run(module: nn.Module, example: tuple[Tensor, ...]) -> None:
    """Run the module as it is; ShapeError with the innermost layer that failed, if it fails."""
    running: list[str] = []
    failed: list[str] = []
    names = {part: name for name, part in module.named_modules()}
    handles = [
        hook
        for part in names
        for hook in (
            part.register_forward_pre_hook(lambda part, _: running.append(names[part])),
            part.register_forward_hook(lambda *_: running.pop() and None),
        )
    ]
    try:
        module(*example)
    except Exception as fault:
        failed = running[-1:]
        shapes = ", ".join(str(tuple(tensor.shape)) for tensor in example)
        where = f"layer {failed[0]!r}" if failed and failed[0] else "its own forward"
        raise ShapeError(
            f"{type(module).__name__} must run on the example, of shape {shapes}, but {where} fails: "
            f"{_first_sentence(fault)} Give an example of the shape that the network is made for.",
            layer=failed[0] if failed else None,
        ) from fault
    finally:
        for handle in handles:
            handle.remove()


def _first_sentence(fault: Exception) -> str:
    lines = [line.strip() for line in str(fault).splitlines() if line.strip()]
    first = lines[0] if lines else type(fault).__name__
    return first if first.endswith((".", "!", "?")) else f"{first}."


def _two(tensor: Tensor) -> Tensor:
    """At least two images: torch.export takes a size of 1 for a fixed one."""
    return tensor if len(tensor) != 1 else tensor.repeat(2, *(1,) * (tensor.ndim - 1))


def _is_symbolic(program: ExportedProgram) -> bool:
    names = set(program.graph_signature.user_inputs)
    inputs = [node for node in program.graph.find_nodes(op="placeholder") if node.name in names]
    return all(
        not str(node.meta["val"].shape[0]).isdigit()
        for node in inputs
        if isinstance(node.meta["val"], Tensor)
    )


@contextmanager
def evaluation_mode(module: nn.Module) -> Iterator[None]:
    """Evaluation mode inside; afterwards every part is in the mode it was in."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


@contextmanager
def _quiet() -> Iterator[None]:
    """Torch logs tracebacks of errors that we answer in one sentence."""
    loggers = [logging.getLogger(name) for name in NOISY]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def as_tensors(module: nn.Module, example: Any) -> tuple[Tensor, ...]:
    """The example, tensors or NumPy arrays, as tensors on the module's device. A tuple of sizes, batch first,
    becomes zeros."""
    own = next((t for t in module.parameters() if t.is_floating_point()), torch.empty(0))
    several = isinstance(example, Sequence) and not isinstance(example, str)
    given = [_from_numpy(one, own.dtype) for one in (example if several else (example,))]
    sizes = given[1:] if several else [None]
    if given and all(type(size) is int for size in sizes) and type(given[0]) in (int, str):
        batch = given[0] if isinstance(given[0], int) else 1
        if min(batch, *given[1:], 1) < 1:
            raise ArgumentError(f"example must have sizes of at least 1, got {tuple(given)}: correct it.")
        return (torch.zeros(batch, *given[1:], dtype=own.dtype, device=own.device),)
    if not given or not all(isinstance(tensor, Tensor) and tensor.ndim and len(tensor) for tensor in given):
        raise ArgumentError(
            "example must be a tensor or an array of at least one image, a tuple of them, or a shape such as "
            f"(1, 3, 32, 32), got {example!r:.80}: give the shape."
        )
    return tuple(tensor.to(own.device) for tensor in given)


def _from_numpy(one: Any, dtype: torch.dtype) -> Any:
    """An array of numbers as a tensor; fractions in the module's precision."""
    if not isinstance(one, np.ndarray) or one.dtype.kind not in "fiub":
        return one
    tensor = torch.from_numpy(np.ascontiguousarray(one))
    return tensor.to(dtype) if tensor.is_floating_point() else tensor
