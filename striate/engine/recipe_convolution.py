"""Convolutions and dense layers: which form of the sum, with which tile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from striate import ops
from striate.engine.choose import Form, Layouts, Part, Recipe, recipe
from striate.engine.kernels.channels_last import ChannelsLast
from striate.engine.kernels.dense import dense
from striate.engine.kernels.direct import Direct, Window
from striate.engine.kernels.estimate import cycles
from striate.engine.kernels.finish import Finish
from striate.engine.kernels.frame import Frame as FrameKernel
from striate.engine.kernels.grouped import Grouped, columns, lanes_of
from striate.engine.kernels.kernel import Kernel
from striate.engine.kernels.matrix import matrix
from striate.engine.kernels.packed import Packed, packed, pays
from striate.engine.kernels.panels import product_tiles
from striate.engine.kernels.rounding import Rounded, in_words
from striate.engine.kernels.storage import BF16, DOTS, FP32, Storage
from striate.engine.kernels.strassen import Strassen
from striate.engine.kernels.strassen_choice import strassen
from striate.engine.kernels.tile import direct_tiles, images_together, sizes, winograd_kinds
from striate.engine.kernels.winograd import Scheme
from striate.engine.kernels.winograd_forms import Product, Tiles, Transform
from striate.engine.layout import Frame, Layout
from striate.engine.stage import Stage

MOST_TILES = 3  # of one kernel, that are worth a measurement
WORTH = 0.95  # of the time without it: what is gained by less is not worth the rounding
NEAR = 2**16  # bytes of weights that come as fast in float32 as the sums need them: measured
Pack = Callable[[], Mapping[str, np.ndarray]]


@recipe(ops.Conv1d, ops.Conv2d, ops.Linear)
class Convolution(Recipe):
    """A dense layer is a convolution whose window is the whole map; a sequence is a map of one row."""

    @classmethod
    def takes(cls, stage: Stage) -> bool:
        op = stage.op
        if isinstance(op, ops.Conv):
            return op.padding_mode == "zeros" and stage.inputs[0].natural
        return len(stage.inputs[0].shape) == 1

    def __init__(self, stage: Stage, settings: object) -> None:
        super().__init__(stage, settings)  # type: ignore[arg-type]
        op, (source,) = stage.op, stage.inputs
        weight = stage.tensors["weight"]
        if isinstance(op, ops.Conv):
            self.groups = op.groups
            self.window = window_of(op)
            self.weight = weight.reshape(*weight.shape[:2], *self.window.kernel)
        else:
            self.groups = 1
            self.window = Window((source.dims[1], source.dims[2]))
            self.weight = weight.reshape(weight.shape[0], *source.dims)
        self.planar = self.groups == 1 and stage.output.dims[1:] != (1, 1)

    def frame(self, root: str, layout: Layout) -> Frame:
        if root != self.stage.inputs[0].root:
            return (0, 0, 0, 0)
        return self.window.frame((layout.height, layout.width), self.stage.output.dims[1:])

    def forms(self, layouts: Layouts) -> list[Form]:
        stage = self.stage
        source, target = layouts[stage.inputs[0].root], layouts[stage.output.root]
        values = {"source": stage.inputs[0].root, "target": stage.output.root}
        added = None
        if stage.added:
            added, values["added"] = layouts[stage.added.root], stage.added.root
        finish, bias = Finish(stage.words, added), stage.tensors.get("bias")
        narrow = lanes_of(target.channels, source.channels, self.groups, target.lanes)
        if narrow is not None:
            across = columns(target.width, self.settings.target.registers)
            sums = layouts[stage.sums.root] if stage.sums else None
            if stage.sums:
                values["sums"] = stage.sums.root
            kernels = [
                Grouped(source, target, self.window, tile, narrow, finish, sums)
                for tile in dict.fromkeys((across, -(-across // 2)))
            ]
            return [_form(kernel, values, partial(kernel.pack, self.weight, bias)) for kernel in kernels]
        if self._sees_all(source, target):
            machine = self.settings.target
            far = 4 * self.weight.size > NEAR
            stores = (FP32, BF16) if far and self.settings.precision == "bf16" else (FP32,)
            wholes = [dense(source, target, finish, machine, stored) for stored in stores]
            wholes.sort(key=lambda kernel: cycles(kernel, machine))
            return [_form(whole, values, partial(whole.pack, self.weight, bias)) for whole in wholes]
        direct = [
            _form(kernel, values, partial(kernel.pack, self.weight, bias, self.groups))
            for kernel in self._directs(source, target, finish)
        ]
        if self._is_product(source, target):
            return [*self._products(source, target, finish, values), direct[0]]
        pays, schemes = self._schemes(source, target, finish)
        winograd = [
            self._winograd(one, source, values, partial(one.pack, self.weight, bias)) for one in schemes
        ]
        found = [*winograd, *direct] if pays else [*direct, *winograd]
        if self.settings.dots and self.groups == 1 and source.lanes == target.lanes:
            words = self._of_words(source, target, finish, values)
            before, after = (
                sum(cycles(part.kernel, self.settings.target) for part in form.parts)
                for form in (found[0], words)
            )
            found.insert(0 if after < WORTH * before else len(found), words)
        return found

    def _of_words(self, source: Layout, target: Layout, finish: Finish, values: Mapping[str, str]) -> Form:
        """The plain sum over the map rounded to bf16."""
        words = in_words(source).framed(self.frame(self.stage.inputs[0].root, source))
        kernel = self._directs(words, target, finish, DOTS)[0]
        name, there = f"{self.stage.output.root} in words", {"target": words.size}
        read, wrote = {**values, "source": name}, {"source": values["source"], "target": name}
        first = Part(Rounded(source, words), wrote, memory=there, wait=not any(words.frame))
        around = [Part(FrameKernel(words), {"target": name}, memory=there)] if any(words.frame) else []
        last = Part(kernel, read, memory={"source": words.size})
        pack = partial(kernel.pack, self.weight, self.stage.tensors.get("bias"))
        return Form((first, *around, last), (dict, *[dict] * len(around), pack))

    def _products(
        self, source: Layout, target: Layout, finish: Finish, values: Mapping[str, str]
    ) -> list[Form]:
        """Forms for windows of one pixel."""
        machine, stride, threads = self.settings.target, self.window.stride, self.settings.threads
        weight, bias = self.weight[:, :, 0, 0], self.stage.tensors.get("bias")
        found = []
        if target.pixels > 1:
            strided = packed(source, target, stride, finish, machine, threads)
            found.append(_form(strided, values, partial(strided.pack, weight, bias)))
        if self._is_matrix(source, target):
            tiles = product_tiles(source.pixels, target.blocks, source.channels, machine)[:MOST_TILES]
            straight = [matrix(source, target, finish, tile) for _, tile in tiles]
            others = [_form(one, values, partial(one.panels.pack, weight, bias)) for one in straight]
            found = [*found, *others] if self._is_packed(source, target) else [*others, *found]
        more: list[Strassen | Packed] = []
        seven = strassen(source, target, stride, finish, machine, threads)
        if seven is not None and not self.settings.exact:
            more.append(seven)
        if self.settings.dots and target.pixels > 1:
            more.append(packed(source, target, stride, finish, machine, threads, stored=DOTS))
        for kernel in more:
            form = _form(kernel, values, partial(kernel.pack, weight, bias))
            pays = cycles(kernel, machine) < cycles(found[0].parts[0].kernel, machine)
            found.insert(0 if pays else len(found), form)
        return found

    def _sees_all(self, source: Layout, target: Layout) -> bool:
        """Whether there is one window only, and it covers the map."""
        exact = self.window.kernel == (source.height, source.width) and self.window.before == (0, 0)
        lone = target.pixels == 1 and self.groups == 1 and self.stage.added is None
        return exact and lone and self.window.dilation == (1, 1) and source.lanes == target.lanes

    def _is_product(self, source: Layout, target: Layout) -> bool:
        """Whether one of the forms for windows of one pixel is worth its name here."""
        return self._is_packed(source, target) or self._is_matrix(source, target)

    def _is_packed(self, source: Layout, target: Layout) -> bool:
        """Whether pixels stand alone, but apart, or so few that weights from far decide."""
        lone = self.window == Window((1, 1), self.window.stride) and self.groups == 1
        lone = lone and source.lanes == target.lanes > 1
        return lone and pays(source, target, self.window.stride, self.settings.target)

    def _is_matrix(self, source: Layout, target: Layout) -> bool:
        """Whether each output pixel sees one input pixel only, that of its own place."""
        same = (source.height, source.width) == (target.height, target.width)
        plain = self.window == Window((1, 1)) and self.groups == 1
        return plain and same and source.lanes == target.lanes > 1

    def pooled(self, layouts: Layouts, target: str, after: Finish) -> tuple[bool, list[Form]]:
        """Winograd's forms that store in ``target`` the largest of every 2 x 2 results; whether they pay."""
        source, bias = layouts[self.stage.inputs[0].root], self.stage.tensors.get("bias")
        values = {"source": self.stage.inputs[0].root, "target": target}
        pays, schemes = self._schemes(source, layouts[target], Finish(self.stage.words), 2)
        schemes = [replace(scheme, after=after) for scheme in schemes]
        found = [self._winograd(one, source, values, partial(one.pack, self.weight, bias)) for one in schemes]
        return pays, found

    def _schemes(
        self, source: Layout, target: Layout, finish: Finish, pool: int = 1
    ) -> tuple[bool, list[Scheme]]:
        """Winograd's forms for this convolution, and whether the first of them is estimated to pay."""
        if self.settings.exact or self.groups > 1 or not sizes(self.window):
            return False, []
        if source.lanes == 1:
            source = replace(source, lanes=2 ** (source.channels - 1).bit_length())
        machine = self.settings.target
        pays, kinds = winograd_kinds(source, target, self.window, machine, pool, self.settings.threads)
        return pays, [replace(scheme, finish=finish) for scheme in kinds]

    def _winograd(self, scheme: Scheme, source: Layout, values: Mapping[str, str], pack: Pack) -> Form:
        """``source``: as the map lies, if need be before its channels are put together."""
        rest = {key: root for key, root in values.items() if key != "source"}
        first, given, own = [], {"source": values["source"]}, dict[str, int]()
        if scheme.source != source:
            put = ChannelsLast(source, scheme.source)
            image = f"{values['source']} channels last"
            first = [Part(put, {**given, "target": image}, memory={"target": scheme.source.size})]
            given, own = {"source": image}, {"source": scheme.source.size}
        if scheme.chunks > 1:
            parts = [*first, Part(Tiles(scheme), given | rest, memory=own)]
        else:
            memory = {"transformed": scheme.positions * scheme.v_step}
            transform = Part(Transform(scheme), given, memory=own | memory)
            product = Part(
                Product(scheme, images_together(scheme, self.settings.target)), rest, memory=memory
            )
            parts = [*first, transform, product]
        return Form(tuple(parts), (*[dict] * (len(parts) - 1), pack))

    def _directs(
        self, source: Layout, target: Layout, finish: Finish, stored: Storage = FP32
    ) -> list[Direct]:
        blocks = target.blocks if self.groups == 1 else 1
        span = source.channels if self.groups == 1 else self.weight.shape[1]
        tiles = direct_tiles(source, target, self.window, span, blocks, self.settings.target)
        return [
            Direct(
                source, target, self.window, tile, *self._seen(source, target, tile.vectors), finish, stored
            )
            for tile in tiles[:MOST_TILES]
        ]

    def _seen(self, source: Layout, target: Layout, vectors: int) -> tuple[tuple[int, ...], int]:
        """For each group of output vectors the block where its input begins; and how many channels follow."""
        if self.groups == 1:
            return (0,) * -(-target.blocks // vectors), source.channels
        outputs, seen = self.weight.shape[:2]
        each = outputs // self.groups
        lows, highs = [], []
        for first in range(0, target.blocks, vectors):
            own = min(first, target.blocks - vectors) * target.lanes
            last = min(own + vectors * target.lanes, outputs) - 1
            lows.append(own // each * seen // source.lanes)
            highs.append((last // each + 1) * seen)
        deep = max(-(-high // source.lanes) - low for low, high in zip(lows, highs, strict=True))
        return tuple(min(low, source.blocks - deep) for low in lows), deep * source.lanes


def _form(kernel: Kernel, values: Mapping[str, str], pack: Pack) -> Form:
    return Form((Part(kernel, values),), (pack,))


def window_of(op: ops.Conv) -> Window:
    """On two axes, whatever the word's number of axes is."""
    before = tuple(pair[0] for pair in op.pads)
    if op.axes == 1:
        return Window((1, *op.kernel_size), (1, *op.stride), (1, *op.dilation), (0, *before))  # type: ignore[arg-type]
    return Window(op.kernel_size, op.stride, op.dilation, before)  # type: ignore[arg-type]
