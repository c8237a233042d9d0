"""What is known about a network before it is built: its paper and its published numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Card:
    """One network. Every number has a source, or is recounted exactly by a test.

    A network's smallest image is not here: ``registry.minimum_size`` derives it.
    """

    name: str
    """What ``create`` calls it."""
    title: str
    """What people call it."""
    year: int
    authors: str
    paper: str
    """The title of the publication, or a sentence about where the network comes from."""
    doi_or_arxiv: str | None
    image_size: tuple[int, int]
    """Height and width in pixels for which the numbers below hold, and which ``create`` assumes."""
    channels: int
    classes: int
    parameters: int
    """Trainable numbers, shared ones counted once; fixed buffers are not trainable."""
    multiply_adds: int
    """Of convolutions and linear layers, for one image; biases, norms, pools and activations not counted."""
    summary: str
    """One sentence for a list."""
    top1: float | None = None
    """Published accuracy in percent."""
    top1_source: str | None = None
    receptive_field: int | None = None
    """Side in pixels of what one value of the last feature map sees, where it is known; a test derives it.

    Published by google-research/receptive_field, but for ResNet, whose strides stand elsewhere there.
    """
    notes: tuple[str, ...] = ()
    """What a reader of the paper would stumble over."""
    epochs: int | None = None
    """Passes over the images in which it learns; None: what the recipe says for the images."""
    lr: float | None = None
    """Peak learning rate of AdamW at batches of 128 images; None: what the recipe says for the images."""
    deliberate: tuple[tuple[str, str], ...] = ()
    """(rule, why): what ``striate check`` warns of in this network, and why it is as it is."""
    no_gradient: tuple[str, ...] = ()
    """Patterns (fnmatch) of parameters that training may leave without a gradient; ``notes`` say why."""

    def to_json(self) -> dict[str, Any]:
        """Every field by its name."""
        return asdict(self) | {"deliberate": dict(self.deliberate)}
