"""``--activation``: the atlas of activations, measured and compared; named, or written with arguments."""

from __future__ import annotations

import ast
import math
from dataclasses import dataclass
from typing import Any

from striate.errors import ArgumentError, UnknownNameError, nearest
from striate.explanation.operations import costly
from striate.explanation.portrait import SATURATED, TOLERANCE, Interval, Portrait, portrait
from striate.ops import (
    ELU,
    GELU,
    SELU,
    WORDS,
    Activation,
    Clamp,
    HardSigmoid,
    HardSwish,
    LeakyReLU,
    LogSoftmax,
    PReLU,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softmax,
    Tanh,
)

TEXTBOOK = ("sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu")
ATLAS: dict[str, Activation] = {
    "sigmoid": Sigmoid(),
    "tanh": Tanh(),
    "relu": ReLU(),
    "leaky_relu": LeakyReLU(),
    "elu": ELU(),
    "gelu": GELU(),
    "gelu_tanh": GELU("tanh"),
    "gelu_sigmoid": GELU("sigmoid"),
    "silu": SiLU(),
    "selu": SELU(),
    "prelu": PReLU(),
    "relu6": ReLU6(),
    "hardtanh": Clamp(-1.0, 1.0),
    "hardsigmoid": HardSigmoid(),
    "hardswish": HardSwish(),
}
WHOLE_AXIS = (Softmax, LogSoftmax)


@dataclass(frozen=True)
class Atlas:
    """Portraits of one or more activations."""

    portraits: tuple[Portrait, ...]

    def to_json(self) -> list[dict[str, Any]]:
        """One object an activation."""
        return [one.to_json() for one in self.portraits]

    def text(self) -> str:
        """One activation in sentences, several as a table."""
        if len(self.portraits) == 1:
            return _sentences(self.portraits[0])
        return "\n".join([*_table(self.portraits), "", *LEGEND])


LEGEND = (
    f"flat: where the slope is below {SATURATED}; dies: where it is exactly 0",
    "mean: of the outputs for standard normal inputs; 0 is zero-centred",
    "costly: exponentials, powers and divisions among the operations of the formula in striate.reference",
    f"computed from the reference in float64, places and means within {TOLERANCE}",
)


def atlas(names: str) -> Atlas:
    """Portraits of ``names``: separated by commas, "all", or "textbook" for the six that every book draws.

    A name may carry arguments: "elu(alpha=2)". Raises UnknownNameError with the nearest names, ArgumentError
    for softmax, which is not a function of one value, and for arguments that the word does not take.
    """
    chosen: list[tuple[str, Activation]] = []
    for name in _split(names):
        if name == "all":
            chosen += ATLAS.items()
        elif name == "textbook":
            chosen += [(known, ATLAS[known]) for known in TEXTBOOK]
        else:
            chosen.append((name, _word(name)))
    return Atlas(tuple(portrait(name, word) for name, word in dict(chosen).items()))


def _split(names: str) -> list[str]:
    """At commas that stand outside brackets."""
    parts, depth = [""], 0
    for letter in names:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def _word(text: str) -> Activation:
    """ "gelu", "GELU(approximate='tanh')", "leaky_relu(0.2)"."""
    name, bracket, rest = text.partition("(")
    simple = {_simple(known): word for known, word in ATLAS.items()}
    if not bracket and _simple(name) in simple:
        return simple[_simple(name)]
    words = {_simple(known): word for known, word in WORDS.items() if issubclass(word, Activation)}
    if _simple(name) not in words:
        hint = nearest(name, ATLAS) or f"the atlas holds {', '.join(ATLAS)}."
        raise UnknownNameError(f"--activation must name an activation, all or textbook, got {text!r}: {hint}")
    word = words[_simple(name)]
    if word in WHOLE_AXIS:
        raise ArgumentError(
            f"--activation must be a function of one value, got {text!r}, which looks at a whole axis: "
            "choose another, or all."
        )
    try:
        call = ast.parse(f"word({rest}" if bracket else "word()", mode="eval").body
        if not isinstance(call, ast.Call):
            raise ValueError("not a call")
        given = {str(entry.arg): ast.literal_eval(entry.value) for entry in call.keywords}
        return word(*[ast.literal_eval(value) for value in call.args], **given)
    except ArgumentError:
        raise
    except (SyntaxError, TypeError, ValueError):
        raise ArgumentError(
            f"--activation must carry arguments of {word.__name__}, got {text!r}: "
            "write for example elu(alpha=2)."
        ) from None


def _simple(name: str) -> str:
    return name.strip().replace("_", "").replace("-", "").lower()


def _table(portraits: tuple[Portrait, ...]) -> list[str]:
    rows = [("", "range", "steepest", "flat", "dies", "mean", "costly", "operations")]
    rows += [
        (
            one.name,
            _range(one),
            f"{one.steepest:.4g}",
            _runs(one.saturated),
            _runs(one.dead),
            _number(one.mean),
            str(costly(one.operations)),
            str(sum(one.operations.values())),
        )
        for one in portraits
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _sentences(one: Portrait) -> str:
    documented = (type(one.word).__doc__ or "").strip().splitlines()[0]
    shape = "never falls" if one.monotonic else f"falls and rises again, its lowest value is {one.low:.6g}"
    corner = "has no corner" if one.smooth else "has a corner: the slope jumps"
    centred = "zero-centred" if one.zero_centred else "not zero-centred"
    counted = ", ".join(f"{count} {name}" for name, count in one.operations.items())
    return "\n".join(
        [
            f"{one.name}: {documented}",
            f"range          {_range(one)}",
            f"form           {shape}; {corner}" + ("; f(-x) = -f(x)" if one.odd else ""),
            f"steepest       slope {one.steepest:.6g} at {one.steepest_at:.6g}",
            f"flat           {_runs(one.saturated)}  (slope below {SATURATED})",
            f"gradient dies  {_runs(one.dead)}  (slope exactly 0)",
            f"normal inputs  mean {_number(one.mean)}, deviation {one.deviation:.4f}: {centred}",
            f"cost           {counted}",
            f"computed from the reference in float64, places and means within {TOLERANCE}",
        ]
    )


def _range(one: Portrait) -> str:
    """ "(0, 1)" with round brackets where a bound is only tended to."""
    return (
        f"{'[' if one.low_reached else '('}{_number(one.low)}, "
        f"{_number(one.high)}{']' if one.high_reached else ')'}"
    )


def _runs(runs: tuple[Interval, ...]) -> str:
    """ "x < -4.585, x > 4.585"; "-" where there is none."""
    words = []
    for low, high in runs:
        if math.isinf(low):
            words.append("everywhere" if math.isinf(high) else f"x < {_number(high)}")
        else:
            words.append(f"x > {_number(low)}" if math.isinf(high) else f"{_number(low)} to {_number(high)}")
    return ", ".join(words) or "-"


def _number(value: float) -> str:
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return f"{0.0 if abs(value) < TOLERANCE else value:.4g}"
