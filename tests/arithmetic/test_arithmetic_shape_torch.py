"""Predicted shape equals PyTorch's over the argument space of every word it has, refusals included."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from striate import ops
from striate.arithmetic import output_shapes
from striate.errors import ArgumentError, ShapeError

SETTINGS = settings(max_examples=120, deadline=None, derandomize=True)
# what torch raises, by turns, for sizes that it cannot take
REFUSALS = (RuntimeError, ValueError, IndexError, NotImplementedError, TypeError)


def torch_shapes(compute):
    """The shapes torch gives; None where it refuses or gives a tensor without values (which we refuse)."""
    try:
        result = compute()
    except REFUSALS:
        return None
    results = result if isinstance(result, tuple) else (result,)
    shapes = tuple(tuple(tensor.shape) for tensor in results)
    return None if any(0 in shape for shape in shapes) else shapes


def our_shapes(build, *inputs):
    """Ours; None where the word cannot be said or does not fit. Any other error fails the test."""
    try:
        return output_shapes(build(), inputs).shapes
    except (ShapeError, ArgumentError):
        return None


def zeros(*shapes):
    return tuple(torch.zeros(shape) for shape in shapes)


def per_axis(axes, low, high):
    number = st.integers(low, high)
    return st.one_of(number, st.tuples(*[number] * axes))


@st.composite
def inputs(draw, axes, channels=None, largest=9):
    """(N, C, *sizes), now and then with an axis too few or too many."""
    rank = draw(st.sampled_from([axes] * 12 + [axes + 1] + ([axes - 1] if axes > 1 else [])))
    sizes = draw(st.tuples(*[st.integers(1, largest)] * rank))
    return (draw(st.integers(1, 2)), channels or draw(st.integers(1, 4)), *sizes)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_convolution(axes):
    @SETTINGS
    @given(st.data())
    def check(data):
        groups = data.draw(st.sampled_from([1, 1, 1, 2, 3]))
        arguments = {
            "in_channels": groups * data.draw(st.integers(1, 2)),
            "out_channels": data.draw(st.integers(1, 6)),
            "kernel_size": data.draw(per_axis(axes, 1, 5)),
            "stride": data.draw(per_axis(axes, 1, 3)),
            "padding": data.draw(st.one_of(per_axis(axes, 0, 4), st.sampled_from(["same", "valid"]))),
            "dilation": data.draw(per_axis(axes, 1, 3)),
            "groups": groups,
            "bias": data.draw(st.booleans()),
            "padding_mode": data.draw(st.sampled_from(ops.PADDING_MODES)),
        }
        channels = data.draw(st.sampled_from([arguments["in_channels"]] * 9 + [5]))
        shape = data.draw(inputs(axes, channels))
        theirs = torch_shapes(lambda: getattr(torch.nn, f"Conv{axes}d")(**arguments)(*zeros(shape)))
        if len(shape) == axes + 1:  # torch takes it for input without a batch, which we refuse
            theirs = None
        assert our_shapes(lambda: getattr(ops, f"Conv{axes}d")(**arguments), shape) == theirs

    check()


@pytest.mark.parametrize("axes", [1, 2])
def test_convolution_with_different_sides(axes):
    @SETTINGS
    @given(st.data())
    def check(data):
        side = st.integers(0, 3)
        pads = data.draw(st.tuples(*[st.tuples(side, side)] * axes))
        rest = {
            "kernel_size": data.draw(per_axis(axes, 1, 4)),
            "stride": data.draw(per_axis(axes, 1, 3)),
            "dilation": data.draw(per_axis(axes, 1, 2)),
        }
        mode = data.draw(st.sampled_from(ops.PADDING_MODES))
        shape = data.draw(inputs(axes, 2).filter(lambda shape: len(shape) == axes + 2))
        flat = [side for pair in reversed(pads) for side in pair]

        def compute():
            (x,) = zeros(shape)
            padded = F.pad(x, flat, mode="constant" if mode == "zeros" else mode)
            return getattr(torch.nn, f"Conv{axes}d")(2, 3, **rest)(padded)

        def build():
            return getattr(ops, f"Conv{axes}d")(2, 3, padding=pads, padding_mode=mode, **rest)

        assert our_shapes(build, shape) == torch_shapes(compute)

    check()


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_transposed_convolution(axes):
    @SETTINGS
    @given(st.data())
    def check(data):
        groups = data.draw(st.sampled_from([1, 1, 2]))
        arguments = {
            "in_channels": groups * data.draw(st.integers(1, 2)),
            "out_channels": data.draw(st.integers(1, 4)),
            "kernel_size": data.draw(per_axis(axes, 1, 4)),
            "stride": data.draw(per_axis(axes, 1, 3)),
            "padding": data.draw(per_axis(axes, 0, 3)),
            "output_padding": data.draw(per_axis(axes, 0, 2)),
            "groups": groups,
            "bias": data.draw(st.booleans()),
            "dilation": data.draw(per_axis(axes, 1, 3)),
        }
        channels = data.draw(st.sampled_from([arguments["in_channels"]] * 9 + [5]))
        shape = data.draw(inputs(axes, channels, largest=4))
        name = f"ConvTranspose{axes}d"
        theirs = torch_shapes(lambda: getattr(torch.nn, name)(**arguments)(*zeros(shape)))
        theirs = None if len(shape) == axes + 1 else theirs
        assert our_shapes(lambda: getattr(ops, name)(**arguments), shape) == theirs

    check()


@pytest.mark.parametrize("kind", ["Max", "Min", "Avg"])
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_pooling(axes, kind):
    @SETTINGS
    @given(st.data())
    def check(data):
        arguments = {
            "kernel_size": data.draw(per_axis(axes, 1, 5)),
            "stride": data.draw(st.one_of(st.none(), per_axis(axes, 1, 4))),
            "padding": data.draw(per_axis(axes, 0, 3)),
            "ceil_mode": data.draw(st.booleans()),
        }
        if kind == "Avg":
            arguments["count_include_pad"] = data.draw(st.booleans())
        else:
            arguments["dilation"] = data.draw(per_axis(axes, 1, 3))
            arguments["return_indices"] = data.draw(st.booleans())
        shape = data.draw(inputs(axes))
        module = getattr(torch.nn, f"{'Avg' if kind == 'Avg' else 'Max'}Pool{axes}d")
        theirs = torch_shapes(lambda: module(**arguments)(*zeros(shape)))
        theirs = None if len(shape) == axes + 1 else theirs
        assert our_shapes(lambda: getattr(ops, f"{kind}Pool{axes}d")(**arguments), shape) == theirs

    check()


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_unpooling(axes):
    @SETTINGS
    @given(st.data())
    def check(data):
        arguments = {
            "kernel_size": data.draw(per_axis(axes, 1, 4)),
            "stride": data.draw(st.one_of(st.none(), per_axis(axes, 1, 3))),
            "padding": data.draw(per_axis(axes, 0, 2)),
        }
        shape = data.draw(inputs(axes, largest=4).filter(lambda shape: len(shape) == axes + 2))
        wanted = data.draw(st.one_of(st.none(), st.tuples(*[st.integers(1, 12)] * axes)))
        try:
            word = getattr(ops, f"MaxUnpool{axes}d")(output_size=wanted, **arguments)
        except ArgumentError:  # padding over half the window: no pool of torch's gives such indices
            return
        module = getattr(torch.nn, f"MaxUnpool{axes}d")(**arguments)
        x, indices = zeros(shape)[0], torch.zeros(shape, dtype=torch.long)
        theirs = torch_shapes(lambda: module(x, indices, wanted))
        assert our_shapes(lambda: word, shape, shape) == theirs
        assert our_shapes(lambda: word, shape, (*shape[:-1], shape[-1] + 1)) is None

    check()


@pytest.mark.parametrize("kind", ["Avg", "Max"])
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_adaptive_pooling(axes, kind):
    @SETTINGS
    @given(st.data())
    def check(data):
        size = st.one_of(st.integers(1, 6), st.none())
        wanted = data.draw(st.one_of(st.integers(1, 6), st.tuples(*[size] * axes)))
        if axes == 1 and wanted == (None,):  # torch's 1-d pool has no None; ours keeps the size
            wanted = 3
        more = {"return_indices": data.draw(st.booleans())} if kind == "Max" else {}
        # With the batch only: asked for size 1, torch takes a mean and lets inputs of any rank pass.
        shape = data.draw(inputs(axes).filter(lambda shape: len(shape) == axes + 2))
        name = f"Adaptive{kind}Pool{axes}d"
        theirs = torch_shapes(lambda: getattr(torch.nn, name)(wanted, **more)(*zeros(shape)))
        assert our_shapes(lambda: getattr(ops, name)(wanted, **more), shape) == theirs

    check()


@SETTINGS
@given(st.data())
def test_padding(data):
    rank = data.draw(st.integers(1, 5))
    shape = tuple(data.draw(st.lists(st.integers(1, 5), min_size=rank, max_size=rank)))
    mode = data.draw(st.sampled_from(ops.PADDING_MODES))
    side = st.integers(-4 if mode == "zeros" else 0, 4)
    pads = tuple(data.draw(st.lists(st.tuples(side, side), min_size=1, max_size=4)))
    flat = [side for pair in reversed(pads) for side in pair]
    name = "constant" if mode == "zeros" else mode
    theirs = torch_shapes(lambda: F.pad(*zeros(shape), flat, mode=name))
    assert our_shapes(lambda: ops.Pad(pads, mode), shape) == theirs


@SETTINGS
@given(st.data())
def test_upsampling(data):
    mode = data.draw(st.sampled_from(["nearest", "linear", "bilinear"]))
    shape = data.draw(inputs(data.draw(st.integers(1, 3))))
    factor = st.floats(0.05, 3.5, allow_nan=False)
    entries = data.draw(st.integers(2, 3))
    size = data.draw(st.one_of(st.integers(1, 9), st.tuples(*[st.integers(1, 9)] * entries)))
    scale = data.draw(st.one_of(factor, st.tuples(*[factor] * entries)))
    given_ = {"size": size} if data.draw(st.booleans()) else {"scale_factor": scale}
    theirs = torch_shapes(lambda: torch.nn.Upsample(mode=mode, **given_)(*zeros(shape)))
    assert our_shapes(lambda: ops.Upsample(mode=mode, **given_), shape) == theirs


SHAPES = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)
DIM = st.integers(-5, 4)


@SETTINGS
@given(st.data())
def test_words_that_move_values(data):
    shape, dim, other = data.draw(SHAPES), data.draw(DIM), data.draw(DIM)
    (x,) = zeros(shape)
    bounds = st.integers(-6, 6)
    start, end = data.draw(bounds), data.draw(st.one_of(st.none(), bounds))
    step = data.draw(st.integers(1, 3))
    dims = tuple(data.draw(st.lists(DIM, max_size=3)))
    keep = data.draw(st.booleans())
    order = tuple(data.draw(st.permutations(range(data.draw(st.integers(1, 4))))))
    groups = data.draw(st.integers(1, 3))

    def sliced():
        axis = range(x.ndim)[dim]
        return x[(slice(None),) * axis + (slice(start, end, step),)]

    pairs = [
        (lambda: ops.Flatten(dim, other), lambda: torch.flatten(x, dim, other)),
        (lambda: ops.Permute(order), lambda: x.permute(order)),
        (lambda: ops.Mean(dims, keep), lambda: x.mean(dims, keepdim=keep)),
        (lambda: ops.Sum(dims, keep), lambda: x.sum(dims, keepdim=keep)),
        (lambda: ops.Slice(dim, start, end, step), sliced),
        (lambda: ops.ChannelShuffle(groups), lambda: F.channel_shuffle(x, groups)),
        (lambda: ops.Softmax(dim), lambda: x.softmax(dim)),
        (lambda: ops.LogSoftmax(dim), lambda: x.log_softmax(dim)),
    ]
    for build, compute in pairs:
        assert our_shapes(build, shape) == torch_shapes(compute), build()


@SETTINGS
@given(st.data())
def test_reshape(data):
    shape = data.draw(SHAPES)
    open_ = st.integers(-1, 6)
    target = data.draw(st.one_of(st.lists(open_, max_size=3), st.permutations(shape[1:]))) or []
    theirs = torch_shapes(lambda: zeros(shape)[0].reshape(shape[0], *target))
    assert our_shapes(lambda: ops.Reshape(tuple(target)), shape) == theirs


@SETTINGS
@given(st.data())
def test_joins(data):
    x = data.draw(SHAPES)
    y = data.draw(st.one_of(SHAPES, st.just(x), st.tuples(*[st.sampled_from([1, size]) for size in x])))
    z = data.draw(st.one_of(st.just(x), SHAPES))
    a, b, c = zeros(x, y, z)
    for word, compute in [
        (ops.Add, torch.add),
        (ops.Subtract, torch.sub),
        (ops.Multiply, torch.mul),
        (ops.Divide, torch.div),
        (ops.Power, torch.pow),
        (ops.Maximum, torch.maximum),
        (ops.Minimum, torch.minimum),
    ]:
        assert our_shapes(word, x, y) == torch_shapes(lambda compute=compute: compute(a, b))
    dim = data.draw(DIM)
    assert our_shapes(lambda: ops.Concat(dim), x, y, z) == torch_shapes(lambda: torch.cat([a, b, c], dim))
    assert our_shapes(lambda: ops.Concat(dim), x) == torch_shapes(lambda: torch.cat([a], dim))


@SETTINGS
@given(st.data())
def test_layers_made_for_a_number_of_channels(data):
    shape, size = data.draw(SHAPES), data.draw(st.integers(1, 4))
    (x,) = zeros(shape)
    v = torch.ones(size)
    pairs = [
        (lambda: ops.Linear(size, 3), lambda: torch.nn.Linear(size, 3)(x)),
        (lambda: ops.RBF(size, 3), lambda: torch.nn.Linear(size, 3)(x)),
        (lambda: ops.BatchNorm(size), lambda: F.batch_norm(x, v, v)),
        (lambda: ops.LayerNorm(size, dim=-1), lambda: F.layer_norm(x, (size,))),
        (lambda: ops.PReLU(size), lambda: F.prelu(x, v)),
        (lambda: ops.LocalResponseNorm(size), lambda: F.local_response_norm(x, size)),
    ]
    for build, compute in pairs:
        assert our_shapes(build, shape) == torch_shapes(compute), build()


POINTWISE = [
    (ops.Sigmoid(), torch.nn.Sigmoid()),
    (ops.Tanh(), torch.nn.Tanh()),
    (ops.ReLU(), torch.nn.ReLU()),
    (ops.ReLU6(), torch.nn.ReLU6()),
    (ops.Clamp(0.0, 1.0), torch.nn.Hardtanh(0.0, 1.0)),
    (ops.LeakyReLU(), torch.nn.LeakyReLU()),
    (ops.ELU(), torch.nn.ELU()),
    (ops.SELU(), torch.nn.SELU()),
    (ops.GELU("tanh"), torch.nn.GELU("tanh")),
    (ops.SiLU(), torch.nn.SiLU()),
    (ops.HardSigmoid(), torch.nn.Hardsigmoid()),
    (ops.HardSwish(), torch.nn.Hardswish()),
    (ops.Identity(), torch.nn.Identity()),
    (ops.Dropout(), torch.nn.Dropout()),
    (ops.Negate(), torch.neg),
    (ops.Absolute(), torch.abs),
    (ops.SquareRoot(), torch.sqrt),
    (ops.Exponential(), torch.exp),
    (ops.Logarithm(), torch.log),
]


@pytest.mark.parametrize(("word", "module"), POINTWISE, ids=lambda x: type(x).__name__)
def test_pointwise_words_keep_any_shape(word, module):
    for shape in [(), (3,), (2, 3), (1, 2, 3, 4, 5)]:
        assert output_shapes(word, [shape]).shapes == (tuple(module(torch.ones(shape)).shape),)


@SETTINGS
@given(st.data())
def test_the_symbolic_batch_stands_for_every_number(data):
    """With "N" the shape is the one of a number, with N in its place: convolution, flatten, linear, join."""
    n = data.draw(st.integers(2, 5))
    sizes = (3, *data.draw(st.tuples(*[st.integers(4, 9)] * 2)))
    words = [ops.Conv2d(3, 4, 3), ops.MaxPool2d(2), ops.Flatten()]
    symbolic, number = ("N", *sizes), (n, *sizes)
    for word in words:
        symbolic = output_shapes(word, [symbolic]).shape
        number = output_shapes(word, [number]).shape
        assert symbolic == ("N", *number[1:])
    assert symbolic == ("N", math.prod(number[1:]))
    joined = output_shapes(ops.Concat(1), [symbolic, symbolic]).shape
    assert joined == ("N", 2 * number[1])


def test_a_wrong_prediction_would_be_seen():
    """The oracle can disagree: a pool that floors is not a pool that ceils."""
    word = ops.MaxPool2d(2, ceil_mode=True)
    (x,) = zeros((1, 1, 5, 5))
    theirs = torch_shapes(lambda: torch.nn.MaxPool2d(2, ceil_mode=True)(x))
    assert output_shapes(replace(word, ceil_mode=False), [(1, 1, 5, 5)]).shapes != theirs
