"""Two trees of names for the same tensors: which tensor is which, decided by evidence or not at all.

A state dict's names are paths in a tree of modules. Two trees fit when they are the same but for the words:
at each place the same shapes below it. A part that has a structure of its own is then known for certain.
Twins, parts of equal structure in one module, are told apart by their words:

    the same words on both sides             branch1x1, branch_pool   branch1x1, branch_pool
    numbers of a list, or behind one word    0, 1, ..., 9, 10         0, 2, ..., 18, 20
    numbers behind a word for layers         bn1, bn2                 norm1, norm2

and in every other way they are not: the answer is then a sentence that lists them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

Shape = tuple[int, ...]

ROLES = frozenset({"weight", "bias", "running_mean", "running_var"})  # PyTorch's own names of tensors
# Words whose numbers people count upwards in the order in which layers act.
COUNTED = {"conv", "conv2d", "bn", "norm", "batchnorm", "fc", "linear", "dense", "layer", "block", "stage"}
PARALLEL = ("branch", "tower", "path")  # words for parts that act side by side, which have no order
FIRST, GAP = 2, 5  # a list starts at 0 to 2 and skips at most 4 places: activations, pools have no tensors
SHOWN = 4  # groups of twins in a sentence


@dataclass(frozen=True)
class Alignment:
    """Their name of each of our tensors; or none, because shapes differ or because of ``problem``."""

    names: Mapping[str, str]
    problem: str = ""


@dataclass
class Place:
    """A node of a tree of names: a tensor (with a shape), or a module (with parts)."""

    name: str = ""
    path: str = ""
    shape: Shape | None = None
    parts: dict[str, Place] = field(default_factory=dict)
    kind: int = -1
    """Equal for two places that differ in nothing but words."""
    order: int = 0
    """Where in the state dict its first tensor stands."""


def align(ours: Mapping[str, Shape], theirs: Mapping[str, Shape], *, ordered: bool) -> Alignment:
    """Match two sets of named shapes.

    ``ordered``: their mapping has the order in which a program defined its tensors. This is a second witness,
    which must not contradict the numbers in their names.
    """
    kinds: dict[object, int] = {}
    first, second = _tree(ours, kinds), _tree(theirs, kinds)
    if first.kind != second.kind:
        return _by_shape_alone(ours, theirs)
    matching = _Matching(ordered)
    matching.match(first, second)
    return Alignment({}, _sentence(matching.twins)) if matching.twins else Alignment(matching.found)


Twins = tuple[list[Place], list[Place]]


class _Matching:
    """Walks down two trees of equal structure at once."""

    def __init__(self, ordered: bool) -> None:
        self.ordered = ordered
        self.found: dict[str, str] = {}
        self.twins: list[Twins] = []

    def match(self, ours: Place, theirs: Place) -> None:
        if ours.shape is not None:
            self.found[ours.path] = theirs.path
            return
        ours, theirs = _unwrapped(ours), _unwrapped(theirs)
        kinds = defaultdict[int, Twins](lambda: ([], []))
        for side, place in enumerate((ours, theirs)):
            for part in place.parts.values():
                kinds[part.kind][side].append(part)
        pairs: list[tuple[Place, Place]] = []
        for mine, others in kinds.values():
            told = self._told_apart(mine, others, theirs)
            if not told:
                self.twins.append((mine, others))
            pairs += told
        if _contradicts(pairs):
            self.twins += [twins for twins in kinds.values() if len(twins[0]) > 1]
        for mine_part, their_part in pairs:
            self.match(mine_part, their_part)

    def _told_apart(self, ours: list[Place], theirs: list[Place], parent: Place) -> list[tuple[Place, Place]]:
        """The pairs; none when nothing tells the twins apart."""
        if len(ours) == 1:
            return [(ours[0], theirs[0])]
        named = {place.name: place for place in theirs}
        if named.keys() == {place.name for place in ours}:
            return [(place, named[place.name]) for place in ours]
        mine, others = _counted(ours), _counted(theirs)
        if not mine or not others or not self._trusted(mine, others, parent):
            return []
        return list(zip(mine, others, strict=True))

    def _trusted(self, ours: list[Place], theirs: list[Place], parent: Place) -> bool:
        """Whether the numbers of their twins, here in natural order, say in which order they act."""
        mine, stem = _stem(ours[0].name), _stem(theirs[0].name)
        words = f"{mine} {stem} {ours[0].path} {parent.name}".lower()
        if any(word in words for word in PARALLEL):
            return False
        for twins, known in ((ours, True), (theirs, self.ordered)):
            if known and [place.order for place in twins] != sorted(place.order for place in twins):
                return False
        if stem and (stem == mine or stem.strip("_-").lower() in COUNTED):
            return True
        numbers = sorted(_number(name) for name in parent.parts if _stem(name) == stem and name != stem)
        gaps = [after - before for before, after in pairwise(numbers)]
        return numbers[0] <= FIRST and max(gaps) <= GAP and (not stem or self.ordered)


def _contradicts(pairs: Iterable[tuple[Place, Place]]) -> bool:
    """Whether numbers behind one word of theirs grow while we go back: then they do not count layers."""
    sequences = defaultdict[str, list[tuple[int, int]]](list)
    for ours, theirs in pairs:
        if theirs.name != ours.name and theirs.name != _stem(theirs.name):
            sequences[_stem(theirs.name)].append((_number(theirs.name), ours.order))
    return any(
        [order for _, order in sorted(sequence)] != sorted(order for _, order in sequence)
        for sequence in sequences.values()
    )


def _by_shape_alone(ours: Mapping[str, Shape], theirs: Mapping[str, Shape]) -> Alignment:
    """Trees of different structure fit if each module has shapes that no other has, as in LeNet-5."""
    mine, others = _modules(ours), _modules(theirs)
    if {kind: len(paths) for kind, paths in mine.items()} != {k: len(paths) for k, paths in others.items()}:
        return Alignment({})
    if any(len(paths) > 1 for paths in mine.values()):
        return Alignment({}, "its modules are nested in another way, and several have the same shapes")
    names = {
        _join(paths[0], role): _join(others[kind][0], role)
        for kind, paths in mine.items()
        for role, _ in kind
    }
    return Alignment(names)


def _modules(tensors: Mapping[str, Shape]) -> dict[frozenset[tuple[str, Shape]], list[str]]:
    """Paths of the modules, by the names and shapes of their own tensors."""
    modules = defaultdict[str, set[tuple[str, Shape]]](set)
    for name, shape in tensors.items():
        path, _, role = name.rpartition(".")
        modules[path].add((role, shape))
    found = defaultdict[frozenset[tuple[str, Shape]], list[str]](list)
    for path, kind in modules.items():
        found[frozenset(kind)].append(path)
    return found


def _tree(tensors: Mapping[str, Shape], kinds: dict[object, int]) -> Place:
    root = Place()
    for order, (path, shape) in enumerate(tensors.items()):
        place = root
        for name in path.split("."):
            place = place.parts.setdefault(name, Place(name, _join(place.path, name), order=order))
        place.shape = shape
    _classify(root, kinds)
    return root


def _classify(place: Place, kinds: dict[object, int]) -> int:
    """Number the structures; a module around one module has its structure."""
    if place.shape is not None:
        structure: object = (place.name if place.name in ROLES else "", place.shape)
    else:
        structure = tuple(sorted(_classify(part, kinds) for part in _unwrapped(place).parts.values()))
    place.kind = kinds.setdefault(structure, len(kinds))
    return place.kind


def _unwrapped(place: Place) -> Place:
    """The first place from here on that is not merely a module around one module."""
    while len(place.parts) == 1 and (part := next(iter(place.parts.values()))).parts:
        place = part
    return place


def _counted(twins: list[Place]) -> list[Place]:
    """In natural order (2 before 10), if they are one word with different numbers; else none."""
    if len({_stem(place.name) for place in twins}) > 1:
        return []
    if any(_stem(place.name) == place.name for place in twins):
        return []
    return sorted(twins, key=lambda place: _number(place.name))


def _stem(name: str) -> str:
    return re.sub(r"[0-9]+$", "", name)


def _number(name: str) -> int:
    return int(name[len(_stem(name)) :])


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _sentence(twins: list[Twins]) -> str:
    lines = [
        f"  {', '.join(place.path for place in mine)}  or  {', '.join(place.path for place in others)}"
        for mine, others in twins[:SHOWN]
    ]
    more = [f"  and {len(twins) - SHOWN} more groups"] if len(twins) > SHOWN else []
    return "\n".join(["these have equal shapes, and their names do not say which is which:", *lines, *more])
