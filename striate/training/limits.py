"""Rules that a setting must meet, each refusal one sentence: argument, rule, value, remedy."""

from __future__ import annotations

import math

from striate.errors import ArgumentError, nearest


def whole(name: str, value: object, *, at_least: int, at_most: int | None = None) -> None:
    if isinstance(value, int) and not isinstance(value, bool) and at_least <= value:
        if at_most is None or value <= at_most:
            return
        raise ArgumentError(
            f"{name} must be at most {at_most:,}, got {value}: give for example {name}={max(1, at_least)}."
        )
    raise ArgumentError(
        f"{name} must be a whole number of at least {at_least}, got {value!r}: "
        f"give for example {name}={max(1, at_least)}."
    )


def number(
    name: str,
    value: object,
    default: object,
    *,
    above: float = -math.inf,
    at_least: float = -math.inf,
    below: float = math.inf,
    at_most: float = math.inf,
) -> None:
    """Refuse what is not a finite number inside the bounds, naming the bounds that matter."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if is_number and math.isfinite(value) and above < value < below and at_least <= value <= at_most:  # type: ignore[operator, arg-type]
        return
    bounds = {"above": above, "at least": at_least, "below": below, "at most": at_most}
    rule = " and ".join(f"{word} {bound:g}" for word, bound in bounds.items() if math.isfinite(bound))
    usual = "none" if default is None else default
    raise ArgumentError(f"{name} must be a number {rule}, got {value!r}: leave it out for {usual}.")


def one_of(name: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        hint = nearest(str(value), known)
        raise ArgumentError(
            f"{name} must be one of {', '.join(known)}, got {value!r}{': ' + hint if hint else '.'}"
        )


def yes_or_no(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise ArgumentError(f"{name} must be True or False, got {value!r}: give one of them.")
