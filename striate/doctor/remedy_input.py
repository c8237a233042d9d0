"""What came in is not what the network takes: its type, its layout, its batch axis."""

from __future__ import annotations

from striate.doctor.remedy import Remedy, axes_of
from striate.doctor.trace import Step, Trace, show

_CASTS = {"uint8": "x = x.float() / 255", "float64": "x = x.to(torch.float32)"}


def wrong_type(trace: Trace, step: Step) -> Remedy | None:
    """Numbers of another type than the weights'."""
    if not step.inputs:
        return None
    given = step.inputs[0].dtype
    whole = given.startswith(("int", "uint", "bool"))
    untyped = step.dtype is None and whole and "not implemented for" in (trace.error or "")
    if not untyped and (step.dtype is None or given == step.dtype):
        return None
    wanted = step.dtype or "float32"
    cast = (
        _CASTS.get(given, f"x = x.to(torch.{wanted})") if wanted == "float32" else f"x = x.to(torch.{wanted})"
    )
    says = f"receives numbers of type {given} and computes in {wanted}."
    return Remedy("wrong-type", says, code=cast, wrap=_pattern(cast))


def missing_batch(trace: Trace, step: Step) -> Remedy | None:
    """One image without the axis that counts images."""
    if not trace.inputs:
        return None
    shape = trace.inputs[0].shape
    axes = {axes_of(made.layer.kind) for made in trace.steps} - {None}
    if axes != {len(shape) - 1}:
        return None
    says = f"the input {show(shape)} has no batch axis: the images of a batch are counted on axis 0."
    code = "x = x.unsqueeze(0)"
    return Remedy("missing-batch-axis", says, step=trace.steps[0], code=code, wrap=_pattern(code))


def channels_last(trace: Trace, step: Step) -> Remedy | None:
    """(N, H, W, C) where (N, C, H, W) is expected."""
    wanted = step.layer.arguments.get("in_channels", step.layer.arguments.get("num_features"))
    if wanted is None or not step.inputs or len(step.inputs[0].shape) < 3:
        return None
    shape = step.inputs[0].shape
    untouched = step.inputs[0].maker is None or shape == trace.inputs[0].shape
    if not untouched or shape[1] == wanted or shape[-1] != wanted:
        return None
    order = (0, len(shape) - 1, *range(1, len(shape) - 1))
    says = f"receives {show(shape)} with the {wanted} channels last; PyTorch's order is (N, C, H, W)."
    code = f"x = x.permute{order}"
    ways = ("give --input as channels x rows x columns",)
    return Remedy("channels-last", says, code=code, wrap=_pattern(code), instead=ways)


def _pattern(code: str) -> str:
    """ "{}.float() / 255" of "x = x.float() / 255"."""
    return code.removeprefix("x = ").replace("x.", "{}.", 1)


REMEDIES = (wrong_type, missing_batch, channels_last)
