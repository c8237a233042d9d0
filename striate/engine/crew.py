"""Threads that wait for work: each makes one call for a whole stretch of network, which releases the GIL."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable

from striate.engine.places import here, keep_off

Job = Callable[[int, int], object]  # (which hand, of how many)


class _Post:
    """What workers know: the job, and where to report. Not the crew, which may thus be thrown away."""

    def __init__(self) -> None:
        self.job: Job | None = None
        self.go: list[threading.Semaphore] = []
        self.done = threading.Semaphore(0)
        self.threads: list[int] = []  # the system's numbers of the workers
        self.avoided = -1  # the processor that they keep off


class Crew:
    """Workers beside the caller, started when first needed, dismissed when nobody holds the crew any more."""

    def __init__(self) -> None:
        self._post = _Post()
        weakref.finalize(self, _dismiss, self._post)

    def run(self, job: Job, hands: int) -> None:
        """``job(0, hands)`` here and ``job(1, hands)`` ... in workers; returns when all have returned.

        Where the system gives no more threads, fewer hands do it. The caller makes sure that only one thread
        is in here at a time.
        """
        post = self._post
        while len(post.go) < hands - 1:
            try:
                _hire(post)
            except RuntimeError:
                hands = len(post.go) + 1
        processor = here()
        if processor != post.avoided:
            keep_off(processor, post.threads)
            post.avoided = processor
        post.job = lambda number, _: job(number, hands)
        for go in post.go[: hands - 1]:
            go.release()
        try:
            job(0, hands)
        finally:
            for _ in range(hands - 1):
                post.done.acquire()


def _hire(post: _Post) -> None:
    go = threading.Semaphore(0)
    number = len(post.go) + 1
    worker = threading.Thread(target=_work, args=(post, number, go), daemon=True, name=f"striate-{number}")
    worker.start()
    post.go.append(go)
    if worker.native_id:
        post.threads.append(worker.native_id)
    post.avoided = -1


def _work(post: _Post, number: int, go: threading.Semaphore) -> None:
    while True:
        go.acquire()
        if post.job is None:
            return
        try:
            post.job(number, 0)
        finally:
            post.done.release()


def _dismiss(post: _Post) -> None:
    post.job = None
    for go in post.go:
        go.release()
