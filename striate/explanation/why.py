"""``--why``: what the same image costs when it is connected to the next layer in three ways."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from striate.arithmetic import cost, output_shapes, parameters
from striate.ops import Conv2d, Linear


@dataclass(frozen=True)
class Connection:
    """One way to connect. ``weights``: bias not counted; ``outputs`` and ``multiply_adds``: of one image."""

    name: str
    formula: str
    weights: int
    outputs: int
    multiply_adds: int


@dataclass(frozen=True)
class Connections:
    """The ways compared, for an image of ``size`` (channels, rows, columns)."""

    size: tuple[int, int, int]
    units: int
    kernel: int
    ways: tuple[Connection, ...]

    def of(self, name: str) -> Connection:
        """The way of that name."""
        return next(way for way in self.ways if way.name == name)

    def to_json(self) -> dict[str, Any]:
        """Plain values only."""
        return asdict(self)

    def text(self) -> str:
        """The ways in a table, and what the comparison does not say by itself."""
        channels, rows, columns = self.size
        lines = [f"an image of {channels}x{rows}x{columns}, {self.units:,} units or kernels, no bias", ""]
        lines.append(f"{'':22}{'weights':>18}{'outputs':>16}{'multiply-adds':>18}")
        for way in self.ways:
            lines.append(f"{way.name:22}{way.weights:>18,}{way.outputs:>16,}{way.multiply_adds:>18,}")
            lines.append(f"  {way.formula}")
        shared, local = self.of("convolution"), self.of("locally connected")
        lines += [
            "",
            "Sharing saves weights, not work: the convolution and the locally connected layer both do",
            f"{shared.multiply_adds:,} multiply-adds, with {shared.weights:,} weights and {local.weights:,}.",
            f"{self.units:,} fully connected units give {self.units:,} numbers, {self.units:,} kernels give "
            "as many maps,",
            f"{shared.outputs:,} numbers: the two do not answer one question.",
        ]
        return "\n".join(lines)


def connections(
    size: tuple[int, int, int] = (1, 1080, 1920), units: int = 1000, kernel: int = 3
) -> Connections:
    """Fully connected, locally connected and convolutional layers on an image of ``size``.

    The defaults are the textbook's: 1920 x 1080 pixels, 1000 units, kernels of 3 x 3. Outputs of windows are
    as large as the image (padding "same"). Raises ArgumentError for sizes below 1.
    """
    channels, rows, columns = size
    pixels = channels * rows * columns
    dense = Linear(pixels, units, bias=False)
    shared = Conv2d(channels, units, (kernel, kernel), padding="same", bias=False)
    maps = output_shapes(shared, [(1, *size)]).shape
    products = cost(shared, [(1, *size)]).multiply_adds.result
    taps = f"{kernel}*{kernel}*{channels}"
    ways = (
        Connection(
            "fully connected",
            f"{rows}*{columns}*{channels} * {units}: every unit sees every pixel",
            parameters(dense).result,
            units,
            cost(dense, [(1, pixels)]).multiply_adds.result,
        ),
        Connection(
            "locally connected",
            f"{rows}*{columns} * {taps} * {units}: a window, with weights of its own at every place",
            products,  # a weight for each product
            _count(maps),
            products,
        ),
        Connection(
            "convolution",
            f"{taps} * {units}: a window, with the same weights at every place",
            parameters(shared).result,
            _count(maps),
            products,
        ),
        Connection(
            "one window a unit",
            f"{taps} * {units}: each unit looks at one place only",
            parameters(shared).result,
            units,
            parameters(shared).result,
        ),
    )
    return Connections(size, units, kernel, ways)


def _count(shape: tuple[int | str, ...]) -> int:
    count = 1
    for size in shape[1:]:
        count *= int(size)
    return count
