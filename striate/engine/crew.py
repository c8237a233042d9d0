"""Threads that wait for work: each makes one call for a whole stretch of network, which releases the GIL.

They sleep until a caller wakes them; after work they wait in machine code for a while (``handover``), so that
calls that follow each other find them there.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable

from striate.engine.handover import ASLEEP, WAITING, Handover, Numbers, mailbox
from striate.engine.places import here, keep_off
from striate.engine.uninterrupted import uninterrupted

Job = Callable[[int, int], object]  # (which hand, of how many)


class _Post:
    """What workers know: the job, and where to report. Not the crew, which may thus be thrown away."""

    def __init__(self) -> None:
        self.job: Job | None = None
        self.handover: Handover | None = None
        self.mailboxes: list[Numbers] = []
        self.go: list[threading.Semaphore] = []
        self.done = threading.Semaphore(0)
        self.threads: list[int] = []  # the system's numbers of the workers
        self.avoided = -1  # the processor that they keep off


class Crew:
    """Workers beside the caller, started when first needed, dismissed when nobody holds the crew any more.

    ``handover``: makes it, once workers are there; None: they only take jobs. The caller makes sure that only
    one thread calls a method at a time.
    """

    def __init__(self, handover: Callable[[], Handover] | None = None) -> None:
        self._post, self._make = _Post(), handover
        weakref.finalize(self, _dismiss, self._post)

    def hired(self, hands: int) -> int:
        """So many hands, the caller's among them; fewer where the system gives no more threads."""
        post = self._post
        if hands > 1 and post.handover is None and self._make is not None:
            post.handover = self._make()
        while len(post.go) < hands - 1:
            try:
                _hire(post)
            except RuntimeError:
                return len(post.go) + 1
        return hands

    def run(self, job: Job, hands: int) -> None:
        """``job(0, hands)`` here and ``job(1, hands)`` ... in workers; returns when all have returned."""
        post, hands = self._post, self.hired(hands)
        self._keep_off()
        for box in post.mailboxes[: hands - 1]:
            box[0] = ASLEEP  # whoever waits goes, to be woken
        post.job = lambda number, _: job(number, hands)
        with uninterrupted():
            for go in post.go[: hands - 1]:
                go.release()
            try:
                job(0, hands)
            finally:
                for _ in range(hands - 1):
                    post.done.acquire()

    def told(self, blocks: list[int]) -> Numbers:
        """For ``hand_over``: addresses of what ``drive`` is told, one for each hand."""
        post = self._post
        if post.handover is None:
            raise TypeError("this crew only takes jobs")
        return post.handover.told(blocks, post.mailboxes[: len(blocks) - 1])

    def hand_over(self, told: int) -> bool:
        """Everything is done, if all workers were waiting; else nothing is. ``told``: its address."""
        self._keep_off()
        return self._post.handover is not None and self._post.handover.hand_over(told)

    def _keep_off(self) -> None:
        processor, post = here(), self._post
        if processor != post.avoided:
            keep_off(processor, post.threads)
            post.avoided = processor


def _hire(post: _Post) -> None:
    go, box = threading.Semaphore(0), mailbox()
    number = len(post.go) + 1
    worker = threading.Thread(
        target=_work, args=(post, number, go, box), daemon=True, name=f"striate-{number}"
    )
    worker.start()
    post.go.append(go)
    post.mailboxes.append(box)
    if worker.native_id:
        post.threads.append(worker.native_id)
    post.avoided = -1


def _work(post: _Post, number: int, go: threading.Semaphore, box: Numbers) -> None:
    while True:
        go.acquire()
        if post.job is None:
            return
        try:
            post.job(number, 0)
        finally:
            if post.handover is not None:
                box[0] = WAITING  # before the caller goes on, who would wake it in vain
            post.done.release()
        if post.handover is not None:
            post.handover.attend(box)


def _dismiss(post: _Post) -> None:
    post.job = None
    for go in post.go:
        go.release()
