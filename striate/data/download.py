"""Fetch a file over HTTP: progress, resume after an interruption, and nothing kept that is not verified."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from http.client import HTTPException
from pathlib import Path

from striate.errors import DataError

_PART = 1 << 16  # bytes between two reports of progress
_PATIENCE = 30  # seconds without a byte


def fetch(
    urls: Sequence[str],
    target: Path,
    is_right: Callable[[bytes], bool],
    on_progress: Callable[[int, int], None] | None = None,
) -> None:
    """Download the first of ``urls`` that answers to ``target``; ``is_right`` judges the content.

    What has arrived is kept beside the target as ``.part``, and the next call goes on from there.
    ``on_progress`` gets (bytes so far, bytes in all; 0 if the server does not say).
    Raises DataError when no address answers with the right content.
    """
    part = target.with_name(target.name + ".part")
    failures = []
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        for url in urls:
            try:
                _continue(url, part, on_progress)
            except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
                failures.append(f"{url}: {getattr(error, 'reason', None) or error}")
                continue
            if is_right(part.read_bytes()):
                part.replace(target)
                return
            part.unlink()
            failures.append(f"{url}: the content is not what it should be (SHA-256)")
    except OSError as error:
        raise DataError(
            f"{target} cannot be written ({error.strerror}): set STRIATE_CACHE to a folder with room."
        ) from None
    raise DataError(
        f"{target.name} could not be downloaded ({'; '.join(failures)}): try again (it goes on where it "
        f"stopped), or put the file into {target.parent} yourself."
    )


def _continue(url: str, part: Path, on_progress: Callable[[int, int], None] | None) -> None:
    """Append to ``part`` what it lacks; start again where the server cannot go on in the middle."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=_PATIENCE)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # nothing is left to send: the part is whole, or not of this file
            return
        raise
    with response:
        if response.status != 206:
            have = 0
        total = have + int(response.headers.get("Content-Length", 0))
        with part.open("ab" if have else "wb") as file:
            while block := response.read(_PART):
                file.write(block)
                have += len(block)
                if on_progress is not None:
                    on_progress(have, total)
    if have < total:
        raise ConnectionError(f"the connection ended after {have:,} of {total:,} bytes")
