"""One file over http or https: what has arrived is appended to a part, which a later try goes on with."""

from __future__ import annotations

import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path

from striate.errors import DataError

PATIENCE = 30  # seconds without a byte
FAILURES = (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError, ValueError, OverflowError)
"""What a network, a server or an address can do wrong. Those of the disk are other OSErrors."""
_BLOCK = 1 << 16  # bytes
_TRIES = 4
_PAUSE = 1.0  # seconds before the second try; twice as long before each further one
_GONE = (404, 410)
_LATER = (408, 425, 429)  # and all from 500 on: it may be there in a moment


def _opener() -> urllib.request.OpenerDirector:
    """Like Python's own, but it knows http and https only, also where a server sends it elsewhere."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.UnknownHandler,
    ):
        opener.add_handler(handler())
    return opener


def ask(url: str, method: str = "GET", headers: dict[str, str] | None = None) -> HTTPResponse:
    """The answer of a server. Raises one of ``FAILURES``."""
    request = urllib.request.Request(url, headers=headers or {}, method=method)
    answer: HTTPResponse = _opener().open(request, timeout=PATIENCE)
    return answer


def reason(error: BaseException) -> str:
    """What a failure says, in a few words."""
    if isinstance(error, urllib.error.HTTPError):
        return f"{error.code} {error.reason}"
    return str(getattr(error, "reason", None) or error) or type(error).__name__


@dataclass
class Transfer:
    """A file that is on its way."""

    url: str
    part: Path
    checked: bool = True
    """Whether the caller compares the content in the end. If not, only the same version is gone on with."""
    version: str | None = None
    """The file's ETag, or else its date, when the part was begun."""

    def go_on(self) -> Iterator[tuple[int, int]]:
        """Append what the part lacks, or begin again where the server cannot or the file has changed.

        Yields (bytes there, bytes in all; 0 where the server does not say). Raises one of ``FAILURES``, and
        OSError when the part cannot be written.
        """
        have = self.part.stat().st_size if self.part.exists() else 0
        if not self.checked and self.version is None:
            have = 0
        headers = {"Range": f"bytes={have}-"} if have else {}
        if have and self.version is not None:
            headers["If-Range"] = self.version
        try:
            answer = ask(self.url, headers=headers)
        except urllib.error.HTTPError as error:
            if error.code == 416 and self.checked:  # nothing is left to send, or the part is not of this file
                return
            self.version = None
            raise
        with answer:
            if answer.status != 206:
                have = 0
            elif not answer.headers.get("Content-Range", f"bytes {have}-").startswith(f"bytes {have}-"):
                raise ConnectionError("the server sends another part than was asked for")
            self.version = _version(answer)
            length = answer.headers.get("Content-Length")
            total = have + int(length) if length is not None else 0
            with self.part.open("ab" if have else "wb") as file:
                while block := answer.read(_BLOCK):
                    file.write(block)
                    have += len(block)
                    yield have, total
        if have < total:
            raise ConnectionError(f"the connection ended after {have:,} of {total:,} bytes")


def _version(answer: HTTPResponse) -> str | None:
    tag = answer.headers.get("ETag")
    return tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified")


def size_of(url: str) -> int | None:
    """Bytes of a file; 0: the server does not say, or does not answer such questions; None: there is none."""
    try:
        with ask(url, "HEAD") as answer:
            return int(answer.headers.get("Content-Length", 0))
    except FAILURES as error:
        return None if getattr(error, "code", None) in _GONE else 0


def bring(url: str, target: Path, is_whole: Callable[[Path], bool]) -> Iterator[int]:
    """Fetch a file to its place, as a whole or not at all; yields the bytes there, again and again.

    What can pass is tried again. ``is_whole`` is asked where the server does not say how long the file is.
    Raises DataError: not fetched, cut short, no room.
    """
    part = target.with_name(f"{target.name}.{secrets.token_hex(4)}.part")
    transfer = Transfer(url, part, checked=False)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        for number in range(_TRIES):
            try:
                length = 0
                for have, length in transfer.go_on():  # noqa: B007 - the last one is looked at below
                    yield have
                if not length and not is_whole(part):
                    raise ConnectionError("the server does not say how long it is, and its end is missing")
                break
            except FAILURES as error:
                if number + 1 == _TRIES or _is_final(error):
                    raise DataError(
                        f"{url} could not be fetched ({reason(error)}): try again, what is whole is kept."
                    ) from None
                time.sleep(_PAUSE * 2**number)
        part.replace(target)
    except OSError as error:
        raise DataError(
            f"{target} cannot be written ({error.strerror}): set STRIATE_CACHE to a folder that has room."
        ) from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _is_final(error: BaseException) -> bool:
    """Whether a second try would bring the same."""
    code = getattr(error, "code", None)
    return isinstance(code, int) and code < 500 and code not in _LATER
