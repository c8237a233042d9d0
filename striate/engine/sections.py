"""How many images of a batch pass through which steps together.

Step by step for the whole batch, every map comes back from memory; image by image through all steps, weights
do, and what they cost once is paid for every image. Early steps have large maps and few weights, late ones
the reverse. So the steps are cut into sections, each with its number of images: Viterbi's way through all
steps finds the cheapest cuts. What crosses a cut lies in memory for the whole batch. Where several threads
work, each may take images of its own, and nobody waits for another before the end of the section.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from striate.engine.choose import Settings
from striate.engine.kernels.core import core
from striate.engine.kernels.estimate import cycles, once
from striate.engine.kernels.frame import Frame
from striate.engine.kernels.kernel import Kernel
from striate.engine.stage import Outside
from striate.engine.steps import Plan, Section, Step

BATCH = 16  # images that are thought of; larger batches pass through as several
CALL, MEETING = 100.0, 5000.0  # cycles of a step's beginning: alone, and of each thread that waits for others
Kind = tuple[int, bool]  # images, and whether each thread has its own


def sections_of(plan: Plan, settings: Settings) -> tuple[Section, ...]:
    """The cheapest sections; none where a whole batch is best left together."""
    found: list[Section] = []
    first = 0
    for outside, some in groupby(plan.steps, lambda step: isinstance(step, Outside)):
        if not outside:
            steps = [step for step in some if isinstance(step, Step)]
            found += _cheapest(plan, steps, first, settings)
            first += len(steps)
    return tuple(found) if any(section.images < BATCH for section in found) else ()


def _kinds(threads: int) -> list[Kind]:
    """What a section may be; the whole batch first."""
    sizes = [BATCH >> shift for shift in range(BATCH.bit_length())]
    own = [(images, True) for images in sizes if threads > 1 and images * threads <= BATCH]
    return [(images, False) for images in sizes] + own


def _cheapest(plan: Plan, steps: Sequence[Step], first: int, settings: Settings) -> list[Section]:
    """Sections of steps without a break, of which ``first`` is the first step's number."""
    kinds = _kinds(settings.threads)
    best = dict.fromkeys(kinds, 0.0)  # cycles for one image up to here, by the kind of the last section
    came: list[dict[Kind, Kind]] = []
    spans, begin = plan.spans().items(), CALL if settings.threads == 1 else MEETING
    for number, step in enumerate(steps):
        before = {kind: kind for kind in kinds}
        if number and steps[number - 1].part.wait:
            here = first + number
            crossing = [name for name, (start, end) in spans if start < here <= end]
            travels = 8 * sum(plan.sizes[name] for name in crossing)  # bytes, written and read
            cut = begin + travels / core(settings.target).memory
            other = min(kinds, key=best.__getitem__)
            before |= {kind: other for kind in kinds if best[other] + cut < best[kind]}
            best = {kind: best[old] + (cut if old != kind else 0) for kind, old in before.items()}
        came.append(before)
        best = {kind: best[kind] + _step_cycles(plan, step, kind, settings) for kind in kinds}
    kind = min(kinds, key=best.__getitem__)
    chosen = []
    for before in reversed(came):
        chosen.append(kind)
        kind = before[kind]
    return [Section(len(list(same)), *kind) for kind, same in groupby(reversed(chosen))]


def _step_cycles(plan: Plan, step: Step, kind: Kind, settings: Settings) -> float:
    """What of a step's cycles for one image depends on how many come with it, of all threads together."""
    kernel, machine, threads = step.part.kernel, settings.target, settings.threads
    if not isinstance(kernel, Kernel):
        raise TypeError(f"{type(kernel).__name__} is planned already")
    if isinstance(kernel, Frame):
        return 0.0
    images, own = kind
    read = written = 0
    for operand in kernel.operands:
        if not operand.shared:
            size = _part_of(plan, step.part.values[operand.name], operand.size)
            read, written = (read, written + size) if operand.name == "target" else (read + size, written)
    travels = 4 * (read + 2 * written)  # what is written is read before
    waits = travels / core(machine).rate(4 * images * (read + written))
    weights = once(kernel, machine) / images
    if own or threads == 1:
        return waits + weights + CALL / images
    units = kernel.units * (1 if kernel.whole_batch else images)
    uneven = -(-units // threads) * threads / units - 1
    return waits + weights + cycles(kernel, machine) * uneven + MEETING * threads / images


def _part_of(plan: Plan, root: str, size: int) -> int:
    """Values of a buffer that a step touches: of several maps in one, its own."""
    layout = plan.layouts.get(root)
    return size if layout is None else min(size, layout.blocks * layout.block)
