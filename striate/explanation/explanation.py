"""What ``striate explain`` answers with: one row a layer, the totals, and how they are counted."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from striate.arithmetic import Derivation, Field
from striate.errors import UnknownNameError, nearest
from striate.explanation import page, text
from striate.graph import Shape


@dataclass(frozen=True)
class Row:
    """One layer. ``multiply_adds`` and the like are for one run of it; ``activation_bytes`` at 4 a value.

    ``field`` is None for a layer that does not depend on the image. ``remarks`` are what a reader should
    notice: a tied tensor, branches that do not lie on each other.
    """

    name: str
    word: str
    call: str  # the word with its arguments: "Conv2d(1, 6, kernel_size=5)"
    inputs: tuple[tuple[str, Shape], ...]
    outputs: tuple[Shape, ...]
    parameters: int
    multiply_adds: int
    bias_additions: int
    other_operations: int
    activation_bytes: int
    field: Field | None
    derivations: tuple[Derivation, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class Totals:
    """Sums over the network. ``head_share`` is the share of the parameters that dense layers hold, 0 to 1."""

    parameters: int
    stored: int
    multiply_adds: int
    flops: int
    bias_additions: int
    other_operations: int
    activation_bytes: int
    head_share: float


@dataclass(frozen=True)
class Explanation:
    """Every number of a network with its reason. ``inputs`` are the shapes it was derived for."""

    inputs: dict[str, Shape]
    rows: tuple[Row, ...]
    totals: Totals
    convention: str

    @property
    def most_expensive(self) -> str:
        """The layer with the most multiply-adds; without any, the one with the largest output."""
        return max(self.rows, key=lambda row: (row.multiply_adds, row.activation_bytes)).name

    def row(self, name: str) -> Row:
        """The layer of that name. UnknownNameError suggests the nearest ones."""
        for row in self.rows:
            if row.name == name:
                return row
        names = [row.name for row in self.rows]
        hint = nearest(name, names) or f"the layers are {', '.join(names[:8])}{', ...' * (len(names) > 8)}."
        raise UnknownNameError(f"layer must be one of this network's, got {name!r}: {hint}")

    def table(self) -> str:
        """All layers and the totals as plain text."""
        return text.table(self)

    def layer(self, name: str) -> str:
        """Everything about one layer: formula, substitution, result and remainder of each number."""
        return text.layer(self.row(name))

    def to_html(self) -> str:
        """The table as a fragment of HTML; the derivations of a layer unfold at its name."""
        return page.fragment(self)

    def to_json(self) -> dict[str, Any]:
        """Plain values only; a shape's symbolic batch is the string "N"."""
        return {
            "inputs": {name: list(shape) for name, shape in self.inputs.items()},
            "layers": [_row_json(row) for row in self.rows],
            "totals": asdict(self.totals),
            "convention": self.convention,
        }

    def layer_json(self, name: str) -> dict[str, Any]:
        """The entry of ``to_json()["layers"]`` for one layer."""
        return _row_json(self.row(name))


def _row_json(row: Row) -> dict[str, Any]:
    numbers = (
        "parameters",
        "multiply_adds",
        "bias_additions",
        "other_operations",
        "activation_bytes",
    )
    return {
        "name": row.name,
        "word": row.word,
        "call": row.call,
        "inputs": {name: list(shape) for name, shape in row.inputs},
        "outputs": [list(shape) for shape in row.outputs],
        **{number: getattr(row, number) for number in numbers},
        "field": None if row.field is None else _field_json(row.field),
        "derivations": [asdict(derivation) for derivation in row.derivations],
        "remarks": list(row.remarks),
    }


def _field_json(field: Field) -> dict[str, Any]:
    """Pixels of the image; jumps and starts may be fractions and are floats here."""
    return {
        "size": list(field.size),
        "jump": [None if jump is None else float(jump) for jump in field.jump],
        "start": [float(start) for start in field.start],
        "whole": list(field.whole),
        "exact": field.exact,
    }
