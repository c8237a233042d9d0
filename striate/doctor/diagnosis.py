"""Why a run ended: the trace up to the failed layer, what it needed, and the mended line.

The remedies are asked in order, those about the input first: a picture with its channels last looks to the
first convolution like a wrong number of channels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from striate.doctor import remedy_input, remedy_join, remedy_layer
from striate.doctor.constructor import constructor, plain
from striate.doctor.findings import NetworkFinding, NetworkReport
from striate.doctor.forward import adding, passing
from striate.doctor.remedy import Remedy
from striate.doctor.remedy_layer import images_mixed
from striate.doctor.source import find
from striate.doctor.trace import Sizes, Step, Trace, show

Rerun = Callable[[Sequence[Sizes]], Trace]
REMEDIES = (*remedy_input.REMEDIES, *remedy_layer.REMEDIES, *remedy_join.REMEDIES)
LARGEST = 1024  # pixels; no larger input is searched for


def diagnose(title: str, trace: Trace, module: Any, rerun: Rerun | None = None) -> NetworkReport | None:
    """The report of a run that failed; None for one that did not.

    Of ``module`` only the source lines are looked at. ``rerun`` runs it for other input sizes; with it an
    input is searched that would fit.
    """
    step, remedy = trace.failed, None
    mixed = images_mixed(trace) if trace.error is None else None
    if mixed is not None:
        step, remedy = mixed
    if step is None and trace.error is None:
        return None
    if step is None:
        reason = f"{trace.title} fails before its first layer: {_first(trace.error)}"
        return NetworkReport(title, (NetworkFinding("error", "forward-fails", reason),), trace.text())
    remedy = remedy or next((found for ask in REMEDIES if (found := ask(trace, step)) is not None), None)
    heading = f"{title} on {', '.join(show(value.shape) for value in trace.inputs)}:\n{trace.text()}"
    if remedy is None:
        finding = NetworkFinding("error", "forward-fails", _first(trace.error), step.name, None, step.source)
        return NetworkReport(title, (finding,), heading)
    calls = sum(other.module == step.module for other in trace.steps)
    place, fix = _line(remedy, step, module, shared=step.module is not None and calls > 1)
    if remedy.resize and rerun is not None and (size := fitting_input(trace, rerun)) is not None:
        fix = _joined(fix, f"or use {'an' if size.startswith(('8', '11x', '18x')) else 'a'} {size} input")
    fix = _joined(fix, *(f"or {way}" if fix else way for way in remedy.instead))
    source = place or step.source
    finding = NetworkFinding("error", remedy.rule, remedy.says, step.name, fix, source)
    return NetworkReport(title, (finding,), heading)


def _line(remedy: Remedy, failed: Step, module: Any, *, shared: bool) -> tuple[str | None, str]:
    """Where the line stands that must change, and the line as it should be."""
    step = remedy.step or failed
    if remedy.built and step.module is not None and (found := find(module, step.module, ())):
        written = found[0]
        return written.place, f"instead of  {written.text}\nwrite       {written.with_call(remedy.built)}"
    if remedy.code is not None:
        if remedy.wrap and (line := passing(module, step, remedy.wrap)):
            return step.source, _joined(line, remedy.then)
        line = None if remedy.summand is None else adding(module, step, remedy.summand, "self.shortcut")
        return None, _joined(f"write {remedy.code}", line or "", remedy.then)
    if not remedy.change and remedy.kind is None:
        return None, ""
    call = constructor(remedy.kind or step.layer.kind, {**step.layer.arguments, **remedy.change})
    whose = f" for {step.name}" if step is not failed else ""
    if step.module is None and "pool" in step.layer.kind:
        given = {**step.layer.arguments, **remedy.change}
        return None, f"write F.{step.layer.kind}(x, {plain(given['kernel_size'])})"
    if step.module is None:
        return None, f"its weight must be that of {call}{whose}"
    if shared and step is failed:
        return None, f"build a layer of its own for this place: {call}"
    found = find(module, step.module, tuple(remedy.change))
    if found is None:
        return None, f"write {call}{whose}"
    written, names = found
    line = written.with_arguments(**{names[name]: value for name, value in remedy.change.items()})
    if remedy.kind is not None and line is not None:
        other = written.called.replace(step.layer.kind, remedy.kind)
        line = line.replace(f"{written.called}(", f"{other}(")
    if line is None:
        return written.place, f"write {call}{whose}, where it now says: {written.text}"
    flat = passing(module, step, remedy.wrap) if remedy.wrap else None
    return written.place, _joined(f"instead of  {written.text}\nwrite       {line}", flat or "")


def fitting_input(trace: Trace, rerun: Rerun) -> str | None:
    """The smallest square input with which the whole network runs; "32x32".

    Found by bisection: the larger the input, the larger every map. None where there is none up to 1,024.
    """
    failed = trace.failed
    if len(trace.inputs) != 1 or len(trace.inputs[0].shape) != 4 or failed is None:
        return None
    batch, channels, *_ = trace.inputs[0].shape
    low, high = 1, LARGEST
    best = None
    while low <= high:
        side = (low + high) // 2
        tried = rerun(((batch, channels, side, side),))
        if tried.error is None:
            best, high = side, side - 1
        elif _too_large(tried, failed):
            high = side - 1
        else:
            low = side + 1
    return None if best is None else f"{best}x{best}"


def _too_large(tried: Trace, failed: Step) -> bool:
    """Whether the layer that failed receives more than it is made for."""
    step = tried.failed
    if step is None or not step.inputs:
        return False
    needed = step.layer.arguments.get("in_features")
    if needed is None and step.layer.kind in ("view", "reshape"):
        asked = [size for size in step.layer.arguments.get("shape", ()) if isinstance(size, int) and size > 1]
        needed = asked[-1] if asked else None
        given = 1
        for size in step.inputs[0].shape[1:]:
            given *= size
        return needed is not None and given > needed
    return needed is not None and step.inputs[0].shape[-1] > needed


def _first(error: str | None) -> str:
    line = next((line.strip() for line in (error or "").splitlines() if line.strip()), "it fails")
    return line if line.endswith((".", "!", "?")) else f"{line}."


def _joined(*lines: str) -> str:
    return "\n".join(line for line in lines if line)
