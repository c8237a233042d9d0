"""A plan made ready: code loaded, weights packed, memory held; called with arrays, it answers with arrays."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from time import perf_counter

import numpy as np

from striate.engine.buffers import Array, Buffers
from striate.engine.choose import Part
from striate.engine.compiled import DRIVER, Operand, OutOfBoundsError
from striate.engine.crew import Crew
from striate.engine.entry import ARGUMENTS, GIVE_WAY, PROTOTYPE, meeting_size
from striate.engine.fork import renew_in_children
from striate.engine.handover import Handover
from striate.engine.memory import allocate
from striate.engine.ready import Loaded, Ready, code_of, in_one_region
from striate.engine.scaling import channels_last
from striate.engine.schedule import Entry, Schedule
from striate.engine.short import Call, SharedCall, Short, SmallCall, Told
from striate.engine.stage import Outside
from striate.engine.steps import Plan, Step
from striate.engine.stretch import Stretch, stretches_of
from striate.engine.target import Target
from striate.engine.threads import Limit

ARENA = 2**26  # values: a batch is cut so that one piece's maps stay below 256 MB
MOST_IMAGES = 64
WORTH_SHARING = 8_000_000  # multiply-adds: below it, waking a thread takes longer than the work (docs/log.md)
WORTH_HANDING = 2_000_000  # with less, to meet at every step takes longer than it saves


class Program:
    """Callable from many threads at once: calls take turns. Usable in a forked child.

    ``ready``: code and packed weights as they were stored; None: made now, and the plan's weights are moved.
    """

    def __init__(
        self,
        plan: Plan,
        target: Target,
        threads: int,
        limit: Limit = nullcontext,
        ready: Ready | None = None,
    ) -> None:
        self.plan, self.target, self._threads, self._limit = plan, target, threads, limit
        steps = [step for step in plan.steps if isinstance(step, Step)]
        if ready is None:
            kernels = [part.kernel for part in (*(step.part for step in steps), *plan.from_bytes.values())]
            codes = code_of(kernels, target)  # type: ignore[arg-type]  # not Compiled
            ready = Ready(codes, in_one_region(steps))
        self.ready = ready
        self.loaded = Loaded(ready.codes, target)
        self._drive = PROTOTYPE(self.loaded.addresses[DRIVER])
        self._stretches = stretches_of(plan.steps)
        self._entries: list[Entry] = []
        self._schedules: dict[tuple[int, int], Schedule] = {}  # by images and hands
        self._readers: dict[bool, tuple[int, Array, Array]] = {}  # of bytes: their number, addresses, a row
        self._steps = steps
        self.buffers = Buffers(plan, threads)
        self._shorts: dict[int, Short | None] = {}  # as the schedules, by number of images
        self._images = 0
        most = max((step.part.kernel.scratch for step in steps), default=0)
        self._scratch = [allocate(max(1, most)) for _ in range(threads)]
        self._meeting = np.zeros(1, np.int64)  # as long as the longest schedule wants it
        self._own = [scratch.ctypes.data for scratch in self._scratch]
        self._work = sum(step.part.kernel.multiply_adds for step in steps)
        self.at_once = min(MOST_IMAGES, max(1, ARENA // max(1, plan.arena)))
        renew_in_children(self)

    def renew(self) -> None:
        """A lock and workers of this process."""
        self._lock = threading.Lock()
        self._crew = Crew(partial(Handover, self.target, self.loaded.addresses[DRIVER]))
        self._meeting[:], self._shorts = 0, {}  # a child may be forked in a call, and has no workers yet

    def __call__(self, inputs: Mapping[str, Array], outputs: Sequence[str]) -> tuple[Array, ...]:
        """The outputs for these inputs, one array each, the first axis being the images."""
        count = len(next(iter(inputs.values())))
        if count <= self.at_once:
            return self._piece(inputs, outputs)
        pieces = [
            self._piece({name: x[at : at + self.at_once] for name, x in inputs.items()}, outputs)
            for at in range(0, count, self.at_once)
        ]
        return tuple(np.concatenate(parts) for parts in zip(*pieces, strict=True))

    def answer(self, x: Array) -> tuple[Array, ...]:
        """All outputs of the plan for its one input."""
        images = len(x)
        if images > self.at_once or not images or x.dtype != np.float32:
            return self({self.plan.inputs[0]: x}, self.plan.outputs)
        with self._lock:
            if images not in self._shorts:
                self._make_room(images)  # anew in a child that was forked while buffers were replaced
                self._shorts[images] = self._short(images)
        found = self.again(x)
        return self._piece({self.plan.inputs[0]: x}, self.plan.outputs) if found is None else found

    def again(self, x: Array) -> tuple[Array, ...] | None:
        """``answer`` to float32 images, where it knows all that it needs for so many; nothing is checked."""
        with self._lock:
            short = self._shorts.get(len(x))
            return None if short is None else short(x)

    def _short(self, images: int) -> Short | None:
        """Where all is one stretch, from an input to outputs that lie as their user knows them."""
        plan, (name, *others) = self.plan, self.plan.inputs
        port = self.buffers.port(name) if self.buffers.planar(name) else None
        results = [None if end in plan.constants else self.buffers.port(end) for end in plan.outputs]
        found = [result[:images] for result in results if result is not None]
        single = len(self._stretches) == 1 and isinstance(self._stretches[0], Stretch) and not others
        if port is None or len(found) < len(results) or not single:
            return None
        run = self._whole(images, hands := self._hands(images))
        if hands < self._threads and self._work * images >= WORTH_HANDING:
            shared = self._whole(images, self._threads)
            run = SmallCall(run, shared) if isinstance(shared, SharedCall) else run
        return Short(port[:images], run, tuple(found))

    def _whole(self, images: int, hands: int) -> Call:
        """The only stretch."""
        schedule = self._schedule(images, hands)
        return self._call(schedule, schedule.stretches[0], hands)  # type: ignore[arg-type]

    def _piece(self, inputs: Mapping[str, Array], outputs: Sequence[str]) -> tuple[Array, ...]:
        images = len(next(iter(inputs.values())))
        with self._lock:
            self._make_room(max(1, images))
            host: dict[str, Array] = dict(self.plan.constants)
            schedule = self._schedule(max(1, images))
            stretches = schedule.stretches
            for name, x in inputs.items():
                if x.dtype == np.uint8 and self.plan.from_bytes:
                    x, stretches = self._offer(x, images, schedule), schedule.with_bytes
                else:
                    host[name] = np.asarray(x, np.float32)
                    self.buffers.write(name, host[name])
            for stretch in stretches if images else ():
                if isinstance(stretch, Outside):
                    self._outside(stretch, host, images)
                else:
                    self._run(schedule, stretch)
            return tuple(self.buffers.read(name, host, images) for name in outputs)

    def _offer(self, x: Array, images: int, schedule: Schedule) -> Array:
        """Images of bytes (N, C, H, W), from which a step before all others makes the input. It reads what is
        returned, where that lies, so that must be kept for as long."""
        last = channels_last(x)
        if last is None:
            x, last = np.ascontiguousarray(x), False
        size, addresses, row = self._readers[last]
        if x.size != size * images:
            raise OutOfBoundsError("images of bytes have another size than the program's")
        addresses[0] = x.ctypes.data
        schedule.table[0] = row
        return x

    # --- steps --------------------------------------------------------------------------------------------

    def _run(self, schedule: Schedule, stretch: Stretch) -> None:
        self._call(schedule, stretch, self._hands(schedule.images))()

    def _call(self, schedule: Schedule, stretch: Stretch, hands: int) -> Call:
        """For all hands, made ready once."""
        hands = self._crew.hired(hands)
        blocks = [self._arguments(schedule, stretch, hand, hands) for hand in range(hands)]
        if hands == 1:
            return partial(self._drive, blocks[0])
        return SharedCall(self._crew, self._drive, blocks, (schedule, self._meeting))

    def _hands(self, images: int) -> int:
        return self._threads if self._work * images >= WORTH_SHARING else 1

    def _share(self, schedule: Schedule, stretch: Stretch, hand: int, hands: int) -> None:
        """The GIL is free meanwhile."""
        self._drive(self._arguments(schedule, stretch, hand, hands))

    def _arguments(self, schedule: Schedule, stretch: Stretch, hand: int, hands: int) -> Told:
        own = schedule.images, hand, hands, self._own[hand], self._meeting.ctypes.data, GIVE_WAY
        return ARGUMENTS(schedule.address(stretch), stretch.count, *own)

    def measure(self, repeats: int = 5) -> list[float]:
        """Seconds of each compiled step for one image, alone on one thread: the least of ``repeats`` turns.

        Values are whatever lies in memory; kernels take as long for any finite numbers.
        """
        with self._lock:
            self._make_room(1)
            schedule = self._schedule(1)
            best = [float("inf")] * len(self._steps)
            for _ in range(repeats):
                for number in range(len(self._steps)):
                    start = perf_counter()
                    self._share(schedule, Stretch(number, 1), 0, 1)
                    best[number] = min(best[number], perf_counter() - start)
            return best

    def turn(self) -> None:
        """All steps once for one image, on all threads, with whatever lies in memory."""
        with self._lock:
            self._make_room(1)
            schedule = self._schedule(1)
            for stretch in schedule.stretches:
                if isinstance(stretch, Stretch):
                    self._run(schedule, stretch)

    def touch(self, root: str) -> None:
        """Read a value of one image, so that it is as near as if just written."""
        self._make_room(1)
        self.buffers.memory(root).max()

    def each_layer(
        self, layers: Mapping[int, Sequence[int]], given: Mapping[str, Array]
    ) -> Iterator[tuple[int, str, Array]]:
        """One image, layer by layer, each given its inputs anew: its first step, its value, the value.

        ``layers``: first step -> all steps of a layer, as numbers in the plan. ``given``: all values by name.
        """
        compiled = [number for number, step in enumerate(self.plan.steps) if isinstance(step, Step)]
        rows = {number: row for row, number in enumerate(compiled)}
        with self._lock:
            self._make_room(1)
            schedule = self._schedule(1)
            for number in compiled[: rows[min(layers)] if layers else 0]:  # zeros around the input
                self._share(schedule, Stretch(rows[number], 1), 0, 1)
            for first, steps in layers.items():
                parts = [self._steps[rows[number]] for number in steps]
                end = parts[0].covers[-1]
                read = {name for part in parts for role, name in part.part.values.items() if role != "target"}
                for name in read:  # a target may share memory with a value that is read before it lives
                    if name in given:
                        self.buffers.write(name, given[name])
                for number in steps:
                    self._share(schedule, Stretch(rows[number], 1), 0, 1)
                yield first, end, self.buffers.read(end, {}, 1)

    def _outside(self, item: Outside, host: dict[str, Array], images: int) -> None:
        """A word that has no kernel, by its definition, in float32."""
        inputs = [self.buffers.read(name, host, images) for name in item.inputs]
        from striate.reference import forward

        with self._limit():
            found = forward(item.op, inputs, item.tensors)
        for name, result in zip(item.results, found if isinstance(found, tuple) else (found,), strict=True):
            host[name] = result
            self.buffers.write(name, result.astype(np.float32, copy=False))

    # --- addresses ----------------------------------------------------------------------------------------

    def _make_room(self, images: int) -> None:
        """Buffers for so many images; kept, and replaced when more come."""
        if images <= self._images:
            return
        self._images, self._shorts = 0, {}  # until all is in place: a child may be forked in between
        self.buffers.replace(images)
        self._schedules = {}
        self._entries = [self._entry(step.part) for step in self._steps]
        for last, part in self.plan.from_bytes.items():
            source, target = part.kernel.operands
            addresses = np.array([0, self._address(part, target)[0]], np.int64)
            code, kernel = self.loaded.addresses[part.kernel.symbol], part.kernel
            row = code, addresses.ctypes.data, kernel.units, kernel.whole_batch, part.wait, 0, 0
            self._readers[last] = source.size, addresses, np.array(row, np.int64)
        self._images = images

    def _schedule(self, images: int, hands: int = 0) -> Schedule:
        """``hands``: 0: as many as are worth it."""
        key = images, hands or self._hands(images)
        if key not in self._schedules:
            made = Schedule(self._entries, self.plan.sections, self._stretches, *key)
            self._schedules[key] = made
            size = meeting_size(len(made.table), self._threads)
            if size > len(self._meeting):
                self._meeting = np.zeros(size, np.int64)
        return self._schedules[key]

    def _entry(self, part: Part) -> Entry:
        places = [self._address(part, operand) for operand in part.kernel.operands]
        code = self.loaded.addresses[part.kernel.symbol]
        return Entry(code, np.array(places, np.int64), part.kernel, part.wait)

    def _address(self, part: Part, operand: Operand) -> tuple[int, int, int, int]:
        """Where the operand lies, if it has the size that the kernel's addresses were proved for; how many
        bytes further for the next image, for the next thread, and with room for one image more."""
        if operand.name in part.constants:
            buffer, images, steps = part.constants[operand.name], 1, (0, 0, 0)
        else:
            name = part.values[operand.name]
            buffer, images = self.buffers.memory(name), self.buffers.images_of(name)
            steps = self.buffers.steps_of(name)
        if buffer.size != operand.size * images:
            raise OutOfBoundsError(f"{operand.name} of {part.kernel.family} has another size than its buffer")
        further, thread, room = (buffer.itemsize * step for step in steps)
        return int(buffer.ctypes.data), further, thread, room
