"""A file whose content is known, from the first server that has it: nothing is kept that is not verified."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from striate.data.transfer import FAILURES, Transfer, reason
from striate.errors import DataError


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
                for there, total in Transfer(url, part).go_on():
                    if on_progress is not None:
                        on_progress(there, total)
            except FAILURES as error:
                failures.append(f"{url}: {reason(error)}")
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
