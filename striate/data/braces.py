"""Braces in a name, as shells read them: {000..999} counts, {train,val} lists, and one may hold the other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from striate.errors import DataError

MOST_SHARDS = 100_000
_RANGE = re.compile(r"(\d+)\.\.(\d+)")


def expand(pattern: str) -> list[str]:
    """The names that a pattern stands for, each once.

    Raises DataError: more than MOST_SHARDS, a range that counts backwards.
    """
    names = list(islice(_each(pattern, pattern), MOST_SHARDS + 1))
    if len(names) > MOST_SHARDS:
        raise DataError(f"{pattern} names over {MOST_SHARDS:,} shards: name fewer.")
    return list(dict.fromkeys(names))


def _each(text: str, pattern: str) -> Iterator[str]:
    head, opening, rest = text.partition("{")
    parts, tail = _parts(rest)
    if not opening or not parts:  # none, or one that is never closed
        yield text
        return
    choices = parts if len(parts) > 1 else _counted(parts[0], pattern)
    for choice in choices:
        for middle in _each(choice, pattern):
            for end in _each(tail, pattern):
                yield head + middle + end


def _parts(text: str) -> tuple[list[str], str]:
    """What lies between the commas up to the brace that closes, and what follows it; no parts without it."""
    depth, start, parts = 0, 0, []
    for place, letter in enumerate(text):
        if letter == "{":
            depth += 1
        elif letter in ",}" and depth == 0:
            parts.append(text[start:place])
            start = place + 1
            if letter == "}":
                return parts, text[start:]
        elif letter == "}":
            depth -= 1
    return [], ""


def _counted(text: str, pattern: str) -> Iterator[str]:
    counted = _RANGE.fullmatch(text)
    if counted is None:
        yield text
        return
    first, last = counted.groups()
    if int(first) > int(last):
        raise DataError(f"{pattern} counts backwards, from {first} to {last}: exchange them.")
    width = len(first) if first.startswith("0") else 0
    for number in range(int(first), int(last) + 1):
        yield f"{number:0{width}}"
