"""Where decoded images are kept: small sets in memory, larger ones in a pack, what has no room nowhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from striate.data.frame import Frame
from striate.data.memory import memory
from striate.data.pack import Pack, draw_all, open_pack, write_pack
from striate.data.pixels import Decoded, Pixels, Selected
from striate.data.scan import Facts, Progress

SMALL = 256 * 2**20  # bytes that are kept in memory without asking: 1,300 photographs, decoded in seconds
_SHARE = 4  # where there can be no pack, up to a quarter of the memory


@dataclass(frozen=True)
class Stored:
    """The images of ``facts``, in their order.

    ``problems``: digest -> sentence, of files that do not decode; where there are any, ``pixels`` is None.
    ``how``: "memory", "pack" or "anew" (decoded whenever they are asked for).
    """

    pixels: Pixels | None
    facts: list[Facts]
    problems: Mapping[str, str]
    how: str


def store(facts: Sequence[Facts], frame: Frame, source: str, on_progress: Progress | None = None) -> Stored:
    """Decode files that have no known problem, each content once."""
    size = len(facts) * int(np.prod(frame.shape))
    if size <= SMALL:
        return _in_memory(facts, frame, on_progress)
    files = {fact.digest: fact.file for fact in facts}
    pack = open_pack(source, frame)
    problems: dict[str, str] = {}
    if pack is None or not files.keys() <= pack.rows.keys():
        pack, problems = write_pack(source, frame, files, on_progress)
    if problems:
        return Stored(None, list(facts), problems, "pack")
    if pack is not None:
        return _in_pack(facts, pack)
    limit = memory()
    if limit is None or size <= limit / _SHARE:
        return _in_memory(facts, frame, on_progress)
    return _anew(facts, frame, on_progress)


def _in_memory(facts: Sequence[Facts], frame: Frame, on_progress: Progress | None) -> Stored:
    pixels = np.empty((len(facts), *frame.shape), np.uint8)
    problems: dict[str, str] = {}
    seen = []
    drawn = draw_all([fact.file for fact in facts], frame, on_progress)
    for row, (fact, one) in enumerate(zip(facts, drawn, strict=True)):
        if isinstance(one, str):
            problems[fact.digest] = one
        else:
            pixels[row], likeness = one
            seen.append(replace(fact, likeness=likeness))
    if problems:
        return Stored(None, list(facts), problems, "memory")
    return Stored(pixels, seen, {}, "memory")


def _in_pack(facts: Sequence[Facts], pack: Pack) -> Stored:
    rows = np.array([pack.rows[fact.digest] for fact in facts], np.int64)
    seen = [
        replace(fact, likeness=pack.likeness[row].tobytes()) for fact, row in zip(facts, rows, strict=True)
    ]
    return Stored(Selected(pack.frames, rows), seen, {}, "pack")


def _anew(facts: Sequence[Facts], frame: Frame, on_progress: Progress | None) -> Stored:
    """Nothing is kept; but every file is decoded once now, so that none ends a long training."""
    unknown = [fact for fact in facts if fact.likeness is None]
    problems: dict[str, str] = {}
    hashes: dict[str, bytes] = {}
    drawn = draw_all([fact.file for fact in unknown], frame, on_progress)
    for fact, one in zip(unknown, drawn, strict=True):
        if isinstance(one, str):
            problems[fact.digest] = one
        else:
            hashes[fact.digest] = one[1]
    if problems:
        return Stored(None, list(facts), problems, "anew")
    seen = [
        fact if fact.likeness is not None else replace(fact, likeness=hashes[fact.digest]) for fact in facts
    ]
    return Stored(Decoded([fact.file for fact in facts], frame), seen, {}, "anew")
