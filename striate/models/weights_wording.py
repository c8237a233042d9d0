"""What is said about weights: why they were refused, and what to know about those that were loaded."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from striate.errors import ArgumentError
from striate.models.weights_alignment import Shape
from striate.models.weights_fit import Fit

ROWS = 8  # mismatches shown in a refusal; there may be hundreds
SHOWN = 4  # tensors named in a remark
CLASSES_AND_SIZES = (
    "Create the network with the classes, in_channels and image_size that the file was made with."
)


def refusal(
    ours: Mapping[str, Shape], theirs: Mapping[str, Shape], path: Path, remedy: str = CLASSES_AND_SIZES
) -> ArgumentError:
    """The first tensors that differ in name or shape."""
    rows = [
        (name, _size(ours.get(name)), _size(theirs.get(name)))
        for name in dict.fromkeys([*ours, *theirs])
        if ours.get(name) != theirs.get(name)
    ]
    return ArgumentError(
        f"weights must hold exactly this network's tensors, but {len(rows)} differ in {path}, and "
        f"nothing was loaded:\n{_table(rows)}\n{remedy}"
    )


def doubt(path: Path, problem: str) -> ArgumentError:
    """Shapes that fit, under names that do not say which is which."""
    return ArgumentError(
        f"weights must have one certain place for each tensor, but not all in {path} have, and nothing was "
        f"loaded: {problem}\nRename the tensors as this network's state_dict() names them."
    )


def remarks(path: Path, fit: Fit, *, told: bool) -> Iterator[str]:
    """Sentences about weights that were loaded; ``told``: the network they were learned in is known."""
    if fit.fresh:
        yield (
            f"{path} knows {fit.classes} classes and this network another number: {_some(fit.fresh)} "
            "start untrained, all other tensors were loaded."
        )
    if fit.unused:
        yield f"{path} has {len(fit.unused)} tensors more than this network: {_some(fit.unused)}."
    if fit.origin is not None and fit.origin.remark and not told:
        yield f"{path} has the names of {fit.origin.title}: {fit.origin.remark}."
    if fit.twin is not None and not told:
        yield f"{path} would fit {fit.twin} as well, which computes something else: know where it is from."
    if fit.structure:
        moved = [f"{theirs} is {ours}" for ours, theirs in fit.names.items() if ours != theirs]
        yield f"{path} has other names than this network; structure told what each is: {_some(moved)}."


def _some(names: Collection[str]) -> str:
    shown = ", ".join(list(names)[:SHOWN])
    return shown if len(names) <= SHOWN else f"{shown} and {len(names) - SHOWN} more"


def _size(shape: Shape | None) -> str:
    if shape is None:
        return "absent"
    return "x".join(map(str, shape)) or "one number"


def _table(rows: list[tuple[str, str, str]]) -> str:
    shown = [("tensor", "network", "file"), *rows[:ROWS]]
    first, second = (max(len(row[column]) for row in shown) for column in (0, 1))
    lines = [f"  {name:<{first}}  {ours:<{second}}  {theirs}" for name, ours, theirs in shown]
    return "\n".join(lines + ([f"  and {len(rows) - ROWS} more"] if len(rows) > ROWS else []))
