"""A walk as an animated GIF: the picture with the window, the kernel, the output as far as it has come."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from striate.errors import ArgumentError
from striate.explanation.walk import Array, Step, Walk, number

MOST_FRAMES = 400
CELL, GAP, HEAD, LINE = 44, 36, 26, 20  # pixels
MILLISECONDS = 900  # a frame
INK, RULE, PAPER, PAD = "#1b1b1b", "#b0b0b0", "#ffffff", "#e6e6e6"
WINDOW, DONE, NOW = "#ffd27a", "#d5e6ff", "#7db4ff"


def walk_film(walk: Walk) -> bytes:
    """The content of a GIF file that plays ``walk`` for ever, a step in 0.9 seconds.

    Raises ArgumentError for more than ``MOST_FRAMES`` steps.
    """
    if len(walk.steps) > MOST_FRAMES:
        raise ArgumentError(
            f"--out must be an .html file for more than {MOST_FRAMES} steps, got {len(walk.steps):,}: "
            "take a smaller picture, or write the page."
        )
    first, *others = _frames(walk)
    stream = io.BytesIO()
    times = [MILLISECONDS] * len(others) + [3 * MILLISECONDS]
    first.save(stream, "GIF", save_all=True, append_images=others, duration=times, loop=0)
    return stream.getvalue()


def _frames(walk: Walk) -> Iterator[Image.Image]:
    for index, step in enumerate(walk.steps):
        yield _Frame(walk, index, step).image.convert("P", palette=Image.Palette.ADAPTIVE, colors=32)


class _Frame:
    """One drawing: columns of planes for picture, kernel and output, and the sum below."""

    def __init__(self, walk: Walk, index: int, step: Step) -> None:
        self.font = ImageFont.load_default(15)
        kernel = None if walk.kernels is None else walk.kernels[step.map]
        blocks = [walk.padded, *([] if kernel is None else [kernel]), walk.output]
        width = sum(block.shape[2] * CELL for block in blocks) + GAP * (len(blocks) + 1)
        stacks = max(block.shape[0] * (block.shape[1] * CELL + HEAD) for block in blocks)
        # every sum is laid out, so that all frames have one size
        lines = max(len(self._wrapped(one.text, width)) for one in walk.steps)
        self.image = Image.new("RGB", (width, stacks + GAP + (lines + 1) * LINE), PAPER)
        self.draw = ImageDraw.Draw(self.image)
        x = self._picture(walk, step, GAP)
        if kernel is not None:
            name = f"kernel {step.map}" if len(walk.output) > 1 else "kernel"
            x = self._block(kernel, x, name, np.full(kernel.shape, PAPER, dtype=object))
        self._output(walk, index, x)
        for line, text in enumerate(self._wrapped(step.text, width)):
            self.draw.text((GAP, stacks + GAP // 2 + line * LINE), text, INK, self.font)

    def _picture(self, walk: Walk, step: Step, x: int) -> int:
        fill = np.full(walk.padded.shape, PAD, dtype=object)
        (top, left), (_, rows, columns) = walk.corner, walk.picture.shape
        fill[:, top : top + rows, left : left + columns] = PAPER
        for tap in step.taps:
            fill[tap.channel, tap.row, tap.column] = WINDOW
        return self._block(walk.padded, x, "input", fill)

    def _output(self, walk: Walk, index: int, x: int) -> None:
        values = np.full(walk.output.shape, np.nan)
        fill = np.full(walk.output.shape, PAPER, dtype=object)
        for done in walk.steps[: index + 1]:
            at = (done.map, done.row, done.column)
            values[at], fill[at] = done.result, DONE
        fill[at] = NOW
        self._block(values, x, "output", fill)

    def _block(self, planes: Array, x: int, title: str, fill: Array) -> int:
        """Draw planes under each other, beginning at column ``x``; the column after them is returned."""
        y = 4
        for index, plane in enumerate(planes):
            self.draw.text((x, y), f"{title}, channel {index}" if len(planes) > 1 else title, INK, self.font)
            y += HEAD - 4
            for row, column in np.ndindex(*plane.shape):
                box = (x + column * CELL, y + row * CELL, x + (column + 1) * CELL, y + (row + 1) * CELL)
                self.draw.rectangle(box, fill=fill[index, row, column], outline=RULE)
                if np.isfinite(plane[row, column]):
                    middle = (box[0] + CELL / 2, box[1] + CELL / 2)
                    self.draw.text(middle, number(float(plane[row, column])), INK, self.font, anchor="mm")
            y += plane.shape[0] * CELL + 4
        return x + int(planes.shape[2]) * CELL + GAP

    def _wrapped(self, text: str, width: int) -> list[str]:
        """Words in lines that fit."""
        lines = [""]
        for word in text.split(" "):
            longer = f"{lines[-1]} {word}".strip()
            if self.font.getlength(longer) <= width - 2 * GAP:
                lines[-1] = longer
            else:
                lines.append(word)
        return lines
