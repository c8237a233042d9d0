"""One aten operation as its reader sees it: arguments by name, and the means to write words down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import torch
from torch import Tensor, fx

from striate.errors import UnsupportedError
from striate.graph import Shape
from striate.ops import Constant, Op
from striate.sketch import Draft, Place, Sketch, Weight

if TYPE_CHECKING:
    from striate.capture.reading import Reading


@dataclass(frozen=True)
class Fixed:
    """A tensor that does not depend on the network's input. ``name``: of the parameter or buffer it is."""

    name: str | None
    tensor: Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.tensor.shape)


Value: TypeAlias = str | Fixed  # a key of the sketch, or a tensor known now


class Call:
    """The arguments of one fx node, bound by the operation's schema; defaults are filled in."""

    def __init__(self, reading: Reading, node: fx.Node, place: Place) -> None:
        self.sketch: Sketch = reading.sketch
        self.operation = str(node.target)
        self.place = place
        self.result: Any = node.meta.get("val")
        self.node = node
        self._reading = reading
        self._arguments: dict[str, Any] = {}
        schema = node.target._schema  # type: ignore[union-attr]
        for index, argument in enumerate(schema.arguments):
            given = node.args[index] if index < len(node.args) else node.kwargs.get(argument.name, _MISSING)
            self._arguments[argument.name] = argument.default_value if given is _MISSING else given

    # --- arguments ------------------------------------------------------------------------------------

    def __getitem__(self, name: str) -> Any:
        """Numbers, strings, flags and lists of them as they stand; tensors as Value or list of Value."""
        return self._reading.resolve(self._arguments[name])

    def has(self, name: str) -> bool:
        """Whether the operation has an argument of that name."""
        return name in self._arguments

    def numbers(self, name: str) -> int | tuple[int, ...]:
        """An integer, or one for each axis; refused where a size depends on the batch."""
        value = self[name]
        entries = list(value) if isinstance(value, (list, tuple)) else [value]
        if not all(isinstance(entry, int) for entry in entries):
            self.refuse(f"its {name} depends on the batch")
        return tuple(entries) if isinstance(value, (list, tuple)) else int(value)

    def value(self, name: str) -> str:
        """The tensor (or number) ``name`` as a value of the sketch; a fixed one becomes a Constant."""
        return self.as_value(self[name])

    def as_value(self, value: Any) -> str:
        if isinstance(value, str):
            return value
        if isinstance(value, (bool, int, float)):
            value = Fixed(None, torch.tensor(float(value), dtype=torch.float64))
        if not isinstance(value, Fixed):
            self.refuse("one of its operands is a number that depends on the batch")
        return self._emit(Constant(value.shape), (), {"value": value}, value.shape)

    def fixed(self, name: str) -> Fixed | None:
        """The tensor ``name`` if it is given; refused where it is computed from the network's input."""
        value = self[name]
        if value is not None and not isinstance(value, Fixed):
            self.refuse(f"its {name} is computed from the network's input, so it is not a weight")
        return value

    def shape(self, name: str) -> Shape:
        """The shape of the tensor ``name``; "N" is the batch."""
        value = self[name]
        return value.shape if isinstance(value, Fixed) else self.sketch.shapes[value]

    def axis(self, name: str, rank: int) -> int:
        """The axis ``name``, counted from the front."""
        return int(self[name]) % max(rank, 1)

    def axes(self, name: str, rank: int) -> tuple[int, ...]:
        """The axes ``name``, counted from the front and sorted; none given: all."""
        value = self[name]
        given = range(rank) if value is None or value == [] else [value] if isinstance(value, int) else value
        return tuple(sorted(axis % rank for axis in given))

    @property
    def shape_out(self) -> Shape:
        """The shape of the (first) result."""
        return self._reading.shape_of(self.result)

    @property
    def shapes_out(self) -> list[Shape]:
        """The shapes of all results of an operation with several."""
        return [self._reading.shape_of(part) for part in self.result or ()]

    def reads_output(self, index: int) -> bool:
        """Whether anybody needs result ``index`` of an operation with several."""
        return any(user.args[1] == index and self._reading.is_live(user) for user in self.node.users)

    def rest(self, shape: Shape) -> tuple[int, ...]:
        """A shape without its batch, as Reshape takes it: one size that depends on the batch is left open."""
        sizes = tuple(size if isinstance(size, int) else -1 for size in shape[1:])
        if sizes.count(-1) > 1:
            self.refuse(f"more than one size of {shape} depends on the batch")
        return sizes

    def whole(self, size: int | str) -> int:
        """The size, refused where it depends on the batch."""
        if isinstance(size, str):
            self.refuse("the size of its result depends on the batch")
        return size

    # --- results --------------------------------------------------------------------------------------

    def emit(self, op: Op, *inputs: str, shape: Shape | None = None, **weights: Fixed | None) -> str:
        """Write a word down. ``shape``: of its result, where it is not the operation's own."""
        return self._emit(op, inputs, weights, self.shape_out if shape is None else shape)

    def emit_pair(self, op: Op, *inputs: str) -> list[Value]:
        """Write a word with two outputs down."""
        first, second = (self._reading.shape_of(part) for part in self.result)
        key = self._emit(op, inputs, {}, first, second)
        return [key, f"{key}:1"]

    def _emit(self, op: Op, inputs: tuple[str, ...], weights: dict[str, Fixed | None], *shapes: Shape) -> str:
        kept = {
            role: Weight(fixed.name, self._reading.array(fixed.tensor))
            for role, fixed in weights.items()
            if fixed is not None
        }
        return self.sketch.add(Draft(op, inputs, kept, self.place), *shapes)

    def refuse(self, reason: str) -> NoReturn:
        """Raise UnsupportedError that names operation, module path and source line."""
        raise refusal(self.operation, self.place, reason)


_MISSING: Any = object()


def refusal(operation: str, place: Place, reason: str) -> UnsupportedError:
    """The error that names operation, module path and source line."""
    return UnsupportedError(f"{operation} in {place} cannot be captured: {reason}.")
