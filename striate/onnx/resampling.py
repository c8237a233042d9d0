"""Reader of Resize: of its modes, those in which the word Upsample takes the very same pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate import ops
from striate.onnx.call import Call
from striate.onnx.registry import reads

LINEAR = {1: "linear", 2: "bilinear"}
ROUNDINGS: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


@reads("Resize", 11, 13, 18, 19)
def resize(call: Call) -> str:
    mode, place = call.text("mode", "nearest"), call.text("coordinate_transformation_mode", "half_pixel")
    rounding = call.text("nearest_mode", "round_prefer_floor")
    call.real("cubic_coeff_a", -0.75)
    call.real("extrapolation_value", 0.0)
    call.only("exclude_outside", 0)
    call.only("antialias", 0)
    call.only("keep_aspect_ratio_policy", "stretch")
    x, factors, sizes = call.value(), *_target(call)
    if mode == "nearest":
        op = ops.Upsample(size=sizes) if factors is None else ops.Upsample(scale_factor=factors)
        _need_same_pixels(call, sizes, factors, place, rounding)
        return call.emit(op, x)
    axes = len(sizes)
    aligned = place == "align_corners"
    halves = place == "half_pixel" or (place == "pytorch_half_pixel" and min(sizes) > 1)
    if mode != "linear" or axes not in LINEAR or not (aligned or halves):
        call.refuse(
            f"mode {mode!r} with {place!r} over {axes} axes has no word; nearest with asymmetric, and "
            f"linear with "
            "half_pixel or align_corners over 1 or 2 axes have one"
        )
    before = call.sizes(x)[1:]
    if (
        aligned
        and factors
        and any(abs(old * f - new) > 1e-6 for old, f, new in zip(before, factors, sizes, strict=True))
    ):
        call.refuse(
            f"align_corners with scales {factors} of {before} counts fractions of pixels; state sizes"
        )
    by_size = aligned or factors is None
    op = ops.Upsample(
        size=sizes if by_size else None,
        scale_factor=None if by_size else factors,
        mode=LINEAR[axes],
        align_corners=aligned,
    )
    return call.emit(op, x)


def _target(call: Call) -> tuple[tuple[float, ...] | None, tuple[int, ...]]:
    """Scale factors, where the file states them, and sizes, of the spatial axes."""
    rank, sizes = call.rank(), call.sizes(call.value())
    axes = call.integers("axes")
    axes = list(range(rank)) if axes is None else [call.axis(axis, rank) for axis in axes]
    scales = call.array(2, "scales") if call.given(2) else np.zeros(0)
    if scales.size:
        wanted = [1.0] * rank
        stated = [float(str(np.float32(entry))) for entry in scales.reshape(-1)]
        _need_all(call, stated, axes)
        for axis, factor in zip(axes, stated, strict=True):
            wanted[axis] = factor
        if wanted[:2] != [1.0, 1.0] or min(wanted) <= 0:
            call.refuse(f"it must leave batch and channels as they are, got scales {wanted}")
        # the product in single precision, as exporters state factors
        counts = tuple(int(np.floor(s * np.float32(f))) for s, f in zip(sizes[1:], wanted[2:], strict=True))
        if counts != tuple(int(np.floor(s * f)) for s, f in zip(sizes[1:], wanted[2:], strict=True)):
            return None, counts
        return tuple(wanted[2:]), counts
    target: list[object] = [None, *sizes]
    entries = call.entries(3, "sizes")
    _need_all(call, entries, axes)
    for axis, entry in zip(axes, entries, strict=True):
        target[axis] = entry if axis else None
    if rank < 3 or target[1] != sizes[0] or not all(isinstance(size, int) for size in target[1:]):
        call.refuse(f"it must leave batch and channels as they are, got sizes {entries}")
    return None, tuple(int(str(size)) for size in target[2:])


def _need_all(call: Call, entries: Sequence[object], axes: Sequence[int]) -> None:
    if len(entries) != len(axes) or len(set(axes)) < len(axes) or call.rank() < 3:
        call.refuse(f"it must have one scale or size for each of {len(axes)} axes, got {list(entries)}")


def _need_same_pixels(
    call: Call, sizes: tuple[int, ...], factors: tuple[float, ...] | None, place: str, rounding: str
) -> None:
    """Refuse what would read other pixels than the word does: x[floor(i * step)]."""
    before = call.sizes(call.value())[1:]
    if rounding not in ROUNDINGS:
        call.refuse(f"its nearest_mode must be one of {', '.join(ROUNDINGS)}, got {rounding!r}")
    for axis, (old, new) in enumerate(zip(before, sizes, strict=True)):
        if new > 2**20:
            call.refuse(f"a size of {new} is larger than striate computes")
        scale = new / old if factors is None else factors[axis]
        whole = old * scale - 1  # ONNX counts fractions of pixels here
        i: NDArray[Any] = np.arange(new)
        x: NDArray[Any]
        match place:
            case "asymmetric":
                x = i / scale
            case "half_pixel" | "pytorch_half_pixel" if new > 1 or place == "half_pixel":
                x = (i + 0.5) / scale - 0.5
            case "tf_half_pixel_for_nn":
                x = (i + 0.5) / scale
            case "align_corners":
                x = i * ((old - 1) / whole) if whole > 0 else 0.0 * i
            case _:
                call.refuse(f"its coordinate_transformation_mode {place!r} has no word")
        theirs = np.clip(ROUNDINGS[rounding](x), 0, old - 1)
        ours = np.minimum(np.floor(i.astype(np.float32) * np.float32(1 / scale)), old - 1)
        if not np.array_equal(theirs, ours):
            call.refuse(
                f"nearest with {place!r} and {rounding!r} from {old} to {new} reads other pixels than "
                f"Upsample"
            )
