"""Pictures that are there more than once: equal files, and pictures that are nearly the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from striate.data.findings import Finding
from striate.data.likeness import BYTES, alike
from striate.data.listing import ImageFile
from striate.data.scan import Facts

MOST_WITHIN = 50_000  # images of one split that are compared with each other

Table = Mapping[str, Sequence[Facts]]
"""Split name -> what a look at each of its files told."""


def copies(table: Table) -> Iterator[Finding]:
    """Exactly equal content: in two splits it inflates the accuracy, in two classes one label is wrong."""
    groups: dict[str, list[tuple[str, ImageFile]]] = defaultdict(list)
    for split, facts in table.items():
        for fact in facts:
            if fact.digest:
                groups[fact.digest].append((split, fact.file))
    across, conflicting, within = [], [], []
    for group in groups.values():
        if len({frozenset(file.labels) for _, file in group}) > 1:
            conflicting.append(group)
        if len({split for split, _ in group}) > 1:
            across.append(group)
        elif len(group) > 1:
            within.append(group)
    for severity, rule, found, meaning in (
        (
            "warning",
            "conflicting-labels",
            conflicting,
            "in more than one class, so that a label must be wrong",
        ),
        (
            "warning",
            "duplicates-across-splits",
            across,
            "in more than one split, so that accuracy looks too good",
        ),
        ("note", "duplicates-within-a-split", within, "more than once in the same split"),
    ):
        if found:
            files = tuple(" = ".join(file.key for _, file in group) for group in found)
            yield Finding(severity, rule, f"The same picture lies {meaning}: {len(found)} times.", files)


def alike_findings(table: Table) -> Iterator[Finding]:
    """Nearly the same picture in two splits: another size or quality. In a set without splits: a note."""
    hashes = {split: _hashes(facts) for split, facts in table.items()}
    pairs = []
    for first, second in combinations(table, 2):
        for row, column, _ in alike(hashes[first], hashes[second]):
            one, other = table[first][row], table[second][column]
            if one.digest != other.digest:
                pairs.append(f"{one.file.key} ~ {other.file.key}")
    if pairs:
        yield Finding(
            "warning",
            "near-duplicates-across-splits",
            "Nearly the same picture lies in more than one split, so that accuracy looks too good: "
            f"{len(pairs)} pairs.",
            tuple(sorted(pairs)),
        )
    if len(table) == 1:
        yield from _within(next(iter(table.values())), next(iter(hashes.values())))


def _within(facts: Sequence[Facts], hashes: NDArray[np.uint8]) -> Iterator[Finding]:
    if len(facts) > MOST_WITHIN:
        return
    pairs = [
        f"{facts[row].file.key} ~ {facts[column].file.key}"
        for row, column, _ in alike(hashes, hashes)
        if row < column and facts[row].digest != facts[column].digest
    ]
    if pairs:
        yield Finding(
            "note",
            "near-duplicates",
            "Nearly the same picture is there more than once; a part held out for validation may hold one of "
            f"the two: {len(pairs)} pairs.",
            tuple(sorted(pairs)),
        )


def _hashes(facts: Sequence[Facts]) -> NDArray[np.uint8]:
    """(N, 32); zeros, which are like nothing, where there is no hash."""
    joined = b"".join(fact.likeness or bytes(BYTES) for fact in facts)
    return np.frombuffer(joined, np.uint8).reshape(-1, BYTES)
