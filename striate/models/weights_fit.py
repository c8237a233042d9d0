"""Which tensor of a file goes where, from names and shapes alone. No tensor is touched here.

Tried in this order:
    by name        the file has our names
    by words       another library's words stand in weights_names: both sides are put into reading order
    by structure   the tree of names is ours but for its words (weights_alignment); this is said aloud
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod

from striate.models.weights_alignment import Shape, align
from striate.models.weights_names import Origin, origin_of, reading_order

Shapes = Mapping[str, Shape]


@dataclass(frozen=True)
class Fit:
    """Where the tensors of a file go."""

    names: Mapping[str, str]
    """Our name -> their name of each tensor to be loaded."""
    classes: int | None = None
    """How many classes the file knows, where the network has another number."""
    fresh: tuple[str, ...] = ()
    """Our tensors that keep their start: the head, where the numbers of classes differ."""
    unused: tuple[str, ...] = ()
    """Theirs that have no place."""
    origin: Origin | None = None
    """The library whose words told."""
    structure: bool = False
    """Whether structure told."""
    twin: str | None = None
    """Another network that has the same tensors under the same names, and computes something else."""


@dataclass(frozen=True)
class Catalogued:
    """What the catalogue knows about a network beyond its tensors."""

    classes: int
    spare: Callable[[], Collection[str]]
    """Names that a file may have beyond the network's: auxiliary heads."""
    with_classes: Callable[[int], Shapes]
    """The network's tensors for another number of classes."""
    owner: Callable[[Shapes], str | None]
    """Another network whose tensors have exactly these names and shapes, if there is one."""


def by_name(ours: Shapes, theirs: Shapes, known: Catalogued | None) -> Fit | None:
    """The fit if all names are there, and shapes are equal or differ in the number of classes only."""
    if any(name not in theirs for name in ours):
        return None
    unused = tuple(name for name in theirs if name not in ours)
    if unused and (known is None or not set(unused) <= set(known.spare())):
        return None
    fresh = tuple(name for name in ours if ours[name] != theirs[name])
    fit = Fit({name: name for name in ours if name not in fresh}, unused=unused)
    if not fresh:
        return fit
    # Only the last layer can have another number of outputs and no successor that notices.
    counts = {theirs[name][:1] for name in fresh}
    if known is None or len(counts) > 1 or any(ours[name][:1] != (known.classes,) for name in fresh):
        return None
    if any(len(ours[name]) != len(theirs[name]) or ours[name][1:] != theirs[name][1:] for name in fresh):
        return None
    return replace(fit, classes=counts.pop()[0], fresh=fresh)


def renamed(ours: Shapes, theirs: Shapes, known: Catalogued | None, *, ordered: bool) -> Fit | str:
    """The fit of tensors under other names than ours, or why it is in doubt; "" when shapes differ."""
    doubt = ""
    for classes, wanted in _class_counts(ours, theirs, known):
        found = _by_words(wanted, theirs) or _by_structure(wanted, theirs, ordered)
        if isinstance(found, Fit):
            fresh = tuple(name for name in ours if ours[name] != wanted[name])
            names = {name: other for name, other in found.names.items() if name not in fresh}
            return replace(found, names=names, classes=classes, fresh=fresh)
        doubt = doubt or found
    return doubt


def _by_words(ours: Shapes, theirs: Shapes) -> Fit | None:
    order = reading_order(theirs)
    if order is None or len(order) != len(ours):
        return None
    names = dict(zip(ours, order, strict=True))
    if not all(_same_numbers(ours[mine], theirs[other]) for mine, other in names.items()):
        return None
    return Fit(names, origin=origin_of(theirs))


def _same_numbers(ours: Shape, theirs: Shape) -> bool:
    """Whether one is the other, or its flat form: timm's VGG has 4096x512x7x7 where ours has 4096x25088."""
    if len(ours) == len(theirs):
        return ours == theirs
    return ours[:1] == theirs[:1] and prod(ours) == prod(theirs)


def _by_structure(ours: Shapes, theirs: Shapes, ordered: bool) -> Fit | str:
    alignment = align(ours, theirs, ordered=ordered)
    return Fit(alignment.names, structure=True) if alignment.names else alignment.problem


def _class_counts(
    ours: Shapes, theirs: Shapes, known: Catalogued | None
) -> Iterator[tuple[int | None, Shapes]]:
    """Our tensors as they are, then for each other number of classes that the file may know."""
    yield None, ours
    if known is None:
        return
    another = known.with_classes(known.classes + 1)
    heads = {shape[1:] for name, shape in ours.items() if len(shape) > 1 and another.get(name) != shape}
    counts = {prod(shape[:1]) for shape in theirs.values() for head in heads if _ends(shape, head)}
    for count in sorted(counts - {known.classes}):  # a wrong one fits nowhere
        yield count, known.with_classes(count)


def _ends(shape: Shape, head: Shape) -> bool:
    """Whether ``shape`` may be a head's: its inputs are the same number."""
    return len(shape) > 1 and prod(shape[1:]) == prod(head)
