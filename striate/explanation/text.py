"""An explanation as plain text: the table of all layers, and one layer unfolded."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from typing import TYPE_CHECKING

from striate.arithmetic import LEGEND, OTHER_CONVENTION, Derivation, Field, show

if TYPE_CHECKING:
    from striate.explanation.explanation import Explanation, Row

HEADINGS = ("layer", "word", "output", "parameters", "multiply-adds", "memory", "sees", "jump")
WIDTH = 100  # of sentences
NUMERIC_FROM = 3  # columns from here on stand flush right


def table(explanation: Explanation) -> str:
    """One line a layer, then the totals."""
    lines = [HEADINGS, *(cells(row) for row in explanation.rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    body = [_aligned(line, widths) for line in lines]
    return "\n".join([body[0], rule, *body[1:], rule, *summary(explanation)])


def _aligned(line: tuple[str, ...], widths: list[int]) -> str:
    aligned = [
        cell.rjust(width) if column >= NUMERIC_FROM else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(line, widths, strict=True))
    ]
    return "  ".join(aligned).rstrip()


def cells(row: Row) -> tuple[str, ...]:
    """The cells of one layer, in the order of ``HEADINGS``."""
    return (
        row.name,
        row.word,
        show(row.outputs[0]),
        f"{row.parameters:,}",
        f"{row.multiply_adds:,}",
        memory(row.activation_bytes),
        sees(row.field),
        jump(row.field),
    )


def summary(explanation: Explanation) -> list[str]:
    """The totals, each in a sentence, and by which convention they are counted."""
    total = explanation.totals
    size = " and ".join(f"{name} {show(shape)}" for name, shape in explanation.inputs.items())
    lines = [
        f"input: {size}",
        f"{total.parameters:,} parameters ({memory(4 * total.parameters)} as float32), "
        f"{total.head_share:.1%} of them in dense layers"
        + (f"; {total.stored:,} stored values are not learned" if total.stored else ""),
        f"{total.multiply_adds:,} multiply-adds = {total.flops:,} FLOPs; apart from them "
        f"{total.bias_additions:,} bias additions and {total.other_operations:,} other operations",
        f"{memory(total.activation_bytes)} for the outputs of all layers together, as float32",
        f"counted are {explanation.convention}",
        OTHER_CONVENTION,
        "sees: pixels of the image that one value depends on; jump: pixels from one value to the next",
    ]
    return lines


def layer(row: Row) -> str:
    """One layer with every derivation unfolded."""
    reads = ", ".join(f"{name} {show(shape)}" for name, shape in row.inputs) or "nothing"
    gives = ", ".join(map(show, row.outputs))
    lines = [f"{row.name}: {row.call}", f"reads {reads}, gives {gives}"]
    for derivation in merged(row.derivations):
        lines += ["", derivation.text()]
    if row.field is not None:
        lines += ["", *_field(row.field)]
    lines += ["", *row.remarks] if row.remarks else []
    if any("F" in derivation.formula for derivation in row.derivations):
        lines += ["", *textwrap.wrap(LEGEND, WIDTH)]
    return "\n".join(lines)


def merged(derivations: tuple[Derivation, ...]) -> list[Derivation]:
    """Axes with the same derivation said once: "height, width", "field height, width"."""
    names: dict[Derivation, list[str]] = {}
    for derivation in derivations:
        names.setdefault(replace(derivation, quantity=""), []).append(derivation.quantity)
    return [replace(same, quantity=_together(quantities)) for same, quantities in names.items()]


def _together(names: list[str]) -> str:
    """ "field height, width" for "field height" and "field width": what all begin with is said once."""
    first = names[0].partition(" ")[0] + " "
    if all(name.startswith(first) for name in names):
        return first + ", ".join(name.removeprefix(first) for name in names)
    return ", ".join(names)


def _field(field: Field) -> list[str]:
    windows = " x ".join(map(str, field.size))
    sentences = [f"one value sees {'' if field.exact else 'at most '}{windows} pixels"]
    if field.whole and all(field.whole):
        sentences.append("and depends on the whole image")
    start = ", ".join(map(str, field.start))
    sentences.append(f"the first one begins at pixel ({start}), the image at 0")
    if jump(field) != "-":
        sentences.append(f"the next begins {jump(field)} further on")
    return ["; ".join(sentences)]


def sees(field: Field | None) -> str:
    """``"435"``, ``"7 x 5"``, ``"<= 9"``; ``"whole"`` for the whole image, with the windows' part."""
    if field is None:
        return "-"
    windows = _once(field.size)
    bound = windows if field.exact else f"<= {windows}"
    return f"whole ({bound})" if field.whole and all(field.whole) else bound


def jump(field: Field | None) -> str:
    """``"32"``, ``"1/2"``; "-" where values have no place in the image."""
    if field is None or not field.jump or None in field.jump:
        return "-"
    return _once(field.jump)


def _once(values: tuple[object, ...]) -> str:
    """One number for equal axes."""
    return str(values[0]) if len(set(values)) == 1 else " x ".join(map(str, values))


def memory(count: int) -> str:
    """``"18.4 KiB"``."""
    size, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if size < 1024:
            break
        size, unit = size / 1024, larger
    return f"{count} B" if unit == "B" else f"{size:.1f} {unit}"
