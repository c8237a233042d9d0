"""The gradient of every word, over its argument space, against PyTorch's autograd and against differences."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from word_examples import EXAMPLES, Example

from striate import ops
from striate.errors import ArgumentError, ShapeError, UnsupportedError
from striate.ops import WORDS
from striate.reference import GRADIENTS, backward, derivative, forward, gradient

MANY_ARGUMENTS = {"Conv2d", "ConvTranspose2d", "MaxPool2d", "AvgPool2d", "Pad", "Slice", "Upsample"}


def first(result: Any) -> Any:
    return result[0] if isinstance(result, tuple) else result


def search(name: str, examples: int, compare: Any) -> None:
    """Call ``compare`` with random instances of a word; most must be such that a gradient exists."""
    compared = []

    @settings(max_examples=examples, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def run(data: st.DataObject) -> None:
        rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
        try:
            example = EXAMPLES[name](data.draw, WORDS[name], rng)
            weights = example.weights(rng)
            y = first(forward(example.op, example.inputs, weights))
        except (ArgumentError, ValueError):
            return  # what is refused has no gradient; tests of the meanings look at that
        # eighths, which single precision adds exactly; nothing from windows that see padding alone
        g = rng.integers(-16, 17, y.shape) / 8 * np.isfinite(y)
        compared.append(compare(example, weights, g, rng))

    run()
    assert sum(compared) >= examples // 8


@pytest.mark.parametrize("name", WORDS)
def test_gradient_is_autograds(name: str) -> None:
    search(name, 80 if name in MANY_ARGUMENTS else 16, against_autograd)


# torch's derivative of hardsigmoid is 1/6 rounded to single precision, even in double (2.13); ours is 1/6
PRECISION = {ops.HardSigmoid: 4e-8}


def against_autograd(
    example: Example, weights: dict[str, np.ndarray], g: np.ndarray, rng: np.random.Generator
) -> bool:
    op = example.op
    if isinstance(op, ops.Upsample) and torch_contradicts_itself(op, example.inputs[0], g):
        return False
    inputs = [torch.tensor(x, requires_grad=x.dtype == float) for x in example.inputs]
    tensors = {role: torch.tensor(w, requires_grad=True) for role, w in weights.items()}
    try:
        oracle = partial(batch_norm, op) if isinstance(op, ops.BatchNorm) else example.oracle
        y = first(oracle(*inputs, **tensors))
    except RuntimeError as error:
        assert "smaller than kernel size" in str(error)  # torch forgets the padding in AvgPool3d, only there
        return False
    leaves = [leaf for leaf in (*inputs, *tensors.values()) if leaf.requires_grad]
    wanted = torch.autograd.grad(y, leaves, torch.tensor(g), allow_unused=True)
    to_inputs, to_weights = backward(op, example.inputs, weights, g)
    assert [dx is None for dx in to_inputs] == [not x.requires_grad for x in inputs]
    assert set(to_weights) == set(weights)
    found = [*(dx for dx in to_inputs if dx is not None), *(to_weights[role] for role in tensors)]
    for result, expected, leaf in zip(found, wanted, leaves, strict=True):
        assert result.shape == tuple(leaf.shape)
        expected = torch.zeros_like(leaf) if expected is None else expected
        np.testing.assert_allclose(result, expected.numpy(), rtol=PRECISION.get(type(op), 1e-10), atol=1e-10)
    return True


def torch_contradicts_itself(op: ops.Upsample, x: np.ndarray, g: np.ndarray) -> bool:
    """By a factor of 2.3, 2 pixels become 4: torch 2.13 looks at 0 0 0 1, but sends gradients to 0 0 1 1.

    It takes any doubled (or kept) size for a factor of 2 (or 1), in some of its loops and not in others.
    """
    if op.mode != "nearest" or op.scale_factor is None:
        return False
    sizes = zip(x.shape[2:], g.shape[2:], np.broadcast_to(op.scale_factor, x.ndim - 2), strict=True)
    return any(new in (old, 2 * old) and new != factor * old for old, new, factor in sizes)


def batch_norm(
    op: Any, x: Any, running_mean: Any, running_var: Any, weight: Any = None, bias: Any = None
) -> Any:
    """The formula, because torch's batch norm has no gradient with respect to the running statistics."""

    def along(vector: torch.Tensor) -> torch.Tensor:
        return vector.reshape(-1, *[1] * (x.ndim - 2))

    y = (x - along(running_mean)) / (along(running_var) + op.eps).sqrt()
    return y if weight is None else y * along(weight) + along(bias)


@pytest.mark.parametrize("name", WORDS)
def test_gradient_is_a_limit_of_differences(name: str) -> None:
    """(L(v + h d) - L(v - h d)) / 2h for L = sum of g * y and a random direction d, away from corners."""
    search(name, 8, against_differences)


STEP = 1e-6


def against_differences(
    example: Example, weights: dict[str, np.ndarray], g: np.ndarray, rng: np.random.Generator
) -> bool:
    op = example.op
    if isinstance(op, ops.FakeQuantize):
        return True  # a staircase has no slope: its gradient goes straight through, by definition
    inputs = [distinct(x, rng) if x.dtype == float else x for x in example.inputs]
    if isinstance(op, ops.MaxUnpool) and meets(inputs[1]):
        return False  # PyTorch's gradient is no derivative there
    values = [*inputs, *weights.values()]
    direction = [rng.normal(size=v.shape) if v.dtype == float else np.zeros_like(v) for v in values]

    def loss(h: float) -> float:
        moved = [v + (h * d).astype(v.dtype) for v, d in zip(values, direction, strict=True)]
        named = dict(zip(weights, moved[len(inputs) :], strict=True))
        y = first(forward(op, moved[: len(inputs)], named))
        return float((g * np.where(np.isfinite(y), y, 0)).sum())

    to_inputs, to_weights = backward(op, inputs, weights, g)
    along = sum(
        float(np.nansum(dv * d))
        for dv, d in zip([*to_inputs, *(to_weights[role] for role in weights)], direction, strict=True)
        if dv is not None
    )
    difference = (loss(STEP) - loss(-STEP)) / (2 * STEP)
    assert difference == pytest.approx(along, rel=1e-4, abs=1e-4)
    return True


def meets(places: np.ndarray) -> bool:
    """Whether two values of a plane go to the same place."""
    planes = places.reshape(-1, places[0, 0].size)
    return any(len(set(plane)) < len(plane) for plane in planes.tolist())


def distinct(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Values between 0.2 and 3.4, no two nearer than 3/size, none near a corner of an activation."""
    return (rng.permutation(x.size).reshape(x.shape) + 0.5) / x.size * 2.7 + 0.2


@pytest.mark.parametrize(
    ("word", "function", "corners"),
    [
        (ops.ReLU(), torch.relu, [0]),
        (ops.ReLU6(), torch.nn.functional.relu6, [0, 6]),
        (ops.Clamp(-1, 2), lambda x: torch.clamp(x, -1, 2), [-1, 2]),
        (ops.LeakyReLU(0.1), lambda x: torch.nn.functional.leaky_relu(x, 0.1), [0]),
        (ops.ELU(2), lambda x: torch.nn.functional.elu(x, 2), [0]),
        (ops.SELU(), torch.selu, [0]),
        (ops.HardSigmoid(), torch.nn.functional.hardsigmoid, [-3, 3]),
        (ops.HardSwish(), torch.nn.functional.hardswish, [-3, 3]),
        (ops.Absolute(), torch.abs, [0]),
        (ops.SquareRoot(), torch.sqrt, [0]),
    ],
)
def test_at_a_corner_torchs_choice_is_ours(word: ops.Op, function: Any, corners: list[float]) -> None:
    x = torch.tensor(corners, dtype=torch.float64, requires_grad=True)
    function(x).sum().backward()
    np.testing.assert_array_equal(derivative(word, np.array(corners, float)), x.grad)


def test_prelu_at_its_corner() -> None:
    x, weight = np.zeros((1, 1)), np.array([0.3])
    assert derivative(ops.PReLU(), x, {"weight": weight}) == 0.3


@pytest.mark.parametrize("word", [ops.Maximum(), ops.Minimum()])
def test_equals_share_the_gradient(word: ops.Op) -> None:
    x, function = np.zeros(3), getattr(torch, type(word).__name__.lower())
    a, b = torch.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    function(a, b).backward(torch.tensor([1.0, 2, 3]))
    (dx, dy), _ = backward(word, [x, x], {}, np.array([1.0, 2, 3]))
    np.testing.assert_array_equal([dx, dy], [a.grad, b.grad])


def test_powers_of_zero() -> None:
    x, y = np.zeros(5), np.array([0.0, 0.5, 1, 2, -1])
    a, b = torch.tensor(x, requires_grad=True), torch.tensor(y, requires_grad=True)
    (a**b).sum().backward()
    (dx, dy), _ = backward(ops.Power(), [x, y], {}, np.ones(5))
    np.testing.assert_array_equal([dx, dy], [a.grad, b.grad])


def test_a_window_of_equals_sends_its_gradient_to_the_first() -> None:
    for word in (ops.MaxPool2d(2), ops.MinPool2d(2), ops.AdaptiveMaxPool2d(1)):
        (dx,), _ = backward(word, [np.zeros((1, 1, 2, 2))], {}, np.ones((1, 1, 1, 1)))
        np.testing.assert_array_equal(dx, [[[[1, 0], [0, 0]]]])


def test_a_map_of_zeros_has_a_finite_gradient_through_its_norm() -> None:
    weights = {"weight": np.ones(2), "bias": np.ones(2)}
    x = np.zeros((1, 2, 3, 3))
    (dx,), _ = backward(ops.GlobalResponseNorm(2), [x], weights, np.ones_like(x))
    np.testing.assert_array_equal(dx, np.ones_like(x))


def test_a_transposed_convolution_is_the_adjoint_of_the_convolution() -> None:
    """<conv(x), y> = <x, transposed(y)>, and each one's gradient is the other."""
    rng = np.random.default_rng(0)
    x, y, w = rng.normal(size=(2, 4, 7, 9)), rng.normal(size=(2, 6, 4, 5)), rng.normal(size=(6, 2, 3, 3))
    there = ops.Conv2d(4, 6, 3, stride=2, padding=1, groups=2, bias=False)
    back = ops.ConvTranspose2d(6, 4, 3, stride=2, padding=1, groups=2, bias=False)
    weights = {"weight": w}
    painted = forward(back, [y], weights)
    assert (forward(there, [x], weights) * y).sum() == pytest.approx((x * painted).sum())
    np.testing.assert_allclose(backward(there, [x], weights, y)[0][0], painted)
    np.testing.assert_allclose(backward(back, [y], weights, x)[0][0], forward(there, [x], weights))


@pytest.mark.parametrize("name", WORDS)
def test_gradients_keep_the_dtype_of_what_they_belong_to(name: str) -> None:
    def single(example: Example, weights: Any, g: np.ndarray, rng: np.random.Generator) -> bool:
        inputs = [x.astype(np.float32) if x.dtype == float else x for x in example.inputs]
        lighter = {role: w.astype(np.float32) for role, w in weights.items()}
        to_inputs, to_weights = backward(example.op, inputs, lighter, g.astype(np.float32))
        found = [dx for dx in (*to_inputs, *to_weights.values()) if dx is not None]
        return {dx.dtype for dx in found} == {np.dtype(np.float32)}

    search(name, 4, single)


def test_an_empty_batch_has_empty_and_zero_gradients() -> None:
    conv = ops.Conv2d(2, 3, 3)
    weights = {"weight": np.ones((3, 2, 3, 3)), "bias": np.ones(3)}
    (dx,), to_weights = backward(conv, [np.zeros((0, 2, 5, 5))], weights, np.zeros((0, 3, 3, 3)))
    assert dx is not None
    assert dx.shape == (0, 2, 5, 5)
    assert not to_weights["weight"].any()


def test_what_cannot_be_is_refused() -> None:
    x = np.ones((1, 2, 4, 4))
    with pytest.raises(ShapeError, match=r"grad_output must have the output's shape \(1, 2, 2, 2\), got"):
        backward(ops.MaxPool2d(2), [x], {}, np.ones((1, 2)))
    with pytest.raises(ArgumentError, match="ReLU must have one gradient, got a second"):
        gradient(ops.ReLU)(lambda op, g, x: g)
    with pytest.raises(UnsupportedError, match="Softmax has no derivative value by value"):
        derivative(ops.Softmax(), x)
    with pytest.raises(ArgumentError, match="weights of PReLU must hold 'weight'"):
        derivative(ops.PReLU(), x)
    kept = GRADIENTS.pop(ops.Negate)
    try:
        with pytest.raises(UnsupportedError, match="Negate has no gradient"):
            backward(ops.Negate(), [x], {}, x)
    finally:
        GRADIENTS[ops.Negate] = kept
