"""The attributes of an ONNX node, by name and type."""

from __future__ import annotations

from typing import Any, NoReturn

from numpy.typing import NDArray
from onnx import AttributeProto, NodeProto

from striate.onnx.tensor import array_of
from striate.onnx.value import refusal, shortest

_KINDS: dict[int, str] = {
    AttributeProto.FLOAT: "f",
    AttributeProto.INT: "i",
    AttributeProto.STRING: "s",
    AttributeProto.TENSOR: "t",
    AttributeProto.GRAPH: "g",
    AttributeProto.FLOATS: "floats",
    AttributeProto.INTS: "ints",
}


class Attributes:
    """Its reader asks for each attribute; one that it does not know is refused."""

    def __init__(self, node: NodeProto, file: Any) -> None:
        self.node, self.file = node, file
        self._attributes = {attribute.name: attribute for attribute in node.attribute}
        self._asked: set[str] = set()

    def refuse(self, reason: str) -> NoReturn:
        """Raise UnsupportedError that names operator, node and file."""
        raise refusal(self.node, self.file, reason)

    def attribute(self, name: str, kind: int, default: Any = None) -> Any:
        """The attribute, if it is there, as Python's own type."""
        self._asked.add(name)
        found = self._attributes.get(name)
        if found is None:
            return default
        if found.type != kind or found.ref_attr_name:
            self.refuse(f"its attribute {name} is not of the type that ONNX demands")
        value = getattr(found, _KINDS[kind])
        if kind == AttributeProto.STRING:
            return value.decode("utf-8", "replace")
        return list(value) if kind in (AttributeProto.INTS, AttributeProto.FLOATS) else value

    def integer(self, name: str, default: int | None = None) -> Any:
        value = self.attribute(name, AttributeProto.INT, default)
        return (
            self.required(name) if value is None and default is None and name in self._attributes else value
        )

    def real(self, name: str, default: float | None = None) -> Any:
        """A float attribute as its author wrote it: 0.2, not the nearest single-precision number to it."""
        value = self.attribute(name, AttributeProto.FLOAT)
        return default if value is None else shortest(value)

    def text(self, name: str, default: str = "") -> str:
        return str(self.attribute(name, AttributeProto.STRING, default))

    def integers(self, name: str, default: list[int] | None = None) -> Any:
        return self.attribute(name, AttributeProto.INTS, default)

    def required(self, name: str) -> NoReturn:
        self.refuse(f"it must have {name}, which is missing")

    def only(self, name: str, *allowed: Any) -> None:
        """Refuse the attribute unless it is one of ``allowed``, the first being its default."""
        get = (
            self.text
            if isinstance(allowed[0], str)
            else self.real
            if isinstance(allowed[0], float)
            else self.integer
        )
        value = get(name, allowed[0])
        if value not in allowed:
            self.refuse(f"its attribute {name} must be {' or '.join(map(repr, allowed))}, got {value!r}")

    def finish(self) -> None:
        """Refuse attributes that the reader does not know."""
        odd = sorted(set(self._attributes) - self._asked)
        if odd:
            self.refuse(f"its attribute {odd[0]} has no meaning that striate knows")

    def tensor(self, name: str) -> NDArray[Any] | None:
        found = self.attribute(name, AttributeProto.TENSOR)
        return None if found is None else array_of(found, self.file)
