"""For each rule the smallest network that fires it, and one beside it that does not.

A network is written as a line of words; ``after`` names inputs other than the word before.
"""

from dataclasses import dataclass, replace

import numpy as np

from striate.doctor.patient import InputStatistics, Patient
from striate.graph import Graph, Node
from striate.ops import (
    AdaptiveAvgPool2d,
    Add,
    AvgPool2d,
    BatchNorm,
    ChannelShuffle,
    Concat,
    Conv2d,
    ConvTranspose2d,
    Dropout,
    Flatten,
    GlobalResponseNorm,
    Linear,
    LocalResponseNorm,
    MaxPool2d,
    MinPool2d,
    Multiply,
    Op,
    Pad,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Tanh,
)


@dataclass(frozen=True)
class At:
    """A word with a name or inputs of its own."""

    op: Op
    after: tuple[str, ...] | None = None
    weights: str | None = None
    """The node whose tensors it shares."""


def network(
    *words: Op | At, image: tuple[int, ...] = (3, 32, 32), outputs: tuple[str, ...] | None = None
) -> Patient:
    """Words one behind the other; the node of word i is called "w<i>"."""
    nodes, last = [], "x"
    for index, given in enumerate(words):
        word = given if isinstance(given, At) else At(given)
        name = f"w{index}"
        owner = word.weights or name
        tensors = {role: f"{owner}.{role}" for role in word.op.roles}
        nodes.append(
            Node(name, word.op, word.after or (last,) * (word.op.arity or 1), tensors, f"net.py:{index + 1}")
        )
        last = name
    return Patient(Graph({"x": ("N", *image)}, tuple(nodes), outputs or (last,)))


def conv(into: int, out: int, kernel: int = 3, **arguments) -> Conv2d:
    return Conv2d(into, out, kernel, **({"padding": kernel // 2} | arguments))


def head(channels: int, classes: int = 8) -> tuple[Op, ...]:
    return AdaptiveAvgPool2d(1), Flatten(), Linear(channels, classes)


def filled(patient: Patient, **tensors) -> Patient:
    return replace(
        patient, weights={name: np.asarray(value, dtype=np.float32) for name, value in tensors.items()}
    )


def deep(image: int) -> Patient:
    """Eight 3x3 convolutions at stride 2, 1, 2, 1 ...: a field of 61 pixels."""
    body = [word for i in range(8) for word in (conv(8, 8, stride=1 + (i % 2 == 0 and i < 6)), ReLU())]
    return network(*body, *head(8), image=(8, image, image))


PAIR = (conv(3, 8), ReLU(), conv(8, 8), ReLU())  # what most networks begin with
ONE, TWO = np.ones((4, 2, 1, 1)), np.ones((4, 2, 1, 1)) * np.array([1, 1, 1, 0]).reshape(4, 1, 1, 1)

FIRES: dict[str, Patient] = {
    "saturating-activation": network(conv(3, 8), Sigmoid(), conv(8, 8)),
    "missing-activation": network(conv(3, 8), conv(8, 8)),
    "softmax-in-network": network(Linear(4, 3), Softmax(1), image=(4,)),
    "clipped-scores": network(Linear(4, 3), ReLU(), image=(4,)),
    "activation-twice": network(conv(3, 8), ReLU(), ReLU(), conv(8, 8)),
    "activation-before-max-pool": network(conv(3, 8), ReLU(), MaxPool2d(2)),
    "bias-before-batch-norm": network(conv(3, 8), BatchNorm(8)),
    "batch-norm-after-dropout": network(Dropout(0.5), conv(3, 8, bias=False), BatchNorm(8)),
    "dropout-before-batch-norm": network(Dropout(0.5), conv(3, 8), ReLU(), conv(8, 8), BatchNorm(8)),
    "dropout-on-maps": network(conv(3, 8), ReLU(), Dropout(0.5), conv(8, 8)),
    "batch-norm-on-one-value": network(conv(3, 8, 32, padding=0), BatchNorm(8)),
    "local-response-norm": network(conv(3, 8), LocalResponseNorm(5)),
    "frozen-batch-norm": replace(network(conv(3, 8), BatchNorm(8)), trainable={"w0.weight"}),
    "dead-channels": filled(network(conv(2, 4, 1, bias=False), image=(2, 4, 4)), **{"w0.weight": TWO}),
    "pool-padding": network(MaxPool2d(3, 2, padding=1)),
    "min-pool-after-relu": network(conv(3, 8), ReLU(), MinPool2d(2)),
    "unread-rows": network(MaxPool2d(2), image=(3, 33, 33)),
    "even-kernel": network(conv(3, 8, 4, padding=1)),
    "pointwise-stride": network(conv(3, 8, 1, stride=2)),
    "dilation-gridding": network(*(conv(8, 8, dilation=2, padding=2), ReLU()) * 2, image=(8, 32, 32)),
    "checkerboard": network(ConvTranspose2d(3, 8, 3, 2)),
    "uneven-padding": network(Pad(((0, 1), (0, 1))), conv(3, 8, stride=2, padding=0)),
    "idle-taps": network(conv(3, 8, 5), image=(3, 2, 2)),
    "field-smaller-than-image": network(*PAIR, *head(8)),
    "field-far-larger": deep(8),
    "stem-too-coarse": network(conv(3, 8, 7, stride=2), ReLU(), MaxPool2d(2), conv(8, 8)),
    "map-vanishes-early": network(AvgPool2d(32), conv(3, 8)),
    "fixed-input-size": network(conv(3, 8), Flatten(), Linear(8 * 32 * 32, 8)),
    "adaptive-pool-does-not-divide": network(AdaptiveAvgPool2d(7)),
    "information-bottleneck": network(conv(64, 4, 1), ReLU(), conv(4, 64), image=(64, 32, 32)),
    "misaligned-branches": network(
        conv(3, 8), At(conv(3, 8, 4, padding=((2, 1), (2, 1))), ("x",)), At(Add(), ("w0", "w1"))
    ),
    "dense-head": network(conv(3, 8), Flatten(), Linear(8 * 32 * 32, 8)),
    "depthwise-without-pointwise": network(conv(8, 8, groups=8), *head(8), image=(8, 32, 32)),
    "groups-without-shuffle": network(*(conv(8, 8, groups=2), ReLU()) * 2, image=(8, 32, 32)),
    "vector-lanes": network(conv(3, 10), ReLU(), *head(10)),
    "dead-branch": network(conv(3, 8), At(conv(3, 8), ("x",)), outputs=("w0",)),
    "unused-parameters": replace(network(conv(3, 8)), parameters={"w0.weight", "w0.bias", "extra.weight"}),
    "tied-weights": network(conv(8, 8), ReLU(), At(conv(8, 8), weights="w0"), image=(8, 32, 32)),
    "batch-axis-mixed": network(Linear(4, 3), Softmax(0), image=(4,)),
    "weights-not-finite": filled(
        network(conv(2, 4, 1, bias=False), image=(2, 4, 4)), **{"w0.weight": ONE * np.nan}
    ),
    "input-not-normalised": replace(
        network(conv(3, 8)), statistics=InputStatistics((120.0,) * 3, (60.0,) * 3)
    ),
}

SILENT: dict[str, Patient] = {
    # a gate: the sigmoid's value multiplies another
    "saturating-activation": network(conv(3, 8), Sigmoid(), At(Multiply(), ("w0", "w1")), ReLU(), conv(8, 8)),
    # a bottleneck: 4 channels between 8 and 8 are cheaper than one layer
    "missing-activation": network(*PAIR, conv(8, 4, 1), conv(4, 8, 1)),
    # attention inside the network, not its answer
    "softmax-in-network": network(
        Linear(4, 4), Softmax(1), At(Multiply(), ("x", "w1")), Linear(4, 3), image=(4,)
    ),
    "clipped-scores": network(Linear(4, 8), ReLU(), Linear(8, 3), image=(4,)),
    "activation-twice": network(conv(3, 8), ReLU(), conv(8, 8), ReLU()),
    # SiLU falls before it rises, so it may not be moved
    "activation-before-max-pool": network(conv(3, 8), SiLU(), MaxPool2d(2)),
    "bias-before-batch-norm": network(conv(3, 8, bias=False), BatchNorm(8)),
    "batch-norm-after-dropout": network(conv(3, 8, bias=False), BatchNorm(8), Dropout(0.5)),
    "dropout-before-batch-norm": network(conv(3, 8), BatchNorm(8), Dropout(0.5), conv(8, 8)),
    "dropout-on-maps": network(conv(3, 8), ReLU(), Dropout(0.5, channels=True), conv(8, 8)),
    "batch-norm-on-one-value": network(conv(3, 8), BatchNorm(8)),
    "local-response-norm": network(conv(3, 8), GlobalResponseNorm(8)),
    "frozen-batch-norm": replace(
        network(conv(3, 8), BatchNorm(8)), trainable={"w0.weight", "w1.weight", "w1.bias"}
    ),
    "dead-channels": filled(network(conv(2, 4, 1, bias=False), image=(2, 4, 4)), **{"w0.weight": ONE}),
    "pool-padding": network(MaxPool2d(2)),
    "min-pool-after-relu": network(conv(3, 8), Tanh(), MinPool2d(2)),
    # the window that is left out would read padding only
    "unread-rows": network(conv(3, 8, 3, stride=2)),
    # at stride 2 the even kernel stays in place
    "even-kernel": network(conv(3, 8, 4, stride=2, padding=1)),
    "pointwise-stride": network(conv(3, 8, 2, stride=2, padding=0)),
    "dilation-gridding": network(
        conv(8, 8, dilation=2, padding=2), ReLU(), conv(8, 8, dilation=5, padding=5), image=(8, 32, 32)
    ),
    "checkerboard": network(ConvTranspose2d(3, 8, 4, 2, padding=1)),
    "uneven-padding": network(conv(3, 8, stride=2)),
    "idle-taps": network(conv(3, 8, 5), image=(3, 3, 3)),
    "field-smaller-than-image": network(*PAIR, *head(8), image=(3, 5, 5)),
    "field-far-larger": deep(64),
    "stem-too-coarse": network(conv(3, 8), ReLU(), MaxPool2d(2), conv(8, 8)),
    "map-vanishes-early": network(AvgPool2d(32), conv(3, 8, 1)),
    "fixed-input-size": network(conv(3, 8), *head(8)),
    "adaptive-pool-does-not-divide": network(AdaptiveAvgPool2d(8)),
    # a shortcut leads around it
    "information-bottleneck": network(
        conv(64, 4, 1), ReLU(), conv(4, 64), At(Add(), ("x", "w2")), image=(64, 32, 32)
    ),
    "misaligned-branches": network(conv(3, 8), At(conv(3, 8, 5), ("x",)), At(Add(), ("w0", "w1"))),
    "dense-head": network(conv(3, 8), *head(8)),
    "depthwise-without-pointwise": network(conv(8, 8, groups=8), conv(8, 8, 1), *head(8), image=(8, 32, 32)),
    "groups-without-shuffle": network(
        conv(8, 8, groups=2), ReLU(), ChannelShuffle(2), conv(8, 8, groups=2), image=(8, 32, 32)
    ),
    "vector-lanes": network(conv(3, 16), ReLU(), *head(16, 10)),
    "dead-branch": network(conv(3, 8), At(conv(3, 8), ("x",)), At(Concat(1), ("w0", "w1"))),
    "unused-parameters": replace(network(conv(3, 8)), parameters={"w0.weight", "w0.bias"}),
    "tied-weights": network(*PAIR),
    "batch-axis-mixed": network(Linear(4, 3), Softmax(1), image=(4,)),
    "weights-not-finite": filled(network(conv(2, 4, 1, bias=False), image=(2, 4, 4)), **{"w0.weight": ONE}),
    "input-not-normalised": replace(network(conv(3, 8)), statistics=InputStatistics((0.1,) * 3, (0.9,) * 3)),
}
