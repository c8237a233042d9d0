"""What one value of a network sees of the image, and how that is carried through reshapes and joins.

For each axis of the image a ``Field`` holds three numbers: ``extent`` (pixels from the first to the last that
is seen), ``centre`` (of what the first value sees, in pixels of the image) and, in ``layout``, how far the
centre moves from one entry of a tensor axis to the next (the jump). A window of F taps at stride S makes

    extent += (F - 1) * jump        centre += ((F - 1) / 2 - padding) * jump        jump *= S

Araujo, Norris and Sim 2019, "Computing Receptive Fields of Convolutional Neural Networks" (Distill). Where
branches meet, the field is the hull of what they see. Padding belongs to the plane, so a field may be
larger than the image.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction

from striate.arithmetic.derivation import Derivation
from striate.graph import Shape


@dataclass(frozen=True)
class Step:
    """Part of a tensor axis: ``count`` entries, each ``jump`` pixels further along ``image_axis``."""

    count: int
    image_axis: int | None = None
    jump: Fraction = Fraction(0)


Axis = tuple[Step, ...]  # a flattened axis has several steps, the slowest first


@dataclass(frozen=True)
class Field:
    """What each value of one tensor sees. Tuples have one entry for each axis of the image.

    ``gated``: a branch that sees the whole axis (squeeze-and-excitation, a norm over space) takes part, so
    that strictly every value depends on all of it; ``extent`` is then that of the windows alone.
    ``exact`` is False where ``size`` is an upper bound (after upsampling or a transposed convolution, where
    neighbours see differently much). ``notes`` report branches that do not lie on each other.
    """

    image: tuple[int, ...]
    extent: tuple[Fraction, ...]
    centre: tuple[Fraction, ...]
    layout: tuple[Axis, ...]
    gated: tuple[bool, ...]
    exact: bool = True
    notes: tuple[str, ...] = ()
    derivations: tuple[Derivation, ...] = ()

    @property
    def size(self) -> tuple[int, ...]:
        """Receptive field in pixels."""
        return tuple(int(extent) + 1 for extent in self.extent)

    @property
    def jump(self) -> tuple[Fraction | None, ...]:
        """Pixels of the image from one value to the next; None where no tensor axis runs along that axis."""
        return tuple(self._jump(axis) for axis in range(len(self.image)))

    @property
    def start(self) -> tuple[Fraction, ...]:
        """The first pixel that the first value sees; negative in the padding."""
        return tuple(c - e / 2 for c, e in zip(self.centre, self.extent, strict=True))

    @property
    def whole(self) -> tuple[bool, ...]:
        """Whether every value depends on the whole of that image axis."""
        return tuple(
            self.gated[a] or (not steps_along(self.layout, a) and covers(self, a))
            for a in range(len(self.image))
        )

    def _jump(self, image_axis: int) -> Fraction | None:
        found = [(axis, step) for axis, step in _steps(self.layout) if step.image_axis == image_axis]
        alone = len(found) == 1 and len(self.layout[found[0][0]]) == 1
        return found[0][1].jump if alone else None


def field_of_image(shape: Shape) -> Field:
    """The image itself, (N, C, *sizes): every pixel sees itself."""
    image = tuple(int(size) for size in shape[2:])
    spatial = tuple((Step(size, axis, Fraction(1)),) for axis, size in enumerate(image))
    zero = (Fraction(0),) * len(image)
    layout = (*(plain(size) for size in shape[:2]), *spatial)
    return Field(image, zero, zero, layout, (False,) * len(image))


def plain(size: int | str) -> Axis:
    """A tensor axis that does not run along the image: batch, channels."""
    return (Step(size),) if isinstance(size, int) and size > 1 else ()


def _steps(layout: tuple[Axis, ...]) -> list[tuple[int, Step]]:
    return [(axis, step) for axis, steps in enumerate(layout) for step in steps]


def steps_along(layout: tuple[Axis, ...], image_axis: int) -> list[tuple[int, Step]]:
    """Where a layout moves along an image axis: (tensor axis counted from the end, step)."""
    return [
        (axis - len(layout), step)
        for axis, step in _steps(layout)
        if step.image_axis == image_axis and step.count > 1
    ]


def covers(field: Field, image_axis: int) -> bool:
    """Whether the first value sees the image from edge to edge."""
    low = field.centre[image_axis] - field.extent[image_axis] / 2
    return low <= 0 and low + field.extent[image_axis] >= field.image[image_axis] - 1


def widen(field: Field, image_axis: int, extent: Fraction, shift: Fraction) -> Field:
    """``extent`` pixels more are seen, and the centre moves by ``shift``."""
    extents, centres = list(field.extent), list(field.centre)
    extents[image_axis] += extent
    centres[image_axis] += shift
    return replace(field, extent=tuple(extents), centre=tuple(centres))


def relayout(field: Field, axis: int, steps: Axis) -> Field:
    """The same field with other steps along one tensor axis (counted from either end)."""
    layout = list(field.layout)
    layout[axis] = steps
    return replace(field, layout=tuple(layout))


def runs_along_image(steps: Axis) -> bool:
    """Whether moving along this tensor axis moves the field."""
    return any(step.image_axis is not None for step in steps)


def absorb(field: Field, axes: Iterable[int], size: int = 1) -> Field:
    """Each value now reads all entries along tensor ``axes``, which then have ``size`` entries that agree."""
    for axis in axes:
        for step in field.layout[axis]:
            if step.image_axis is not None:
                reach = (step.count - 1) * step.jump
                field = widen(field, step.image_axis, reach, reach / 2)
        field = relayout(field, axis, plain(size))
    return field
