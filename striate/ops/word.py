"""What every word is: a frozen dataclass that says one operation completely, and nothing about how it is run.

A word's fields are PyTorch's argument names. Its weights are not in it: ``roles`` names them ("weight",
"bias", "running_mean") and a graph node says which tensor plays which role. Whoever adds a word here adds its
readings (shape, parameters, cost, field, reference); the suites over ``WORDS`` fail until they are there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, TypeVar

from striate.errors import ArgumentError, GraphError, UnsupportedError, nearest

WORDS: dict[str, type[Op]] = {}
W = TypeVar("W", bound="Op")


@dataclass(frozen=True)
class Op:
    """Base of all words.

    ``arity``: how many inputs it takes; None means one or more.
    ``outputs``: how many values it gives; the second is referred to as ``"node:1"``.
    """

    arity: ClassVar[int | None] = 1

    @property
    def roles(self) -> tuple[str, ...]:
        """Names of the tensors this word needs, in PyTorch's order."""
        return ()

    @property
    def outputs(self) -> int:
        return 1


def word(cls: type[W]) -> type[W]:
    """Enter a word into ``WORDS``; a name used twice is an error."""
    if cls.__name__ in WORDS:
        raise ArgumentError(
            f"word {cls.__name__} must have a name of its own, it is defined twice: rename one."
        )
    WORDS[cls.__name__] = cls
    return cls


def to_json(op: Op) -> dict[str, Any]:
    """``{"op": "Conv2d", "in_channels": 3, ...}``; every field, so that no file depends on our defaults."""
    return {"op": type(op).__name__, **{field.name: getattr(op, field.name) for field in fields(op)}}


def from_json(record: Mapping[str, Any]) -> Op:
    """The word that ``to_json`` wrote. Raises GraphError or UnsupportedError, never TypeError."""
    values = dict(record)
    name = values.pop("op", None)
    if name not in WORDS:
        hint = nearest(str(name), WORDS)
        raise UnsupportedError(
            f"op must be one of striate's words, got {name!r}: {hint or 'update striate.'}"
        )
    known = {field.name for field in fields(WORDS[name])}
    if set(values) != known:
        odd = ", ".join(sorted(set(values) ^ known))
        raise GraphError(f"{name} must have exactly the fields {sorted(known)}, these differ: {odd}.")
    return WORDS[name](**{key: _tuples(value) for key, value in values.items()})


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


# --- validation: each says argument, rule, value, remedy -------------------------------------------------


def require(holds: bool, argument: str, rule: str, value: object, remedy: str) -> None:
    """Raise ArgumentError in the one form that all our messages have."""
    if not holds:
        raise ArgumentError(f"{argument} must {rule}, got {value!r}: {remedy}.")


def integer(argument: str, value: object, minimum: int = 1) -> int:
    """A plain integer of at least ``minimum``; numpy integers are accepted, booleans and floats are not."""
    number = getattr(value, "__index__", None)
    rule = f"be an integer of at least {minimum}"
    require(number is not None and not isinstance(value, bool), argument, rule, value, "give an integer")
    result = int(value)  # type: ignore[call-overload]
    require(result >= minimum, argument, rule, value, f"give {minimum} or more")
    return int(result)


def real(argument: str, value: object, allowed: Callable[[float], bool], rule: str) -> float:
    """A finite float for which ``allowed`` holds."""
    numeric = isinstance(value, (int, float)) and not isinstance(value, bool)
    require(numeric, argument, f"be a number that is {rule}", value, "give a number")
    result = float(value)  # type: ignore[arg-type]
    finite = result == result and abs(result) != float("inf")
    require(finite and allowed(result), argument, f"be {rule}", value, "choose a value in that range")
    return result


def choice(argument: str, value: object, allowed: tuple[str, ...]) -> str:
    """One of a few strings."""
    require(value in allowed, argument, f"be one of {', '.join(allowed)}", value, "choose one of these")
    return str(value)


def flag(argument: str, value: object) -> bool:
    require(isinstance(value, bool), argument, "be True or False", value, "give a bool")
    return bool(value)


def per_axis(argument: str, value: object, axes: int, minimum: int = 1) -> tuple[int, ...]:
    """An integer, or one integer for each of ``axes`` spatial axes, as a tuple of ``axes`` integers."""
    if not isinstance(value, (tuple, list)):
        return (integer(argument, value, minimum),) * axes
    remedy = f"give one integer or {axes} of them"
    require(len(value) == axes, argument, f"have one entry for each of the {axes} axes", value, remedy)
    return tuple(integer(argument, entry, minimum) for entry in value)
