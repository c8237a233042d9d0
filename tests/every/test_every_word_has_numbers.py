"""Whoever adds a word adds its numbers: output shape, parameters, cost and receptive field."""

import math

import pytest

from striate import ops
from striate.arithmetic import cost, graph_fields, output_shapes, parameters
from striate.arithmetic.field_rule import has_field
from striate.arithmetic.parameters import NOT_LEARNED
from striate.arithmetic.shape import covers
from striate.errors import UnsupportedError
from striate.graph import Graph, Node
from striate.ops.weights import weight_shapes

IMAGE = {1: (1, 4, 8), 2: (1, 4, 8, 8), 3: (1, 4, 8, 8, 8)}

# One instance of every word and the shapes it is asked about: (word, inputs, output).
SAMPLES = {
    **{f"Conv{n}d": (getattr(ops, f"Conv{n}d")(4, 6, 3), [IMAGE[n]], (1, 6, *(6,) * n)) for n in IMAGE},
    **{
        f"ConvTranspose{n}d": (
            getattr(ops, f"ConvTranspose{n}d")(4, 6, 2, 2),
            [IMAGE[n]],
            (1, 6, *(16,) * n),
        )
        for n in IMAGE
    },
    **{
        f"{kind}Pool{n}d": (getattr(ops, f"{kind}Pool{n}d")(2), [IMAGE[n]], (1, 4, *(4,) * n))
        for n in IMAGE
        for kind in ("Max", "Min", "Avg")
    },
    **{
        f"Adaptive{kind}Pool{n}d": (
            getattr(ops, f"Adaptive{kind}Pool{n}d")(3),
            [IMAGE[n]],
            (1, 4, *(3,) * n),
        )
        for n in IMAGE
        for kind in ("Max", "Avg")
    },
    **{
        f"MaxUnpool{n}d": (getattr(ops, f"MaxUnpool{n}d")(2), [IMAGE[n]] * 2, (1, 4, *(16,) * n))
        for n in IMAGE
    },
    "Pad": (ops.Pad(((1, 2), (0, 0))), [IMAGE[2]], (1, 4, 11, 8)),
    "Linear": (ops.Linear(8, 5), [IMAGE[2]], (1, 4, 8, 5)),
    "RBF": (ops.RBF(8, 5), [(1, 8)], (1, 5)),
    "BatchNorm": (ops.BatchNorm(4), [IMAGE[2]], IMAGE[2]),
    "LayerNorm": (ops.LayerNorm(4), [IMAGE[2]], IMAGE[2]),
    "GlobalResponseNorm": (ops.GlobalResponseNorm(4), [IMAGE[2]], IMAGE[2]),
    "LocalResponseNorm": (ops.LocalResponseNorm(5), [IMAGE[2]], IMAGE[2]),
    "Scale": (ops.Scale(4), [IMAGE[2]], IMAGE[2]),
    "FakeQuantize": (ops.FakeQuantize(num_channels=4), [IMAGE[2]], IMAGE[2]),
    "PReLU": (ops.PReLU(4), [IMAGE[2]], IMAGE[2]),
    "Clamp": (ops.Clamp(0.0, 6.0), [IMAGE[2]], IMAGE[2]),
    "Constant": (ops.Constant((3,)), [], (3,)),
    "Concat": (ops.Concat(), [IMAGE[2]] * 3, (1, 12, 8, 8)),
    "Permute": (ops.Permute((0, 2, 3, 1)), [IMAGE[2]], (1, 8, 8, 4)),
    "Reshape": (ops.Reshape((2, 2, -1)), [IMAGE[2]], (1, 2, 2, 64)),
    "Flatten": (ops.Flatten(), [IMAGE[2]], (1, 256)),
    "Mean": (ops.Mean((2, 3)), [IMAGE[2]], (1, 4)),
    "Sum": (ops.Sum((2, 3), True), [IMAGE[2]], (1, 4, 1, 1)),
    "Slice": (ops.Slice(1, 0, 2), [IMAGE[2]], (1, 2, 8, 8)),
    "ChannelShuffle": (ops.ChannelShuffle(2), [IMAGE[2]], IMAGE[2]),
    "Upsample": (ops.Upsample(scale_factor=2), [IMAGE[2]], (1, 4, 16, 16)),
}


def sample(name):
    """The instance above, or, for words that keep the shape and for joins, one without arguments."""
    if name in SAMPLES:
        return SAMPLES[name]
    op = ops.WORDS[name]()
    return op, [IMAGE[2]] * (op.arity or 1), IMAGE[2]


@pytest.mark.parametrize("name", ops.WORDS)
def test_shape(name):
    assert covers(ops.WORDS[name]), f"{name} has no rule in arithmetic/shape_*.py"
    op, inputs, output = sample(name)
    assert output_shapes(op, inputs).shapes == (output,) * op.outputs


@pytest.mark.parametrize("name", ops.WORDS)
def test_parameters(name):
    op, _, _ = sample(name)
    number = parameters(op)
    learned = {role: shape for role, shape in weight_shapes(op).items() if role not in NOT_LEARNED}
    assert number.result == sum(map(math.prod, learned.values()))
    assert eval(number.substitution.replace("/", "//")) == number.result  # the reason is the number's


@pytest.mark.parametrize("name", ops.WORDS)
def test_cost(name):
    op, inputs, output = sample(name)
    price = cost(op, inputs)
    numbers = price.multiply_adds
    assert eval(numbers.substitution.replace("/", "//")) == numbers.result
    counted = isinstance(op, (ops.Conv, ops.ConvTranspose, ops.Linear))
    assert (numbers.result > 0) == counted
    assert price.activation_bytes == 4 * math.prod(output)


@pytest.mark.parametrize("name", ops.WORDS)
def test_field(name):
    assert has_field(ops.WORDS[name]), f"{name} has no rule in arithmetic/field_*.py"
    op, inputs, output = sample(name)
    node = Node("node", op, ("image",) * len(inputs), {role: role for role in op.roles})
    shape = inputs[0] if inputs else IMAGE[2]
    field = graph_fields(Graph({"image": shape}, (node,), ("node",)))["node"]
    if not inputs:
        assert field is None
    else:
        assert len(field.layout) == len(output)
        assert len(field.size) == len(shape) - 2


def test_a_word_without_numbers_is_refused():
    class Unheard(ops.Op):
        pass

    with pytest.raises(UnsupportedError, match=r"Unheard: add one with @rule\.register"):
        output_shapes(Unheard(), [(1, 2)])
    node = Node("node", Unheard(), ("x",))
    with pytest.raises(UnsupportedError, match="Unheard"):
        graph_fields(Graph({"x": (1, 3, 4)}, (node,), ("node",)))
    assert not covers(Unheard)
    assert not has_field(Unheard)
