"""Rules about activations: where they are missing, saturate, clip, or stand twice."""

from __future__ import annotations

from collections.abc import Iterator

from striate.doctor.patient import MOVES, SILENT, Patient
from striate.doctor.rule import TEXTBOOK, Hit, rule
from striate.graph import Node
from striate.ops import (
    Activation,
    AdaptivePool,
    AvgPool,
    BatchNorm,
    Clamp,
    Concat,
    Constant,
    Conv,
    ExtremePool,
    HardSigmoid,
    Linear,
    LogSoftmax,
    MaxPool2d,
    Mean,
    Multiply,
    ReLU,
    ReLU6,
    Scale,
    Sigmoid,
    Slice,
    Softmax,
    Tanh,
)

LINEAR = (*MOVES, AvgPool, AdaptivePool, Mean, BatchNorm, Scale)  # no activation among them
PASSING = (*SILENT, AvgPool, ExtremePool, Scale, BatchNorm, Slice, Concat)
BOUNDED = (Sigmoid, Tanh, HardSigmoid, ReLU, ReLU6, Clamp)


@rule(
    "saturating-activation",
    severity="warning",
    title="sigmoid or tanh between convolutions",
    reason="Both saturate: far from 0 their derivative is nearly 0 (at most 1/4 for the sigmoid), and behind "
    "several of them no gradient arrives. The sigmoid's outputs are not centred at 0 either. A gate, whose "
    "output multiplies another value, is meant to saturate and is not reported.",
    source=f"{TEXTBOOK}, section 4; Glorot and Bengio 2010, Understanding the difficulty of training deep "
    "feedforward neural networks",
)
def saturating(patient: Patient) -> Iterator[Hit]:
    for node, op in patient.of(Sigmoid, Tanh):
        made = patient.before(node, (*PASSING, Multiply, Sigmoid, Tanh))
        if made is None or not isinstance(made.op, Conv):
            continue
        found = [node, *patient.downstream(node, lambda n: not _passes(patient, n))]
        gate = any(isinstance(n.op, Multiply) and not _passes(patient, n) for n in found)
        if not gate and any(isinstance(n.op, Conv) for n in found):
            word = type(op).__name__
            yield Hit(node.name, f"{word} between convolutions saturates.", "write nn.ReLU()")


def _passes(patient: Patient, node: Node) -> bool:
    """Whether values only pass: a pool, a normalisation, a multiplication with a constant."""
    scaled = any(isinstance(source.op, Constant) for source in patient.sources(node))
    return isinstance(node.op, PASSING) or (isinstance(node.op, Multiply) and scaled)


@rule(
    "missing-activation",
    severity="warning",
    title="two linear layers or two convolutions without an activation between them",
    reason="A linear map of a linear map is a linear map: both collapse into one layer, which the pair can "
    "do no more than. Not reported: pairs that are a cheaper factor of one layer on purpose, that is a "
    "bottleneck with fewer channels than both sides (MobileNetV2), a depthwise or grouped layer beside a "
    "dense one (Xception), and a 1xn beside an nx1 kernel (Inception).",
    source=f"{TEXTBOOK}, section 4; Szegedy et al. 2015, arXiv 1512.00567, section 3, for the factors",
)
def missing(patient: Patient) -> Iterator[Hit]:
    for node, _ in patient.of(Conv, Linear):
        first = patient.before(node, LINEAR)
        if first is None or not isinstance(first.op, (Conv, Linear)) or _factors(first, node):
            continue
        if len(patient.after(first, LINEAR)) > 1 or patient.is_output(first, LINEAR):
            continue  # the value between is used elsewhere too
        message = (
            f"nothing but linear steps lie between {first.name} and {node.name}: they collapse into one."
        )
        yield Hit(node.name, message, f"put nn.ReLU() behind {first.name}, or remove one of the two")


def _factors(first: Node, second: Node) -> bool:
    """Whether the pair is cheaper than the one layer it makes up."""
    channels = [_channels(first), _channels(second)]
    if channels[0][1] < min(channels[0][0], channels[1][1]):
        return True
    if not (isinstance(first.op, Conv) and isinstance(second.op, Conv)):
        return False
    kernels = list(zip(first.op.kernel_size, second.op.kernel_size, strict=False))
    crossed = any(a == 1 < b for a, b in kernels) and any(b == 1 < a for a, b in kernels)
    return first.op.groups != second.op.groups or first.op.groups > 1 or crossed


def _channels(node: Node) -> tuple[int, int]:
    if isinstance(node.op, Conv):
        return node.op.in_channels, node.op.out_channels
    return (node.op.in_features, node.op.out_features) if isinstance(node.op, Linear) else (0, 0)


@rule(
    "softmax-in-network",
    severity="warning",
    title="softmax as the last layer, to be trained with cross-entropy",
    reason="nn.CrossEntropyLoss applies log-softmax itself. Behind a softmax it sees numbers between 0 and "
    "1, so the loss cannot come near 0 (with 10 classes not below 1.46) and gradients vanish.",
    source="PyTorch, nn.CrossEntropyLoss: the input is expected to contain the unnormalized logits",
)
def softmax(patient: Patient) -> Iterator[Hit]:
    for node, _ in patient.of(Softmax):
        if patient.is_output(node, MOVES):
            yield Hit(
                node.name, "the network ends in a softmax.", "return the scores; apply softmax to answers"
            )


@rule(
    "clipped-scores",
    severity="warning",
    title="an activation that clips, on the class scores",
    reason="Scores are compared with each other. ReLU makes all negative ones equal and gives them no "
    "gradient, sigmoid and tanh let softmax see differences of at most 1 or 2.",
    source=f"{TEXTBOOK}, section 5: the last dense layer classifies; Goodfellow, Bengio and Courville 2016, "
    "Deep Learning, section 6.2.2",
)
def clipped(patient: Patient) -> Iterator[Hit]:
    for node, op in patient.of(*BOUNDED):
        softmaxed = any(isinstance(reader.op, (Softmax, LogSoftmax)) for reader in patient.after(node, MOVES))
        made = patient.before(node, MOVES)
        scores = made is not None and isinstance(made.op, (Linear, Conv, BatchNorm))
        if scores and (softmaxed or patient.is_output(node, MOVES)):
            yield Hit(node.name, f"{type(op).__name__} clips the scores.", f"remove {node.name}")


@rule(
    "activation-twice",
    severity="warning",
    title="an activation directly behind another",
    reason="ReLU behind ReLU changes nothing, ReLU behind a sigmoid neither, and a sigmoid behind ReLU never "
    "falls below 1/2. It is nearly always a line that was left over.",
    source=f"{TEXTBOOK}, section 4: what each activation gives out",
)
def twice(patient: Patient) -> Iterator[Hit]:
    for node, op in patient.of(Activation):
        first = patient.before(node)
        if first is None or isinstance(op, (Softmax, LogSoftmax)):
            continue
        plain = isinstance(first.op, Activation) and not isinstance(first.op, (Softmax, LogSoftmax))
        if plain and len(patient.readers(first.name)) == 1:
            words = f"{type(op).__name__} directly behind {type(first.op).__name__}"
            yield Hit(node.name, f"{words} ({first.name}).", f"remove {node.name}")


@rule(
    "activation-before-max-pool",
    severity="note",
    title="ReLU before a max pooling could stand behind it",
    reason="ReLU is monotone, so it may be applied after the maximum: the result is the same to the last "
    "bit, and ReLU is computed, and its input kept for the gradient, on a quarter of the values at stride 2.",
    source="max(relu(a), relu(b)) = relu(max(a, b)), for every monotone function",
)
def before_max_pool(patient: Patient) -> Iterator[Hit]:
    for node, _ in patient.of(ReLU, ReLU6):
        readers = patient.readers(node.name)
        if len(readers) == 1 and isinstance(readers[0].op, MaxPool2d) and max(readers[0].op.stride) > 1:
            yield Hit(node.name, f"{readers[0].name} may come first, with the same result.", "swap the two")
