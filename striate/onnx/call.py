"""One ONNX node as its reader sees it: attributes, inputs, and the means to write words down."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from striate.arithmetic import output_shapes
from striate.graph import Shape
from striate.onnx.attributes import Attributes
from striate.onnx.batch import BATCH, Batch, depends, settled
from striate.onnx.limits import MOST_FOLDED, MOST_GROWN, MOST_VALUES, MOST_WORDS
from striate.onnx.value import FLAT, Fixed, Flat, Quantised, Value, shortest
from striate.ops import Constant, Op, Window
from striate.sketch import Draft, Place, Sketch, Weight

if TYPE_CHECKING:
    from striate.onnx.reading import Reading


class Call(Attributes):
    """The arguments of one node."""

    def __init__(self, reading: Reading, node: NodeProto, inputs: list[Value | None], version: int) -> None:
        super().__init__(node, reading.model.path)
        self._reading = reading
        self.sketch: Sketch = reading.sketch
        self.version = version
        self.inputs = inputs
        self.place: Place = reading.place_of(node)
        self.batch = reading.batch

    # --- inputs ---------------------------------------------------------------------------------------------

    def given(self, index: int) -> bool:
        return index < len(self.inputs) and self.inputs[index] is not None

    def any(self, index: int) -> Value:
        """Input ``index``, whatever it is; refused where it is missing."""
        value = self.inputs[index] if index < len(self.inputs) else None
        if value is None:
            self.refuse(f"it must have an input {index}, which is missing")
        return value

    def value(self, index: int = 0) -> str:
        """Input ``index`` as a value of the sketch; an array becomes a Constant."""
        return self.as_value(self.any(index))

    def as_value(self, value: Value) -> str:
        if isinstance(value, str):
            return value
        if isinstance(value, Flat):
            self.refuse(FLAT)
        if isinstance(value, Quantised):
            self.refuse(
                "it computes with quantised integers; save the network in QDQ format, where they are "
                "dequantised first"
            )
        weight = self.as_weight(value)
        return self._add(Constant(weight.array.shape), (), {"value": weight}, weight.array.shape)

    def number(self, value: float) -> str:
        """A number as a value of the sketch."""
        return self.as_value(Fixed(None, np.array(value, np.float64)))

    def fixed(self, index: int, what: str) -> Fixed:
        """Input ``index``, which must not depend on the image. ``what`` it is, for the message."""
        value = self.any(index)
        if not isinstance(value, Fixed):
            self.refuse(f"its {what} must be a constant of the file, it is computed from the network's input")
        return value

    def optional(self, index: int, what: str) -> Fixed | None:
        return self.fixed(index, what) if self.given(index) else None

    def array(self, index: int, what: str) -> NDArray[Any]:
        """A constant input without sizes that depend on the batch."""
        array = self.fixed(index, what).array
        if depends(array):
            self.refuse(f"its {what} depends on the batch")
        return array

    def scalar(self, index: int, what: str, default: Any = None) -> Any:
        """The single number in a constant input, as a Python number."""
        if not self.given(index):
            return default
        array = self.array(index, what)
        if array.size != 1:
            self.refuse(f"its {what} must be one number, got shape {array.shape}")
        number = array.reshape(()).item()
        return shortest(number) if array.dtype == np.float32 else number

    def entries(self, index: int, what: str) -> list[Any]:
        """The integers in a constant input of one axis, ``Batch`` among them."""
        array = self.fixed(index, what).array
        if array.ndim > 1 or array.dtype.kind not in "iuO":
            self.refuse(
                f"its {what} must be integers along one axis, got {array.dtype} of shape {array.shape}"
            )
        return [entry if isinstance(entry, Batch) else int(entry) for entry in np.atleast_1d(array)]

    def wholes(self, index: int, what: str) -> list[int]:
        """The same, all known now."""
        entries = self.entries(index, what)
        if any(isinstance(entry, Batch) for entry in entries):
            self.refuse(f"its {what} depends on the batch")
        return entries

    def axes(self, name: str, index: int, rank: int) -> list[int] | None:
        """Axes, in older versions an attribute and in newer ones an input; counted from the front."""
        old = self.integers(name)
        given = old if old is not None else self.wholes(index, name) if self.given(index) else None
        return None if given is None else [self.axis(axis, rank) for axis in given]

    def axis(self, axis: int, rank: int) -> int:
        if not -rank <= axis < rank:
            self.refuse(f"axis must name one of {rank} axes, got {axis}")
        return axis % rank

    def as_weight(self, fixed: Fixed) -> Weight:
        """A tensor of words: floating point, with its name in the file."""
        array = fixed.array
        if depends(array):
            self.refuse("one of its operands depends on the batch")
        if array.dtype.kind not in "fiu":
            self.refuse(f"it computes with {array.dtype}, which no word does")
        return Weight(fixed.name, array if array.dtype.kind == "f" else array.astype(np.float64))

    def shape(self, index: int = 0) -> Shape:
        return self.shape_of(self.any(index))

    def shape_of(self, value: Value) -> Shape:
        if isinstance(value, Fixed):
            return value.array.shape
        if isinstance(value, Flat):
            self.refuse(FLAT)
        return self.sketch.shapes[value.value if isinstance(value, Quantised) else value]

    def rank(self, index: int = 0) -> int:
        return len(self.shape(index))

    def sizes(self, value: str) -> tuple[int, ...]:
        """The sizes of one image's part of ``value``."""
        return tuple(int(size) for size in self.sketch.shapes[value][1:])

    # --- results --------------------------------------------------------------------------------------------

    def emit(self, op: Op, *inputs: str, **weights: Fixed | None) -> str:
        """Write a word down; its first output."""
        kept = {role: self.as_weight(fixed) for role, fixed in weights.items() if fixed is not None}
        shapes = output_shapes(op, [self.sketch.shapes[value] for value in inputs]).shapes
        for shape in shapes:
            self._check(op, shape)
        if isinstance(op, Window):
            sizes = self.sketch.shapes[inputs[0]]
            padded = (size + sum(pair) for size, pair in zip(sizes[2:], op.pads, strict=True))  # type: ignore[operator]
            self._bounded((*sizes[1:2], *padded))
        return self._add(op, inputs, kept, *shapes)

    def emit_step(self, op: Op, value: str) -> str:
        """A step that is no word and keeps the shape; a pattern must make a word of it."""
        return self._add(op, (value,), {}, self.sketch.shapes[value])

    def _add(self, op: Op, inputs: tuple[str, ...], weights: dict[str, Weight], *shapes: Shape) -> str:
        if len(self.sketch.drafts) >= MOST_WORDS:
            self.refuse(f"the network has more than {MOST_WORDS} layers")
        return self.sketch.add(Draft(op, inputs, weights, self.place), *shapes)

    def _check(self, op: Op, shape: Shape) -> None:
        """Every value is one for each image: the batch, which nothing may mix, is its first axis."""
        if not shape or shape[0] != BATCH or any(isinstance(size, str) for size in shape[1:]):
            self.refuse(f"it mixes the images of a batch ({type(op).__name__} would give {shape})")
        self._bounded(shape[1:])

    def _bounded(self, sizes: tuple[Any, ...]) -> None:
        if prod(sizes) > MOST_VALUES:
            self.refuse(f"a map of {' x '.join(map(str, sizes))} values is larger than striate computes")

    def reshape(self, value: str, *sizes: int) -> str:
        """The same values of each image in another shape."""
        from striate.ops import Reshape

        return value if self.sizes(value) == sizes else self.emit(Reshape(sizes), value)

    def result(self, array: Any) -> Fixed:
        """A constant computed from constants, under the name of the node's output."""
        return Fixed(self.node.output[0] or None, settled(np.asarray(array)))

    def room_for(self, count: int) -> None:
        """Refuse a constant that is both large and larger than all it is computed from."""
        known = sum(value.array.size for value in self.inputs if isinstance(value, Fixed))
        if count > known:
            self._reading.grown += count
        if count > max(known, MOST_FOLDED) or self._reading.grown > MOST_GROWN:
            self.refuse(f"a constant of {count} values, computed from {known}, is larger than striate keeps")
