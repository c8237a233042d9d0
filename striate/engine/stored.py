"""A whole program as one file: machine code, where everything lies, and weights as kernels read them.

    32 bytes      SHA-256 of the file's name and of the head
    8 bytes       length of the head
    head          JSON: steps, values, layouts, places; the SHA-256 of every 4 MiB of what follows
    weights       packed and transformed, as they lie in memory: one region
    rest          object code, constants, tensors of words that NumPy runs

Weights are read straight into the memory from which kernels read them (huge pages, which a mapped file could
not have), by two threads, each piece hashed where it then lies: nothing is read twice, and nothing is used
that was not hashed. The file is executable code, and is trusted as ``cache`` says.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np

from striate.data.cache import entries, make_room, remove
from striate.engine import cache
from striate.engine.choose import Part
from striate.engine.compiled import Compiled, Operand
from striate.engine.layout import Layout
from striate.engine.memory import allocate, guarded
from striate.engine.program import Program
from striate.engine.ready import Ready
from striate.engine.stage import Outside, Value
from striate.engine.steps import Plan, Section, Step
from striate.engine.target import Target
from striate.errors import StriateError
from striate.graph.store import op_from_json, op_to_json

KIND = "programs"
ROOMS = ("arithmetic", "engine", "graph", "ops", "reference")  # whose text decides what a program is
PIECE = 2**22  # bytes that are hashed together
MOST = 2**31  # bytes of all programs together, within the limit of the whole cache
LONGEST = 2**26  # bytes of a head
Array = np.ndarray


def name_of(text: str, target: Target) -> str:
    """The file in which the program for that network lies, if it does."""
    return cache.key(f"program {text}", target, ROOMS)


def write(name: str, program: Program) -> None:
    """Keep a program for the next process, where there is room and that is possible."""
    ready = program.ready
    if ready.weights is None or (place := cache.own(cache.folder(KIND))) is None:
        return
    rest = _Rest()
    try:
        head = _head(program.plan, ready, rest)
    except StriateError:  # a word that cannot be written
        return
    parts = [memoryview(ready.weights.data).cast("B"), memoryview(b"".join(rest.parts))]
    head["pieces"] = [hashlib.sha256(piece).hexdigest() for piece in _pieces(parts)]
    head["sizes"] = [len(part) for part in parts]
    text = json.dumps(head).encode()
    seal = hashlib.sha256(name.encode() + text).digest()
    with suppress(OSError, StriateError):
        if _room(sum(head["sizes"])):
            _put(place / name, [seal, len(text).to_bytes(8, "little"), text, *parts])


def read(name: str) -> tuple[Plan, Ready] | None:
    """The program of that name, if it is there, ours, whole and unchanged."""
    if guarded():
        return None
    path = cache.folder(KIND) / name
    with cache.opened(name, KIND) as file:
        if file is None:
            return None
        try:
            seal, length = file.read(32), int.from_bytes(file.read(8), "little")
            text = file.read(min(length, LONGEST))
            if hashlib.sha256(name.encode() + text).digest() != seal:
                return None
            head = json.loads(text)
            first, second = head["sizes"]
            if os.fstat(file.fileno()).st_size != 40 + len(text) + first + second:
                return None
            weights, rest = allocate(first // 4), bytearray(second)
            parts = [memoryview(weights.data).cast("B"), memoryview(rest)]
            if not _fill(path, 40 + len(text), _pieces(parts), head["pieces"]):
                return None
            os.utime(path)  # who was not used for longest goes first
        except OSError:
            return None
    return _revived(head, weights, bytes(rest))


# --- bytes --------------------------------------------------------------------------------------------------


def _pieces(parts: list[memoryview]) -> list[memoryview]:
    return [part[at : at + PIECE] for part in parts for at in range(0, len(part), PIECE)]


def _fill(path: Path, start: int, pieces: list[memoryview], expected: list[str]) -> bool:
    """Read every piece to its place; whether all have their hashes. Two threads: hashing takes longest."""
    starts = np.cumsum([start, *map(len, pieces)]).tolist()
    sound = [False] * len(pieces)

    def work(first: int) -> None:
        with suppress(OSError), path.open("rb", buffering=0) as file:
            for number in range(first, len(pieces), 2):
                file.seek(starts[number])
                got = 0
                while got < len(pieces[number]) and (more := file.readinto(pieces[number][got:])):
                    got += more
                sound[number] = hashlib.sha256(pieces[number]).hexdigest() == expected[number]

    other = Thread(target=work, args=(1,))
    other.start()
    work(0)
    other.join()
    return all(sound) and len(expected) == len(pieces)


def _put(path: Path, parts: list[bytes | memoryview]) -> None:
    """In one step, but not forced to the disk: half a file after a power cut is recognised by its hash."""
    temporary = path.parent / f".{path.name[:16]}.{os.urandom(6).hex()}.part"
    try:
        with temporary.open("xb") as file:
            for part in parts:
                file.write(part)
        temporary.chmod(0o600)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _room(needed: int) -> bool:
    """Whether so many bytes may be written, once the programs that were not used for longest have gone."""
    there = [entry for entry in entries() if entry.kind == KIND]
    taken = sum(entry.bytes for entry in there)
    for entry in there if needed <= MOST else ():
        if taken + needed <= MOST:
            break
        remove(entry)
        taken -= entry.bytes
    return taken + needed <= MOST and make_room(needed)


# --- the head -----------------------------------------------------------------------------------------------


class _Rest:
    """What follows the weights: bytes one after the other, each from a multiple of 64 on."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0

    def put(self, content: bytes) -> tuple[int, int]:
        place = self.size, len(content)
        self.parts += [content, bytes(-len(content) % 64)]
        self.size += len(content) + -len(content) % 64
        return place

    def array(self, array: Array) -> dict[str, Any]:
        plain = np.ascontiguousarray(array)
        return {"at": self.put(plain.tobytes()), "dtype": plain.dtype.str, "shape": array.shape}


@dataclass(frozen=True)
class _Source:
    weights: Array
    rest: bytes

    def array(self, told: Mapping[str, Any]) -> Array:
        at, size = told["at"]
        flat = np.frombuffer(bytearray(self.rest[at : at + size]), told["dtype"])
        return flat.reshape(told["shape"])


def _head(plan: Plan, ready: Ready, rest: _Rest) -> dict[str, Any]:
    start = ready.weights.ctypes.data if ready.weights is not None else 0

    def step(step: Step | Outside) -> dict[str, Any]:
        if isinstance(step, Outside):
            tensors = {role: rest.array(array) for role, array in step.tensors.items()}
            names = {"name": step.name, "inputs": step.inputs, "results": step.results}
            return {"outside": op_to_json(step.op), "tensors": tensors, **names}
        return part(step.part) | {"covers": step.covers}

    def part(part: Part) -> dict[str, Any]:
        kernel = part.kernel if isinstance(part.kernel, Compiled) else part.kernel.compiled()
        return {
            "kernel": asdict(kernel),
            "values": dict(part.values),
            "constants": {
                name: ((array.ctypes.data - start) // 4, array.size) for name, array in part.constants.items()
            },
            "wait": part.wait,
            "cycles": part.cycles,
            "why": part.why,
        }

    return {
        "steps": [step(one) for one in plan.steps],
        "values": {name: asdict(value) for name, value in plan.values.items()},
        "layouts": {name: asdict(layout) for name, layout in plan.layouts.items()},
        "buffers": dict(plan.buffers),
        "buffer_sizes": dict(plan.sizes),
        "places": dict(plan.places),
        "arena": plan.arena,
        "plan_constants": {name: rest.array(array) for name, array in plan.constants.items()},
        "inputs": plan.inputs,
        "outputs": plan.outputs,
        "from_bytes": [(last, part(one)) for last, one in plan.from_bytes.items()],
        "sections": [asdict(section) for section in plan.sections],
        "codes": {symbol: rest.put(code) for symbol, code in ready.codes.items()},
    }


def _revived(head: Mapping[str, Any], weights: Array, rest: bytes) -> tuple[Plan, Ready]:
    source = _Source(weights, rest)

    def step(told: Mapping[str, Any]) -> Step | Outside:
        if "outside" in told:
            tensors = {role: source.array(array) for role, array in told["tensors"].items()}
            names = told["name"], op_from_json(told["name"], told["outside"])
            return Outside(*names, tuple(told["inputs"]), tuple(told["results"]), tensors)
        return Step(part(told), tuple(told["covers"]))

    def part(told: Mapping[str, Any]) -> Part:
        kernel = told["kernel"]
        operands = tuple(Operand(**operand) for operand in kernel["operands"])
        constants = {name: weights[at : at + size] for name, (at, size) in told["constants"].items()}
        compiled = Compiled(**{**kernel, "operands": operands})
        others = {name: told[name] for name in ("wait", "cycles", "why")}
        return Part(compiled, told["values"], constants, {}, **others)

    plan = Plan(
        tuple(step(one) for one in head["steps"]),
        {
            name: Value(value["root"], tuple(value["shape"]), tuple(value["dims"]))
            for name, value in head["values"].items()
        },
        {
            name: Layout(**{**layout, "frame": tuple(layout["frame"])})
            for name, layout in head["layouts"].items()
        },
        head["buffers"],
        head["buffer_sizes"],
        head["places"],
        head["arena"],
        {name: source.array(array) for name, array in head["plan_constants"].items()},
        tuple(head["inputs"]),
        tuple(head["outputs"]),
        {last: part(one) for last, one in head["from_bytes"]},
        tuple(Section(**section) for section in head["sections"]),
    )
    return plan, Ready(
        {symbol: rest[at : at + size] for symbol, (at, size) in head["codes"].items()}, weights
    )
