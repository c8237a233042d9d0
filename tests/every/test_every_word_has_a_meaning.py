"""Whoever adds a word adds what it means, its gradient, and the shapes of the tensors it needs."""

from __future__ import annotations

import pytest

from striate.errors import UnsupportedError
from striate.ops import WORDS, Op
from striate.ops.weights import weight_shapes
from striate.reference import GRADIENTS, MEANINGS, forward


@pytest.mark.parametrize("name", WORDS)
def test_word_has_a_meaning(name: str) -> None:
    assert WORDS[name] in MEANINGS, f"{name} has no meaning: write it in striate/reference/"


@pytest.mark.parametrize("name", WORDS)
def test_word_has_a_gradient(name: str) -> None:
    assert WORDS[name] in GRADIENTS, f"{name} has no gradient: write it below its meaning"


def test_every_meaning_and_gradient_is_of_a_word() -> None:
    assert {word.__name__ for word in MEANINGS} == set(WORDS) == {word.__name__ for word in GRADIENTS}


def test_an_unknown_word_is_refused() -> None:
    class Unheard(Op):
        pass

    with pytest.raises(UnsupportedError, match="Unheard has no meaning"):
        forward(Unheard(), [], {})


def test_a_word_whose_tensors_are_not_written_down_is_refused() -> None:
    class Unheard(Op):
        @property
        def roles(self) -> tuple[str, ...]:
            return ("weight",)

    with pytest.raises(UnsupportedError, match=r"add it in ops/weights\.py"):
        weight_shapes(Unheard())
