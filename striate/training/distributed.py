"""How the processes of one training come together, and how they part: torchrun's variables, gloo and NCCL.

``striate train --processes N`` and ``torchrun ... -m striate train`` both give every process its number in
the environment. Whoever fails says so; the others notice that they were left alone, and go without a word.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import torch
from torch import distributed as dist
from torch.distributed.nn import functional as _defaults_without_a_group  # noqa: F401 (see _join)

from striate.errors import VERDICT, ArgumentError, LeftAloneError, StriateError
from striate.training.team import Group, Team, local_processes

_ADDRESS_OF_INTERFACE = 0x8915  # SIOCGIFADDR of Linux
CONNECTING = timedelta(minutes=5)
PATIENCE = timedelta(
    hours=2
)  # one process may read images for long; a dead one is noticed at once all the same


@contextmanager
def joined() -> Iterator[Team]:
    """The team that the environment names; a team of one where it names none.

    Raises ArgumentError when the processes do not find each other or have no GPU each, LeftAloneError when
    another one has ended.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) < 2 or "RANK" not in os.environ or dist.is_initialized():
        yield Group() if dist.is_initialized() and dist.get_world_size() > 1 else Team()
        return
    _join()
    try:
        yield Group()
    except StriateError as error:
        _refuse_to_repeat(error)
        raise
    except (RuntimeError, dist.DistError) as error:
        if not _is_about_others(error):
            raise
        if threading.current_thread() is threading.main_thread():
            signal.signal(
                signal.SIGTERM, signal.SIG_DFL
            )  # torchrun ends the rest, and nothing is left to save
        alone = LeftAloneError(VERDICT not in os.environ and _first_to_speak())
        alone.apart = True
        raise alone from None
    finally:
        with suppress(RuntimeError):  # the others may be gone
            dist.destroy_process_group()


def _join() -> None:
    """Join the others.

    torch.distributed.nn is imported before: its functions have the group of the moment as a default, and
    would keep ours, with its threads, beyond the end of Python. One that then drops its last tensor aborts.
    """
    address, port = os.environ.get("MASTER_ADDR", "localhost"), os.environ.get("MASTER_PORT", "29500")
    _refuse_too_few_gpus()
    if "GLOO_SOCKET_IFNAME" not in os.environ:
        interface = _interface_towards(address, int(port))
        if interface is not None:
            os.environ["GLOO_SOCKET_IFNAME"] = interface
    try:
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo",
            store=_store(address, int(port)),
            rank=int(os.environ["RANK"]),
            world_size=int(os.environ["WORLD_SIZE"]),
            timeout=PATIENCE,
        )
    except (RuntimeError, ValueError) as error:  # DistError is a RuntimeError
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ArgumentError(
            f"The processes of a training must reach each other at {address}:{port}, and do not "
            f"({reason:.200}): give a free --master-port and an address that every host sees."
        ) from None


def _store(address: str, port: int) -> Any:
    """Where the processes leave each other their addresses: torchrun's, or one that the lead opens.

    torchrun keeps its own when it starts the processes again, with the addresses of those that were killed:
    therefore the number of the attempt stands before every name.
    """
    opens = os.environ["RANK"] == "0" and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
    store = dist.TCPStore(  # type: ignore[attr-defined]
        address, port, is_master=opens, wait_for_workers=False, timeout=CONNECTING
    )
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    return dist.PrefixStore(f"striate/{attempt}", store)  # type: ignore[attr-defined]


def _refuse_too_few_gpus() -> None:
    """Each process on a machine with GPUs takes the one of its number."""
    if not torch.cuda.is_available():
        return
    there, needed = torch.cuda.device_count(), local_processes()
    if needed > there:
        raise ArgumentError(
            f"processes must be at most the GPUs of a machine ({there}), got {needed}: give fewer, or hide "
            "the GPUs with CUDA_VISIBLE_DEVICES= to compute on the CPU."
        )
    torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))


def _interface_towards(address: str, port: int) -> str | None:
    """The network interface towards the lead; None where nobody says, and gloo guesses.

    gloo takes the interface of the host's own name, which on many machines is one that nobody else reaches.
    """
    if sys.platform != "linux":
        return None
    import fcntl

    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((address, port))  # a datagram socket sends nothing yet, it only finds the way
            own = probe.getsockname()[0]
            for _, name in socket.if_nameindex():
                with suppress(OSError):  # an interface without an address
                    answer = fcntl.ioctl(
                        probe.fileno(), _ADDRESS_OF_INTERFACE, struct.pack("256s", name.encode()[:15])
                    )
                    if socket.inet_ntoa(answer[20:24]) == own:
                        return name
    except OSError:
        pass
    return None


def _is_about_others(error: BaseException) -> bool:
    """Whether a collective failed because another process ended, as gloo, NCCL and torch's store say it."""
    words = ("gloo", "peer", "nccl", "socket", "broken pipe", "tcpstore", "store", "process group")
    return isinstance(error, dist.DistError) or any(word in str(error).lower() for word in words)


def _first_to_speak() -> bool:
    """True in the first process of the team that asks."""
    try:
        store = dist.distributed_c10d._get_default_store()
        return bool(store.add("striate/spoken", 1) == 1)
    except (RuntimeError, ValueError):  # the store was the lead's, and the lead is gone
        return True


def _refuse_to_repeat(error: StriateError) -> None:
    """Of an error that several processes meet, such as a full disk, one speaks.

    Our launcher stops the rest as soon as one has ended: who is to speak goes on until that is done.
    """
    error.apart = True
    if VERDICT in os.environ and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if not isinstance(error, LeftAloneError) and not _first_to_speak():
        error.silent = True
