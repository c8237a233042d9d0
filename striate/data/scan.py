"""One look at every file: its content's digest, its size, whether it is grey, and whether it opens.

Only the header is decoded; ``thorough`` decodes the pixels too and finds what is cut short.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from striate.data.decode import decode_image, open_image, size_and_greyness
from striate.data.folder import ImageFile
from striate.errors import ImageError

Progress = Callable[[int, int], None]
"""Called with (done, total)."""

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Facts:
    """What one look at a file told. ``problem`` is the sentence why it cannot be used, or None."""

    file: ImageFile
    digest: str
    size: tuple[int, int]
    """Height and width in pixels as seen upright; (0, 0) if the file does not open."""
    grey: bool
    problem: str | None = None


def scan(
    files: Sequence[ImageFile], *, thorough: bool = False, on_progress: Progress | None = None
) -> list[Facts]:
    """Look at files with a few threads; the result has the order of ``files``."""
    return list(in_threads(lambda file: _look(file, thorough), files, on_progress))


def in_threads(
    work: Callable[[_Item], _Result], items: Iterable[_Item], on_progress: Progress | None = None
) -> Iterator[_Result]:
    """``map`` with a small thread pool (Pillow lets go of the interpreter lock), in order."""
    every = list(items)
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for done, result in enumerate(pool.map(work, every), start=1):
            if on_progress is not None:
                on_progress(done, len(every))
            yield result


def _look(file: ImageFile, thorough: bool) -> Facts:
    try:
        content = file.path.read_bytes()
    except OSError as error:
        return Facts(
            file, "", (0, 0), False, f"{file.key} cannot be read ({error.strerror}): check the file."
        )
    digest = hashlib.sha256(content).hexdigest()
    try:
        with open_image(content, file.key) as image:
            size, grey = size_and_greyness(image, file.key)
        if thorough:
            decode_image(content, 3, name=file.key)
    except ImageError as error:
        return Facts(file, digest, (0, 0), False, str(error))
    return Facts(file, digest, size, grey)
