"""Sizes under sliding windows: N = floor((W - F + 2P) / S) + 1, and what each argument does to it."""

from __future__ import annotations

from striate.arithmetic.derivation import Derivation, Derived, axis_name, axis_units, show
from striate.arithmetic.shape import misfit, need_size, number, rule
from striate.graph import Shape
from striate.ops import AvgPool, AvgPool3d, Conv, ConvTranspose, ExtremePool, MaxUnpool, Window


@rule.register
def _conv(op: Conv, x: Shape) -> Derived:
    spatial = spatial_sizes(op.axes, x)
    need_size(x, 1, op.in_channels, "in_channels")
    for axis, (before, after) in enumerate(op.pads):
        need_mode(op.padding_mode, spatial[axis], before, after, axis_name(axis, op.axes))
    sizes = tuple(_slide(op, axis, size) for axis, size in enumerate(spatial))
    shape = (x[0], op.out_channels, *(size.result for size in sizes))
    return Derived((shape,), sizes)


@rule.register(ExtremePool)
@rule.register(AvgPool)
def _pool(op: ExtremePool | AvgPool, x: Shape) -> Derived:
    spatial = spatial_sizes(op.axes, x)
    if isinstance(op, AvgPool3d) and any(size < k for size, k in zip(spatial, op.kernel_size, strict=True)):
        must = f"be at most the input {spatial}, padding not counted, as in PyTorch's AvgPool3d"
        raise misfit(
            "kernel_size", must, op.kernel_size, "take a smaller kernel, or pad with a word of its own"
        )
    sizes = tuple(_slide(op, axis, size) for axis, size in enumerate(spatial))
    shape = (*x[:2], *(size.result for size in sizes))
    return Derived((shape,) * op.outputs, sizes)


@rule.register
def _transposed(op: ConvTranspose, x: Shape) -> Derived:
    spatial = spatial_sizes(op.axes, x)
    need_size(x, 1, op.in_channels, "in_channels")
    sizes = tuple(_paint(op, axis, size) for axis, size in enumerate(spatial))
    shape = (x[0], op.out_channels, *(size.result for size in sizes))
    return Derived((shape,), sizes)


@rule.register
def _unpool(op: MaxUnpool, x: Shape, indices: Shape) -> Derived:
    if x != indices:
        raise misfit(
            "indices", f"have the shape of the values, {show(x)}", show(indices), "use the pool's own"
        )
    sizes = tuple(_paint(op, axis, size) for axis, size in enumerate(spatial_sizes(op.axes, x)))
    if op.output_size is not None:
        sizes = tuple(_chosen(op, axis, size) for axis, size in enumerate(sizes))
    return Derived(((*x[:2], *(size.result for size in sizes)),), sizes)


def spatial_sizes(axes: int, x: Shape) -> tuple[int, ...]:
    """The last ``axes`` sizes of an input that must be (N, C, *sizes)."""
    if len(x) != axes + 2:
        form = ("N", "C", *(("L",), ("H", "W"), ("D", "H", "W"))[axes - 1])
        remedy = (
            "add the batch axis; input without one is not supported" if len(x) == axes + 1 else "reshape it"
        )
        raise misfit("input", f"have the {axes + 2} axes {show(form)}", f"the shape {show(x)}", remedy)
    return tuple(number(size, axis_name(axis, axes)) for axis, size in enumerate(x[2:]))


def need_mode(mode: str, size: int, before: int, after: int, name: str) -> None:
    """Mirrored and wrapped padding take their pixels from the input, which must have them."""
    limit = {"reflect": size - 1, "circular": size}.get(mode)
    if limit is not None and max(before, after) > limit:
        must = f"be at most {limit} where padding_mode is {mode!r} and the {name} is {size}"
        raise misfit("padding", must, max(before, after), "pad less, or use 'replicate' or 'zeros'")


def _slide(op: Window, axis: int, size: int) -> Derivation:
    """The number of windows along one axis."""
    span, (before, after) = op.span[axis], op.pads[axis]
    stride: int = op.stride[axis]  # type: ignore[attr-defined]  # a field of every window that slides
    padded, ceil = size + before + after, getattr(op, "ceil_mode", False)
    count = -((span - padded) // stride) + 1 if ceil else (padded - span) // stride + 1
    drop = ceil and (count - 1) * stride >= size + before
    formula, substitution = _window_formula(op, axis, size, ceil=ceil)
    end = " - 1" if drop else ""
    result = Derivation(
        quantity=axis_name(axis, op.axes),
        formula=formula + end,
        substitution=substitution + end,
        result=count - drop,
        remark=_lost(op, axis, size, count - drop, dropped=drop),
    )
    if result.result < 1:
        raise _vanished(op, axis, result, smallest=span - before - after - (stride - 1 if ceil else 0))
    return result


def _window_formula(op: Window, axis: int, size: int, *, ceil: bool) -> tuple[str, str]:
    kernel, stride = op.kernel_size[axis], op.stride[axis]  # type: ignore[attr-defined]
    dilation: int = getattr(op, "dilation", (1,) * op.axes)[axis]
    before, after = op.pads[axis]
    round_, two = ("ceil" if ceil else "floor"), before == after
    spread = ("(D*(F - 1) + 1)", f"({dilation}*({kernel} - 1) + 1)") if dilation > 1 else ("F", str(kernel))
    pad = ("2*P", f"2*{before}") if two else ("(P_before + P_after)", f"({before} + {after})")
    return (
        f"{round_}((W - {spread[0]} + {pad[0]}) / S) + 1",
        f"{round_}(({size} - {spread[1]} + {pad[1]}) / {stride}) + 1",
    )


def _lost(op: Window, axis: int, size: int, count: int, *, dropped: bool) -> str:
    """What rounding did: pixels that no window reads, windows that reach beyond the input or were dropped."""
    span, (before, after) = op.span[axis], op.pads[axis]
    stride: int = op.stride[axis]  # type: ignore[attr-defined]
    padded, notes = size + before + after, []
    if getattr(op, "padding", None) == "same":
        notes.append(f"'same' pads {before + after} in all, {before} before and {after} after")
    if dropped:
        notes.append(
            f"one window less: it would start at {count * stride}, past the input and the padding before it "
            f"({size + before}); PyTorch drops such a window"
        )
    left = padded - (count - 1) * stride - span
    if left > 0:
        are, whole = ("is" if left == 1 else "are"), "padded input" if before or after else "input"
        only = ", which is padding only" if left <= after else ""
        notes.append(f"the last {axis_units(axis, op.axes, left)} of the {whole} {are} never read{only}")
    if left < 0:
        notes.append(f"the last window reaches {axis_units(axis, op.axes, -left)} past the padded input")
    return "; ".join(notes)


def _vanished(op: Window, axis: int, size: Derivation, smallest: int) -> Exception:
    kernel = op.kernel_size[axis]  # type: ignore[attr-defined]
    span = f", {op.span[axis]} with its dilation" if op.span[axis] != kernel else ""
    return misfit(
        "kernel_size",
        f"fit into the padded input, so that the {size.quantity} does not vanish",
        f"{kernel}{span}: {size}",
        f"give an input with a {size.quantity} of at least {max(smallest, 1)}, or a smaller kernel",
    )


def _paint(op: ConvTranspose | MaxUnpool, axis: int, size: int) -> Derivation:
    """The extent that ``size`` kernels cover, laid ``stride`` apart, less the padding."""
    kernel, stride, (before, after) = op.kernel_size[axis], op.stride[axis], op.pads[axis]
    dilation: int = getattr(op, "dilation", (1,) * op.axes)[axis]
    extra: int = getattr(op, "output_padding", (0,) * op.axes)[axis]
    spread = ("D*(F - 1) + 1", f"{dilation}*({kernel} - 1) + 1") if dilation > 1 else ("F", str(kernel))
    pad = ("2*P", f"2*{before}") if before == after else ("(P_before + P_after)", f"({before} + {after})")
    more = (" + output_padding", f" + {extra}") if extra else ("", "")
    result = Derivation(
        quantity=axis_name(axis, op.axes),
        formula=f"(W - 1)*S - {pad[0]} + {spread[0]}{more[0]}",
        substitution=f"({size} - 1)*{stride} - {pad[1]} + {spread[1]}{more[1]}",
        result=(size - 1) * stride - before - after + op.span[axis] + extra,
    )
    if result.result < 1 and getattr(op, "output_size", None) is None:
        must, got = f"leave something of the {result.quantity}", f"{max(before, after)}: {result}"
        raise misfit("padding", must, got, "pad less or give a larger input")
    return result


def _chosen(op: MaxUnpool, axis: int, default: Derivation) -> Derivation:
    """``output_size`` where it is one of the sizes that a pool with this stride maps to the same input."""
    chosen, stride = (op.output_size or op.stride)[axis], op.stride[axis]
    if not abs(chosen - default.result) < stride:
        must = f"differ from {default} by less than the stride {stride}"
        raise misfit("output_size", must, chosen, "give the size that went into the pool")
    return Derivation(default.quantity, "output_size", "output_size", chosen, steps=(default,))
