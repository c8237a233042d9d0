"""Whose weights a file holds: other names for the same tensors, and what a file of tensors does not say.

A state dict has no epsilon and no padding. Where the tensors' names give away that they were learned in
another form of a network, that form is the one to build: a wrong padding gives no error, only wrong answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor

# EfficientNet-PyTorch (Luke Melas-Kyriazi) and its Lite edition (ML Illustrated) converted TensorFlow's
# weights and kept its padding and epsilon. A name that only they use, and the networks that act as theirs:
MARK = "_conv_stem.weight"
FORMS = {f"efficientnet_lite{number}": f"tf_efficientnet_lite{number}" for number in range(5)}

ENDS = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
SEPARABLE = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
INVERTED = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}


def form_of(name: str, found: Iterable[str]) -> str:
    """The network in which tensors named ``found`` were learned, for a user who asks for ``name``."""
    return FORMS.get(name, name) if MARK in found else name


def in_our_names(found: Mapping[str, Tensor], wanted: Iterable[str]) -> dict[str, Tensor]:
    """``found`` under the names that a network wants; names that no table knows stay as they are."""
    if MARK not in found:
        return dict(found)
    places = [f"blocks.{stage}.{block}" for stage, block in _blocks(wanted)]
    return {_our_name(name, found, places): tensor for name, tensor in found.items()}


def _blocks(names: Iterable[str]) -> list[tuple[str, str]]:
    """(stage, block) of each block, in the order of the network: theirs are numbered through."""
    parts = (name.split(".") for name in names if name.startswith("blocks."))
    return list(dict.fromkeys((stage, block) for _, stage, block, *_ in parts))


def _our_name(name: str, found: Mapping[str, Tensor], places: list[str]) -> str:
    head, _, rest = name.partition(".")
    if head != "_blocks":
        return f"{ENDS.get(head, head)}.{rest}"
    number, _, path = rest.partition(".")
    part, _, leaf = path.partition(".")
    if not number.isdecimal() or int(number) >= len(places):
        return name
    parts = INVERTED if f"_blocks.{number}._expand_conv.weight" in found else SEPARABLE
    return f"{places[int(number)]}.{parts.get(part, part)}.{leaf}"
