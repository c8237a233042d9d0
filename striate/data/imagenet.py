"""The thousand classes of ImageNet's challenge, in the order in which networks answer them."""

from __future__ import annotations

from collections import Counter
from functools import cache
from importlib.resources import files

WORDS = files(__package__) / "imagenet_words" / "words.txt"  # beside it, LICENSE says where they come from


@cache
def imagenet_classes() -> tuple[str, ...]:
    """The words of each class, as in "tabby, tabby cat"; no two classes have the same.

    The challenge calls two classes "crane", the bird and the machine: their WordNet identifier is added.
    """
    lines = [line.split(" ", 1) for line in WORDS.read_text(encoding="utf-8").splitlines()]
    times = Counter(words for _, words in lines)
    return tuple(words if times[words] == 1 else f"{words} ({synset})" for synset, words in lines)
