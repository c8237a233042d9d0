"""RUNNING: a bundle answers, without torch, in machine code made for this machine.

From a network to an answer:

    network      what a bundle says about images        engine    programs for sizes of input, or NumPy
    images       what images are taken                  scaling   from bytes to the input
    lower        words -> stages                         stage     what a stage, a value, a gather is
    choose       which recipe runs a stage               recipe_*  convolution, pool, pointwise
    plan         layouts, memory, steps                  memory    buffers that share space in time
    steps        a plan, as data                         compiled  what is left of a kernel with code
    program      loaded, packed, callable                crew      threads that wait for work
    stored       a program as one file on the disk       ready     code and weights in memory
    stretch      steps that run in one call              entry     how a thread enters machine code
    buffers      values, written and read there         sections  how many images at a time
    schedule     steps for some images, as rows
    definition   a bundle's network, folded              trial     the network on which kernels are checked
    drive        what each thread runs                   trust     the check before the first answer
    table        net.plan()                              threads   how many
    tuning       forms of a layer, measured              layer_errors  net.plan(check=True)
    fork         what a forked child makes anew

From a kernel to machine code: ``target`` (vector width, registers), ``layout`` (how maps lie in memory),
``index`` (why no address leaves its buffer), ``emit`` (LLVM IR), ``machine_code``, ``cache``,
``build`` and ``team`` (several processes, where much is to be made), and ``kernels/``, one family a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from striate.engine.network import Network, Prediction, load

__all__ = ["Network", "Prediction", "load"]


def __getattr__(name: str) -> Any:
    """Found on first use (PEP 562): a process that only compiles needs no network."""
    if name not in __all__:
        raise AttributeError(f"module 'striate.engine' has no attribute {name!r}")
    from striate.engine import network

    return getattr(network, name)
