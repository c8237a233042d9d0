"""What other libraries call the same tensors, and what their files do not say.

The networks that another library nests and names in its own way have, in both, one reading order: that in
which layers act. A table of words puts a file's names into this order; ours stand in it already.
A state dict has no epsilon and no padding: a library that is recognised by its words brings its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from striate.errors import ArgumentError

ROLES = ("weight", "bias?", "running_mean?", "running_var?")

# The words of one module's parts, in reading order; a part with ? may be missing. Numbers need no row.
ORDERS = (
    ROLES,
    # timm's efficient networks (_efficientnet_builder.py, _efficientnet_blocks.py): MobileNet v2 and v3,
    # MnasNet, EfficientNet
    ("conv_stem", "bn1", "blocks", "conv_head", "bn2?", "classifier"),
    ("conv_exp", "bn1", "se?", "conv_pwl", "bn2"),
    ("conv_pw", "bn1", "conv_dw", "bn2", "se?", "conv_pwl", "bn3"),
    ("conv_dw", "bn1", "se?", "conv_pw", "bn2"),
    ("conv", "bn1"),
    ("conv_reduce", "conv_expand"),
    # timm's VGG (vgg.py)
    ("features", "pre_logits", "head"),
    ("fc1", "fc2"),
    ("fc",),
    # timm's ConvNeXt (convnext.py)
    ("stem", "stages", "head"),
    ("downsample?", "blocks"),
    ("gamma", "conv_dw", "norm", "mlp"),
    ("norm", "fc"),
    # EfficientNet-PyTorch (Luke Melas-Kyriazi) and its Lite edition (ML Illustrated)
    ("_conv_stem", "_bn0", "_blocks", "_conv_head", "_bn1", "_fc"),
    ("_expand_conv", "_bn0", "_depthwise_conv", "_bn1", "_project_conv", "_bn2"),
    ("_depthwise_conv", "_bn1", "_project_conv", "_bn2"),
)


@dataclass(frozen=True)
class Origin:
    """A library that is recognised by a tensor's name."""

    title: str
    epsilon: float | None = None
    """Of its batch norms, where ours may differ."""
    forms: Mapping[str, str] | None = None
    """Our name -> the network that acts as its own does; None: all act as ours."""
    remark: str = ""
    """What its names leave open."""

    def form(self, name: str) -> str:
        """The network in which the weights were learned. Raises ArgumentError when we have none."""
        if self.forms is None:
            return name
        if name not in self.forms:
            raise ArgumentError(
                f"weights must have been learned in a network that acts as {name}, got tensors of "
                f"{self.title}, whose padding and epsilon are TensorFlow's: of its networks only "
                f"{', '.join(sorted(self.forms))} can be loaded."
            )
        return self.forms[name]


LITE = {f"efficientnet_lite{number}": f"tf_efficientnet_lite{number}" for number in range(5)}
MARKS = {
    "conv_stem.weight": Origin(
        "timm",
        epsilon=1e-5,
        remark="timm's networks whose names begin with tf_ have the same tensors, but another padding and "
        "epsilon: their weights do not belong here",
    ),
    "pre_logits.fc1.weight": Origin("timm"),
    "stages.0.blocks.0.conv_dw.weight": Origin("timm"),
    # Both converted TensorFlow's weights and kept its padding and epsilon.
    "_conv_stem.weight": Origin("EfficientNet-PyTorch", forms=LITE | {form: form for form in LITE.values()}),
}


def origin_of(found: Collection[str]) -> Origin | None:
    """The library that tensors with these names come from, if they tell."""
    return next((origin for mark, origin in MARKS.items() if mark in found), None)


def reading_order(names: Iterable[str]) -> list[str] | None:
    """The names in the order in which their layers act; None when a word stands in no table."""
    tree: dict[str, Any] = {}
    for name in names:
        place = tree
        for word in name.split("."):
            place = place.setdefault(word, {})
    return _read(tree)


def _read(tree: Mapping[str, Any]) -> list[str] | None:
    words = _in_order(tree)
    if words is None:
        return None
    found: list[str] = []
    for word in words:
        below = _read(tree[word]) if tree[word] else [""]
        if below is None:
            return None
        found += [f"{word}.{rest}" if rest else word for rest in below]
    return found


def _in_order(words: Collection[str]) -> list[str] | None:
    if all(word.isdecimal() for word in words):
        return sorted(words, key=int)
    for row in ORDERS:
        known = [word.rstrip("?") for word in row]
        if all(word in known for word in words) and all(word in words or f"{word}?" in row for word in known):
            return [word for word in known if word in words]
    return None
