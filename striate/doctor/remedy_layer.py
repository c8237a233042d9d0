"""A layer is made for another input: features, channels, groups, a kernel, a rank, a batch."""

from __future__ import annotations

from math import gcd
from typing import Any

from striate.doctor.remedy import Remedy, axes_of, entry, per_image, shape_before_flattening, times
from striate.doctor.trace import Step, Trace, show

_CHANNELS = {"BatchNorm": "num_features", "InstanceNorm": "num_features", "GroupNorm": "num_channels"}
_CHANNELS |= {"PReLU": "num_parameters", "SyncBatchNorm": "num_features"}
FLATTEN, FLATTENED = "x = torch.flatten(x, 1)", "torch.flatten({}, 1)"


def one_value(trace: Trace, step: Step) -> Remedy | None:
    """Batch norm in training, one value for each channel."""
    if "more than 1 value per channel" not in (trace.error or "") or not step.inputs:
        return None
    shape = step.inputs[0].shape
    says = f"receives {show(shape)}: one value a channel, of which no variance can be taken while training."
    channels = shape[1] if len(shape) > 1 else shape[0]
    ways = (
        "train with 2 images or more: DataLoader(..., drop_last=True)",
        "call net.eval() to use the network",
    )
    code = f"nn.GroupNorm({gcd(channels, 32)}, {channels})"
    return Remedy("batch-norm-on-one-value", says, code=code, built=code, instead=ways)


def rank(trace: Trace, step: Step) -> Remedy | None:
    """A layer for images on a flattened input, or for sequences on images."""
    axes = axes_of(step.layer.kind)
    if axes is None or not step.inputs:
        return None
    shape = step.inputs[0].shape
    fits = (
        (axes + 2, axes + 1)
        if "BatchNorm" not in step.layer.kind
        else (axes + 2, *((2,) if axes == 1 else ()))
    )
    if len(shape) in fits:
        return None
    says = f"receives {show(shape)}, {len(shape)} axes; it works on {axes + 2}."
    if len(shape) > 2 and len(shape) - 2 in (1, 2, 3):
        kind = f"{step.layer.kind[:-2]}{len(shape) - 2}d"
        return Remedy("wrong-rank", says, kind=kind)
    flat = next(
        (s for s in trace.behind(step.inputs[0]) if s.layer.kind.lower() in ("flatten", "view", "reshape")),
        None,
    )
    if flat is not None and flat.inputs:
        line = f" ({flat.source})" if flat.source else ""
        return Remedy("wrong-rank", says, instead=(f"move {flat.name}{line} behind {step.name}",))
    return Remedy(
        "wrong-rank", says, code="x = x[:, :, None, None]" if len(shape) == 2 and axes == 2 else None
    )


def dense(trace: Trace, step: Step) -> Remedy | None:
    """A dense layer made for another number of features."""
    needed = step.layer.arguments.get("in_features")
    if needed is None or not step.inputs or step.inputs[0].shape[-1] == needed:
        return None
    shape = step.inputs[0].shape
    if len(shape) > 2:
        count = per_image(shape)
        says = f"receives a map {show(shape)} that is not flattened: {times(shape[1:])} are {count} features."
        if count == needed:
            return Remedy("not-flattened", says, code=FLATTEN, wrap=FLATTENED)
        says = f"{says} Flatten it: {FLATTEN}."
        return Remedy("not-flattened", says, {"in_features": count}, wrap=FLATTENED)
    before = shape_before_flattening(trace, step)
    batch = trace.inputs[0].shape[0] if trace.inputs else shape[0]
    if before is not None and shape[0] != batch:
        return Remedy(
            "batch-cut-up",
            f"{batch} images became {shape[0]} rows of {shape[-1]}: the view before it mixes images.",
            {"in_features": per_image((1, *before))},
            instead=(f"flatten with {FLATTEN}, which keeps the images apart",),
        )
    made = f": {times(before)}" if before is not None else ""
    ways: tuple[str, ...] = ()
    if before is not None and len(before) > 1 and before[0] == needed:
        ways = (f"put nn.AdaptiveAvgPool2d(1) before the flattening, and {needed} features arrive",)
    says = f"receives {shape[-1]} features{made}; it is made for {needed}."
    return Remedy("dense-input", says, {"in_features": shape[-1]}, instead=ways, resize=before is not None)


def channels(trace: Trace, step: Step) -> Remedy | None:
    """A convolution made for another number of channels."""
    arguments = step.layer.arguments
    needed = arguments.get("in_channels")
    if (
        needed is None
        or not step.inputs
        or len(step.inputs[0].shape) < 2
        or step.inputs[0].shape[1] == needed
    ):
        return None
    given, groups = step.inputs[0].shape[1], arguments.get("groups", 1)
    change: dict[str, Any] = {"in_channels": given}
    if groups == needed > 1:
        out = arguments["out_channels"] // needed * given
        change |= {"out_channels": out, "groups": given}
    elif given % groups:
        change["groups"] = gcd(given, groups, arguments["out_channels"])
    made = next((s for s in trace.behind(step.inputs[0]) if "out_channels" in s.layer.arguments), None)
    ways = (f"let {made.name} give {needed} channels",) if made is not None else ()
    says = f"receives {given} channels; it is made for {needed}"
    says += f" in {groups} groups." if groups > 1 else "."
    return Remedy("channel-mismatch", says, change, instead=ways)


def kernel(trace: Trace, step: Step) -> Remedy | None:
    """A window larger than its padded input."""
    arguments, axes = step.layer.arguments, axes_of(step.layer.kind)
    if axes is None or "kernel_size" not in arguments or not step.inputs or "Transpose" in step.layer.kind:
        return None
    sizes = step.inputs[0].shape[-axes:]
    pads = [entry(arguments.get("padding") or 0, axis) for axis in range(axes)]
    if any(not isinstance(pad, int) for pad in pads):
        return None
    kernels = [entry(arguments["kernel_size"], axis) for axis in range(axes)]
    spans = [entry(arguments.get("dilation", 1), a) * (k - 1) + 1 for a, k in enumerate(kernels)]
    short = [span - size - 2 * pad for span, size, pad in zip(spans, sizes, pads, strict=True)]
    if max(short) <= 0:
        return None
    window, size = ("x".join(map(str, numbers)) for numbers in (spans, sizes))
    padded = f", padded by {max(pads)}" if any(pads) else ""
    says = f"lays a window of {window} over a map of {size}{padded}: nothing would be left."
    if "pool" in step.layer.kind.lower():
        calls = sum(other.module == step.module for other in trace.steps if other.module is not None)
        if calls > 1 or min(sizes) == 1:
            return Remedy("kernel-too-large", says, instead=(f"leave {step.name} out here",), resize=True)
        smaller = tuple(min(k, s) for k, s in zip(kernels, sizes, strict=True))
        return Remedy("kernel-too-large", says, {"kernel_size": smaller}, resize=True)
    more = tuple(pad + max(0, -(-lack // 2)) for pad, lack in zip(pads, short, strict=True))
    return Remedy("kernel-too-large", says, {"padding": more}, resize=True)


def normalisation(trace: Trace, step: Step) -> Remedy | None:
    """A normalisation made for another number of channels."""
    argument = next((a for start, a in _CHANNELS.items() if step.layer.kind.startswith(start)), None)
    if step.layer.kind == "LayerNorm" and step.inputs:
        wanted = tuple(step.layer.arguments["normalized_shape"])
        given = step.inputs[0].shape[-len(wanted) :]
        says = f"receives {show(step.inputs[0].shape)} and normalises over {wanted}."
        return None if given == wanted else Remedy("channel-mismatch", says, {"normalized_shape": given})
    if argument is None or not step.inputs or len(step.inputs[0].shape) < 2:
        return None
    given_, needed = step.inputs[0].shape[1], step.layer.arguments.get(argument)
    if needed is None or given_ == needed:
        return None
    change = {argument: given_}
    if argument == "num_channels" and given_ % step.layer.arguments["num_groups"]:
        change["num_groups"] = gcd(given_, step.layer.arguments["num_groups"])
    return Remedy("channel-mismatch", f"receives {given_} channels; it is made for {needed}.", change)


def view(trace: Trace, step: Step) -> Remedy | None:
    """A view to a number of features that does not divide."""
    if step.layer.kind not in ("view", "reshape") or not step.inputs:
        return None
    shape = step.inputs[0].shape
    count = per_image(shape)
    asked = ", ".join(map(str, step.layer.arguments.get("shape", ())))
    says = f"{step.layer.kind}({asked}) does not fit {show(shape)}: {times(shape[1:])} are {count} features."
    then = f"and make the dense layer behind it for {count}: in_features={count}"
    return Remedy("view-does-not-fit", says, code=FLATTEN, wrap=FLATTENED, then=then, resize=True)


def images_mixed(trace: Trace) -> tuple[Step, Remedy] | None:
    """Nothing failed, but a view such as ``x.view(-1, 400)`` made other rows of the images."""
    if not trace.inputs or not trace.outputs or not trace.inputs[0].shape or not trace.outputs[0]:
        return None
    batch, rows = trace.inputs[0].shape[0], trace.outputs[0][0]
    for step in trace.steps:
        moved = step.layer.kind in ("view", "reshape") and step.inputs and step.output
        if rows != batch and moved and step.inputs[0].shape[0] == batch != step.output[0]:  # type: ignore[index]
            shape = step.inputs[0].shape
            says = (
                f"{batch} images of {per_image(shape)} values became {step.output[0]} rows: images are mixed."  # type: ignore[index]
            )
            then = (
                f"and make the dense layer behind it for {per_image(shape)}: in_features={per_image(shape)}"
            )
            return step, Remedy("batch-cut-up", says, code=FLATTEN, wrap=FLATTENED, then=then)
    return None


REMEDIES = (one_value, rank, dense, channels, kernel, normalisation, view)
