"""Starts the processes of a training, by torchrun's own launcher, and says what became of them.

Processes are started again when one of them fails, if they may be. So that a wrong request is not repeated, a
process that ends with an answer leaves it in a file, the verdict; those that find it there go at once.
"""

from __future__ import annotations

import logging
import os
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import parse_args, run

from striate.errors import INTERRUPTED, VERDICT, ArgumentError, TrainingError
from striate.training.device import usable_cores

MOST_PROCESSES = 1024


def launch(processes: int, max_restarts: int, words: Sequence[str]) -> int:
    """Run ``striate WORDS`` in ``processes`` processes of this machine; returns the exit code of the whole.

    Raises ArgumentError, and TrainingError when a process was killed and may not be started again.
    """
    if not 1 <= processes <= MOST_PROCESSES:
        raise ArgumentError(f"processes must lie between 1 and {MOST_PROCESSES}, got {processes}: give 2.")
    if max_restarts < 0:
        raise ArgumentError(f"max_restarts must be 0 or more, got {max_restarts}: leave it out for none.")
    logging.disable(logging.CRITICAL)  # torchrun's own words about what we say in ours
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, usable_cores() // processes)))
    options = {
        "nnodes": 1,
        "nproc-per-node": processes,
        "max-restarts": max_restarts,
        "rdzv-backend": "c10d",
        "rdzv-endpoint": "127.0.0.1:0",  # a free port
        "rdzv-id": uuid4().hex,
        "local-addr": "127.0.0.1",
        "monitor-interval": 0.2,
        "shutdown-timeout": 300,  # seconds for a last step and a checkpoint
    }
    arguments = parse_args([*(f"--{name}={value}" for name, value in options.items()), "-m", "striate"])  # type: ignore[no-untyped-call]
    arguments.training_script_args = list(
        words
    )  # not through its parser, which takes --run for one of its own
    with tempfile.TemporaryDirectory(prefix="striate-") as folder:
        verdict = Path(folder) / "verdict"
        os.environ[VERDICT] = str(verdict)
        try:
            run(arguments)  # type: ignore[no-untyped-call]
        except SignalException:
            return _code(verdict, otherwise=INTERRUPTED)
        except ChildFailedError as error:
            _, failure = error.get_first_failure()
            if _code(verdict, otherwise=0):
                return _code(verdict, otherwise=0)
            if failure.exitcode == INTERRUPTED:  # somebody stopped the processes, and not us
                return INTERRUPTED
            raise TrainingError(
                "Every process of a training must live until its end, and number "
                f"{failure.local_rank} was ended ({_how(failure.exitcode)}): continue with striate train "
                "--resume RUN, with more memory or fewer processes if that was the reason."
            ) from None
        finally:
            del os.environ[VERDICT]
        return _code(verdict, otherwise=0)


def _code(verdict: Path, otherwise: int) -> int:
    return int(verdict.read_text()) if verdict.exists() else otherwise


def _how(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
