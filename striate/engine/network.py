"""A network ready to answer: built from a bundle, run by compiled kernels in single precision.

Whole batches are cut into pieces, so that memory stays bounded however many images there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from striate.bundle import Bundle, read_bundle
from striate.engine.definition import (
    defined,
    identity_of,
    mirrors,
    precision_of,
    preprocessing_of,
    scaling_of,
    thresholds_of,
)
from striate.engine.engine import Again, Engine, pieces
from striate.engine.images import Image, check_images, image_shape, key_of, pixels_of
from striate.errors import ArgumentError, BundleError, ImageError
from striate.graph.graph import owner
from striate.ops import Sigmoid, Softmax

if TYPE_CHECKING:
    from striate.engine.table import Table

FLOAT = np.dtype(np.float32)
VALUES_AT_ONCE = 2**23  # of the input: 55 colour images of 224 x 224 pixels; 32 MB where bytes become floats


@dataclass(frozen=True)
class Prediction:
    """What the network sees in one image. ``top``: (label, probability), the most probable first."""

    key: str
    label: str
    probability: float
    top: tuple[tuple[str, float], ...]
    labels: tuple[str, ...] | None = None
    """Where an image may have several labels: those whose probability reaches their threshold. Else None."""


def load(
    bundle: str | Path,
    *,
    threads: int | None = None,
    precision: str | None = None,
    exact: bool = False,
    input: Sequence[int] | None = None,
    tune: bool = False,
    mirror: bool | None = None,
) -> Network:
    """The network of a bundle folder or of an ONNX file.

    ``threads``, ``precision``, ``exact``, ``tune``, ``mirror``: see ``Network``.
    ``input``: the size of one image as the network takes it, (3, 224, 224), for an ONNX file that leaves it
    open. Raises BundleError for a folder that is no sound bundle, GraphError or UnsupportedError for an ONNX
    file that cannot be read, and ArgumentError for an argument that has no meaning.
    """
    if Path(bundle).suffix.lower() == ".onnx":
        from striate.onnx import read_onnx

        graph, weights = read_onnx(bundle, input)
        card = {"model": Path(bundle).name, "format": "onnx"}
        found = Bundle(graph=graph, weights=weights, labels=(), preprocessing={}, card=card)
        return Network(found, threads=threads, precision=precision, exact=exact, tune=tune, mirror=mirror)
    if input is not None:
        raise ArgumentError(f"input must be left out for a bundle, which fixes it, got {input!r}.")
    found = read_bundle(bundle, tensors_later=True)
    return Network(found, threads=threads, precision=precision, exact=exact, tune=tune, mirror=mirror)


class Network:
    """Answers questions about images. Batch norms are folded; nothing is kept between calls.

    ``threads``: how many work on one call; None, or more: as many as the process has processors. Where a word
    has no kernel NumPy runs it, and the package threadpoolctl, if installed, holds NumPy to as many threads.
    ``precision``: "fp32", or "bf16": where the cost model expects that to be faster, dense layers keep
    weights as bf16, and convolutions multiply maps and weights rounded to it, if the processor can
    (AVX512_BF16). Sums stay float32. Such a layer, which ``plan`` names, is off by 1.6e-3 of its result, or
    2.3e-3 where both are rounded; logits of whole networks by 4e-3 to 1.6e-2. None: as the bundle says.
    ``exact``: every sum as it is written, no Winograd, no Strassen. ``tune``: the first time, every layer's
    kernels and tiles run in turns on this machine, which takes some seconds, and the fastest is remembered in
    the cache; without it the cost model chooses. Either way the same limits on errors hold, but last digits
    may differ.
    ``mirror``: whether an answer is the mean of the logits of an image and of its mirror image, in two
    passes; None: as the bundle says, whose accuracy and temperature were measured so.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        threads: int | None = None,
        precision: str | None = None,
        exact: bool = False,
        tune: bool = False,
        mirror: bool | None = None,
    ) -> None:
        self._precision = precision_of(bundle, precision)
        self._mirror = mirrors(bundle, mirror)
        self._preprocessing = preprocessing_of(bundle)
        self._shape = image_shape(bundle)
        identity = bundle.identity or identity_of(bundle)
        self._engine = Engine(
            partial(defined, bundle),
            identity,
            threads=threads,
            exact=exact,
            tune=tune,
            precision=self._precision,
            scaling=scaling_of(self._preprocessing),
        )
        size = tuple(side for side in self._shape[1:] if isinstance(side, int))
        if len(size) < len(self._shape) - 1 or not self._engine.recall(size):
            _ = self._engine.definition  # what is wrong with it is said now
        how = self._preprocessing
        self._pixels = (*how.image_size, how.channels) if how is not None else None
        self._classes = tuple(bundle.labels)
        self._card = dict(bundle.card)
        self._temperature = np.float32(bundle.temperature)
        last = bundle.graph[owner(bundle.graph.outputs[0])]
        self._ends_in_softmax = isinstance(last.op, Softmax)
        self._thresholds = thresholds_of(bundle)
        self._accepted: tuple[Any, ...] = ()
        self._again: tuple[tuple[int, ...], Again] | None = None  # for images of that shape

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes' names in the order of the outputs; empty where the bundle names none."""
        return self._classes

    @property
    def card(self) -> Mapping[str, Any]:
        """What the bundle says about itself."""
        return self._card

    def __repr__(self) -> str:
        sizes = " x ".join(map(str, self._shape[1:]))
        classes = f"{len(self._classes)} classes" if self._classes else "no labels"
        passes = ", image and mirror image" if self._mirror else ""
        return (
            f"Network(input {sizes}, {classes}, {len(self._engine.graph)} layers{passes}, {self._precision})"
        )

    def __call__(self, x: NDArray[Any]) -> Any:
        """Logits (N, classes) of images: float32 (N, C, H, W) as the network was trained on, or uint8
        (N, H, W, C) or (N, C, H, W), which the first step normalises; where both fit it is the former. N may
        be 0.
        With ``mirror`` a row is the mean of two passes.

        An ONNX file may say otherwise: its input is what the file says (Keras: N, H, W, C), its outputs are
        of any shape, each with N first, and several are given as a tuple in the file's order.

        Raises ArgumentError for another dtype, ShapeError for other sizes; both say what is accepted.
        """
        again = self._again  # a small network answers within a few times what all the rest takes
        if again is not None and type(x) is np.ndarray and x.dtype is FLOAT and x.shape == again[0]:
            known = again[1](x)
            if known is not None:
                return known[0]
        x = np.asarray(x)
        kind = (x.dtype, x.shape[1:])
        if kind != self._accepted:
            check_images(x, self._shape, self._pixels)
            self._accepted = kind
        if x.size <= VALUES_AT_ONCE:
            found = self._run(x)
            plain = not self._mirror and len(self._classes) != 2  # see ``_run``
            self._again = self._engine.again(x) if plain and len(found) == 1 else None
        else:
            parts = [self._run(x[cut]) for cut in pieces(len(x), x.shape[1:], VALUES_AT_ONCE)]
            found = parts[0] if len(parts) == 1 else tuple(map(np.concatenate, zip(*parts, strict=True)))
        return found if len(found) > 1 else found[0]

    def plan(self, *, measure: bool = False, check: bool = False) -> Table:
        """What runs for one image, layer by layer: kernel, tile, multiply-adds, bytes, and whether the cost
        model or a measurement (``tune``) chose it, of how many; ``print`` shows it.

        ``measure``: also the time of each step alone on one thread beside the time that the cost model
        predicts, and its share of the measured peak.
        ``check``: also the relative error of each layer alone (L2, against the definition in float64, on
        random images from a fixed seed); it takes as long as NumPy takes for one image.
        Raises ArgumentError for a network whose sizes are open.
        """
        if any(isinstance(size, str) for size in self._shape[1:]):
            raise ArgumentError(f"plan needs a network whose sizes are fixed, got {self._shape}: fix them.")
        size = tuple(int(size) for size in self._shape[1:])
        return self._engine.table(size, measure=measure, check=check)

    def probabilities(self, x: NDArray[Any]) -> NDArray[np.float32]:
        """Softmax of the logits over the bundle's temperature, (N, classes); each row adds up to 1.

        Input and errors as for a call, which gives the logits as they are.

        Of a network whose images may have several labels, the sigmoid of each logit on its own.
        """
        logits: NDArray[np.float32] | tuple[NDArray[np.float32], ...] = self(x)
        if isinstance(logits, tuple) or logits.ndim != 2:
            shapes = [part.shape for part in logits] if isinstance(logits, tuple) else logits.shape
            raise ArgumentError(
                f"probabilities need one row of outputs for each image, this network gives {shapes}: call it."
            )
        from striate.reference import forward

        if self._thresholds is not None:
            return np.asarray(forward(Sigmoid(), [logits], {}))
        if self._ends_in_softmax:
            return logits
        return np.asarray(forward(Softmax(), [logits / self._temperature], {}))

    def predict(
        self,
        images: Image | Iterable[Image],
        *,
        top: int = 5,
        unreadable: Callable[[str, ImageError], object] | None = None,
    ) -> list[Prediction]:
        """The ``top`` most probable classes of each image: a file, its bytes, its pixels, or several of them.

        Pixels are uint8 (rows, columns, channels), or channels first, of any size: they are cut and resized
        as those of a file are. An array with one axis more is several images.
        ``key`` is the path as given, or "image 2" for the second image where bytes or pixels are given.
        ``unreadable`` is told the key and the error of an image that cannot be decoded, which is then left
        out; None: the ImageError, which names the file, is raised.
        Raises ArgumentError for ``top`` below 1, for other arrays, or for a bundle without labels, and
        BundleError where the network's values overflow.
        """
        if isinstance(top, bool) or not isinstance(top, int) or top < 1:
            raise ArgumentError(f"top must be an integer of at least 1, got {top!r}: give 1 or more.")
        if self._preprocessing is None or not self._classes:
            raise ArgumentError(
                "predict needs a bundle with labels and preprocessing, this network has "
                f"{len(self._classes)} labels and {'no' if self._preprocessing is None else 'its'} "
                "preprocessing (an ONNX file holds neither): call it with an array."
            )
        lone = isinstance(images, (str, Path, bytes)) or getattr(images, "ndim", 0) == 3
        sources: list[Image] = [images] if lone else list(images)  # type: ignore[list-item, arg-type]
        found: list[Prediction] = []
        sizes = (*self._preprocessing.image_size, self._preprocessing.channels)
        for piece in pieces(len(sources), sizes, VALUES_AT_ONCE) if sources else ():
            keys, pixels = [], []
            for number, source in enumerate(sources[piece], start=piece.start + 1):
                key = key_of(source, number)
                try:
                    pixels.append(pixels_of(source, key, self._preprocessing))
                except ImageError as error:
                    if unreadable is None:
                        raise
                    unreadable(key, error)
                else:
                    keys.append(key)
            if not keys:
                continue
            shares = self.probabilities(np.stack(pixels))
            sound = np.isfinite(shares).all(1)
            if not sound.all():
                raise BundleError(
                    f"the network must answer with numbers, it does not for {keys[sound.argmin()]}: its "
                    "values overflow; train again with a lower learning rate."
                )
            found += [self._prediction(key, share, top) for key, share in zip(keys, shares, strict=True)]
        return found

    def _prediction(self, key: str, share: NDArray[np.float32], top: int) -> Prediction:
        order = np.argsort(-share, kind="stable")[:top]
        best = tuple((self._classes[k], float(share[k])) for k in order)
        labels = None
        if self._thresholds is not None:
            labels = tuple(self._classes[k] for k in np.flatnonzero(share >= self._thresholds))
        return Prediction(key, *best[0], top=best, labels=labels)

    def _run(self, x: NDArray[Any]) -> tuple[NDArray[np.float32], ...]:
        if x.dtype != np.uint8:
            x = x if x.dtype == np.float32 else x.astype(np.float32)
        elif x.shape[1:] == self._pixels:
            x = x.transpose(0, 3, 1, 2)
        found = self._engine.outputs(x)
        if self._mirror:
            others = self._engine.outputs(x[..., ::-1].copy(order="K"))
            found = tuple((one + other) / np.float32(2) for one, other in zip(found, others, strict=True))
        classes = len(self._classes)
        if classes == 2 and len(found) == 1 and found[0].shape == (len(x), 1):  # softmax of (0, z): a sigmoid
            found = (np.concatenate([np.zeros_like(found[0]), found[0]], axis=1),)
        if classes and (len(found) != 1 or found[0].shape != (len(x), classes)):
            shapes = ", ".join(str(part.shape) for part in found)
            raise BundleError(
                f"the network must give one row of {classes} outputs for each image, got "
                f"shape {shapes}: export the network again with its labels."
            )
        return tuple([part if part.dtype == np.float32 else part.astype(np.float32) for part in found])
