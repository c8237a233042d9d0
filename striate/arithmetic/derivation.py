"""A number with its reason: the formula, the numbers put in, the result, and what was lost."""

from __future__ import annotations

from dataclasses import dataclass

from striate.graph import Shape

LEGEND = (
    "W size of the input, F size of the kernel, P padding, S stride, D dilation; n*m kernel, C channels in, "
    "K channels out; R receptive field of the input, J its jump"
)
_AXES = {
    1: (("length", "position"),),
    2: (("height", "row"), ("width", "column")),
    3: (("depth", "slice"), ("height", "row"), ("width", "column")),
}


@dataclass(frozen=True)
class Derivation:
    """One derived number.

    ``quantity`` says what it is ("height"), ``remark`` what the formula alone does not show ("the last 1 row
    of the input is never read"), ``steps`` are the derivations that it adds up. ``str()`` is one line:
    ``floor((5 - 3 + 2*1) / 2) + 1 = 3``.
    """

    quantity: str
    formula: str
    substitution: str
    result: int
    remark: str = ""
    steps: tuple[Derivation, ...] = ()

    def __str__(self) -> str:
        result = str(self.result)
        return result if self.substitution == result else f"{self.substitution} = {result}"

    def text(self) -> str:
        """Formula, substitution and result under each other; then the remark and the steps, indented."""
        margin = " " * len(self.quantity)
        first, *more = dict.fromkeys((self.formula, self.substitution, str(self.result)))
        lines = [f"{self.quantity} = {first}", *(f"{margin} = {line}" for line in more)]
        if self.remark:
            lines.append(f"  {self.remark}")
        for step in self.steps:
            lines += [f"  {line}" for line in step.text().splitlines()]
        return "\n".join(lines)


@dataclass(frozen=True)
class Derived:
    """What a word gives out: one shape for each output, and why each size is what it is."""

    shapes: tuple[Shape, ...]
    derivations: tuple[Derivation, ...] = ()

    @property
    def shape(self) -> Shape:
        """The shape of the first output."""
        return self.shapes[0]


def axis_name(axis: int, axes: int) -> str:
    """What people call a spatial axis: "height" for axis 0 of 2."""
    return _AXES[axes][axis][0] if axes in _AXES else f"axis {axis}"


def axis_units(axis: int, axes: int, count: int) -> str:
    """``"1 row"``, ``"3 columns"``."""
    unit = _AXES[axes][axis][1] if axes in _AXES else "position"
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


def show(shape: Shape) -> str:
    """``"(N, 3, 32, 32)"``."""
    return f"({', '.join(map(str, shape))})"


def product(sizes: tuple[int, ...]) -> str:
    """``"16*4*4"``; an empty product is 1."""
    return "*".join(map(str, sizes)) or "1"
