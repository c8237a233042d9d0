"""Every word, over its whole argument space, against PyTorch in float64: the same numbers or a refusal."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from word_examples import EXAMPLES

from striate.errors import ArgumentError, ShapeError, StriateError
from striate.ops import WORDS
from striate.reference import forward


@pytest.mark.parametrize("name", WORDS)
def test_word_is_compared_with_torch(name: str) -> None:
    assert name in EXAMPLES, f"{name} is compared with nothing: write a strategy in word_examples.py"


MANY_ARGUMENTS = {"Conv2d", "ConvTranspose2d", "MaxPool2d", "AvgPool2d", "Pad", "Slice", "Upsample"}


def tuples(result: Any) -> tuple[Any, ...]:
    return result if isinstance(result, tuple) else (result,)


@pytest.mark.parametrize("name", WORDS)
def test_word_computes_what_torch_computes(name: str) -> None:
    @settings(
        max_examples=100 if name in MANY_ARGUMENTS else 20,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(data=st.data())
    def search(data: st.DataObject) -> None:
        compare(name, data)

    search()


def compare(name: str, data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    try:
        example = EXAMPLES[name](data.draw, WORDS[name], rng)
    except ArgumentError:
        return  # the word itself refuses; tests/ops looks at that
    weights = example.weights(rng)
    try:
        expected = tuples(
            example.oracle(
                *map(torch.tensor, example.inputs), **{r: torch.tensor(w) for r, w in weights.items()}
            )
        )
    except (RuntimeError, ValueError, IndexError) as error:
        if name == "AvgPool3d" and "smaller than kernel size" in str(error):
            return  # torch forgets the padding there, and only there
        with pytest.raises(ValueError) as refusal:
            forward(example.op, example.inputs, weights)
        assert not isinstance(refusal.value, StriateError) or isinstance(refusal.value, ShapeError)
        return
    if name == "Pad" and 0 in expected[0].shape:
        with pytest.raises(ShapeError, match="padding must leave at least 1"):
            forward(example.op, example.inputs, weights)
        return  # torch gives an empty tensor, which is no picture
    results = tuples(forward(example.op, example.inputs, weights))
    assert len(results) == len(expected) == example.op.outputs
    # a dilated window may see nothing but padding: infinite, and then torch's index means nothing
    real = np.isfinite(results[0]) if len(results) == 2 else ...
    for result, wanted in zip(results, expected, strict=True):
        assert result.shape == tuple(wanted.shape)
        np.testing.assert_allclose(result[real], wanted.detach().numpy()[real], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", WORDS)
@settings(max_examples=3, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_single_precision_stays_single(name: str, data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    try:
        example = EXAMPLES[name](data.draw, WORDS[name], rng)
        inputs = [x.astype(np.float32) if x.dtype == np.float64 else x for x in example.inputs]
        weights = {role: w.astype(np.float32) for role, w in example.weights(rng).items()}
        result = tuples(forward(example.op, inputs, weights))[0]
    except ValueError:
        return
    assert result.dtype == np.float32
