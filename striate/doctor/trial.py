"""Running a module on an input, watched: every layer and every function, and where it ends.

The only file of this room that knows torch. Module, buffers, modes and the random state are afterwards as
they were. Functional calls, additions and concatenations are seen as well, through torch's function mode.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from traceback import walk_stack, walk_tb
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.parameter import UninitializedBuffer, is_lazy
from torch.overrides import TorchFunctionMode

from striate.doctor.calls import layer_of
from striate.doctor.constructor import positional, short_path
from striate.doctor.trace import Layer, Sizes, Step, Trace, Value

_TORCH = str(Path(torch.__file__).parent)
_OWN = str(Path(__file__))


def run_module(module: nn.Module, example: Tensor | Sequence[Tensor], *, training: bool = False) -> Trace:
    """Run ``module`` on ``example`` in the mode asked for; whatever it raises is in the trace."""
    given = (example,) if isinstance(example, Tensor) else tuple(example)
    with _as_it_was(module):
        module.train(training)
        return _watched(module, given, lambda: module(*given))


def rerun(module: nn.Module, sizes: Sequence[Sizes]) -> Trace:
    """The same for other input sizes and without values (meta tensors): nothing is computed."""
    named = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    if any(map(is_lazy, named.values())):
        return Trace(type(module).__name__, (), (), error="layers that take their sizes from the first input")
    meta = {name: torch.empty_like(tensor, device="meta") for name, tensor in named.items()}
    given = tuple(torch.empty(size, device="meta") for size in sizes)
    with _as_it_was(module):
        module.eval()
        return _watched(module, given, lambda: functional_call(module, meta, given))


def own_copy(module: nn.Module) -> nn.Module:
    """The module; a copy, where a run would change it: lazy layers take their sizes from the first input."""
    lazy = [buffer for buffer in module.buffers() if is_lazy(buffer)]
    if not lazy and not any(map(is_lazy, module.parameters())):
        return module
    copies = {id(buffer): UninitializedBuffer().to(buffer.device) for buffer in lazy}
    return deepcopy(module, copies)  # lazy buffers cannot copy themselves


def _watched(module: nn.Module, given: tuple[Tensor, ...], call: Callable[[], Any]) -> Trace:
    watch = Watch(module)
    error: str | None = None
    outputs: tuple[Sizes, ...] = ()
    with watch.hooked(), torch.no_grad():
        try:
            with watch:
                result = call()
            outputs = tuple(tuple(tensor.shape) for tensor in _tensors(result))
        except (Exception, SystemExit) as fault:  # a user's module may raise anything
            error = _said(fault)
            watch.end(fault)
    inputs = tuple(watch.value(tensor) for tensor in given)
    return Trace(type(module).__name__, inputs, tuple(watch.steps), outputs, error)


class Watch(TorchFunctionMode):
    """Keeps a step for each layer of torch.nn, and for each function called outside of them."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.steps: list[Step] = []
        self._root = module
        self._names = {part: name for name, part in module.named_modules()}
        self._own = {id(t) for t in (*module.parameters(), *module.buffers())}
        self._running: list[tuple[nn.Module, tuple[Value, ...]]] = []
        self._makers: dict[int, tuple[weakref.ref[Tensor], int]] = {}
        self._failed: Step | None = None

    def value(self, tensor: Tensor) -> Value:
        """Shape, dtype and maker of a tensor."""
        known, index = self._makers.get(id(tensor), (None, None))
        alive = known is not None and known() is tensor
        return Value(tuple(tensor.shape), str(tensor.dtype).partition(".")[2], index if alive else None)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        name = str(getattr(func, "__name__", "")).strip("_")
        inside = bool(self._running) and _is_layer(self._running[-1][0])
        if inside or name == "get":
            return func(*args, **kwargs)
        tensors = [tensor for tensor in _tensors((args, kwargs)) if id(tensor) not in self._own]
        values = tuple(map(self.value, tensors))
        step = Step(self._inner(name), layer_of(name, args, kwargs), values, None, _source())
        self._failed = step if values else None
        result = func(*args, **kwargs)
        self._failed = None
        if values:
            self._keep(step, result)
        return result

    def end(self, fault: BaseException) -> None:
        """The run has ended early: the step that failed is the innermost that was running."""
        if self._failed is None and self._running:
            module, values = self._running[-1]
            self._failed = self._layer_step(module, values)
        if self._failed is not None:
            lines = [_place(frame, line) for frame, line in walk_tb(fault.__traceback__)]
            source = next((line for line in reversed(lines) if line is not None), None)
            self.steps.append(replace(self._failed, source=source))

    @contextmanager
    def hooked(self) -> Iterator[None]:
        """Hooks on all modules, for the time of a run."""
        handles = [
            handle
            for part in self._names
            if not isinstance(part, torch.jit.ScriptModule)  # which takes no hooks
            for handle in (
                part.register_forward_pre_hook(self._enter, with_kwargs=True),
                part.register_forward_hook(self._leave),
            )
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _enter(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        with torch._C.DisableTorchFunction():
            self._running.append((module, tuple(map(self.value, _tensors((args, kwargs))))))

    def _leave(self, module: nn.Module, args: Any, result: Any) -> None:
        _, values = self._running.pop()
        if _is_layer(module):
            self._keep(self._layer_step(module, values), result)

    def _keep(self, step: Step, result: Any) -> None:
        made = list(_tensors(result))
        if not made:
            return
        for tensor in made:
            self._makers[id(tensor)] = (weakref.ref(tensor), len(self.steps))
        self.steps.append(replace(step, output=tuple(made[0].shape)))

    def _layer_step(self, module: nn.Module, values: tuple[Value, ...]) -> Step:
        name = self._names[module]
        arguments = {
            key: getattr(module, key) for key in positional(type(module).__name__) if hasattr(module, key)
        }
        if "bias" in arguments:
            arguments["bias"] = arguments["bias"] is not None
        own = next((p for p in module.parameters() if p.is_floating_point()), None)
        dtype = None if own is None else str(own.dtype).partition(".")[2]
        layer = Layer(type(module).__name__, arguments)
        return Step(name or layer.kind, layer, values, None, _source(), name, dtype)

    def _inner(self, name: str) -> str:
        path = self._names[self._running[-1][0]] if self._running else ""
        return f"{path}.{name}" if path else name


def _is_layer(module: nn.Module) -> bool:
    """A layer of torch.nn, and no container."""
    return type(module).__module__.startswith("torch.nn.") and not any(True for _ in module.children())


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        yield from _tensors(tuple(value.values()))
    elif isinstance(value, (list, tuple)):
        for entry in value:
            yield from _tensors(entry)


def _source() -> str | None:
    """The innermost line that is neither torch's nor ours."""
    for frame, line in walk_stack(sys._getframe(1)):
        if frame.f_code is _watched.__code__:
            return None  # from here on it is not the module that runs
        if (place := _place(frame, line)) is not None:
            return place
    return None


def _place(frame: FrameType, line: int) -> str | None:
    file = frame.f_code.co_filename
    return None if file.startswith((_TORCH, _OWN, "<")) else f"{short_path(file)}:{line}"


def _said(fault: BaseException) -> str:
    """What PyTorch said; other errors with their names."""
    text = str(fault).strip()
    return (
        text if isinstance(fault, (RuntimeError, ValueError)) and text else f"{type(fault).__name__}: {text}"
    )


@contextmanager
def _as_it_was(module: nn.Module) -> Iterator[None]:
    """Modes, buffers and the random state are put back."""
    modes = [(part, part.training) for part in module.modules()]
    buffers = [(buffer, buffer.clone()) for buffer in module.buffers() if not is_lazy(buffer)]
    with torch.random.fork_rng(devices=[]):
        try:
            yield
        finally:
            for part, mode in modes:
                part.training = mode
            with torch.no_grad():
                for buffer, before in buffers:
                    buffer.copy_(before)
