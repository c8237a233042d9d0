"""Rules about normalisation and dropout, and the order in which they stand."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from striate.doctor.patient import MOVES, Patient, tensor
from striate.doctor.rule import Hit, rule
from striate.ops import (
    Activation,
    AdaptivePool,
    AvgPool,
    BatchNorm,
    Conv,
    ConvTranspose,
    Dropout,
    ExtremePool,
    Linear,
    LocalResponseNorm,
    Mean,
)

VARIANCE_SHIFT = (
    "Li et al. 2018, arXiv 1801.05134, Understanding the Disharmony between Dropout and Batch Norm"
)


@rule(
    "bias-before-batch-norm",
    severity="note",
    title="a bias directly before batch norm",
    reason="Batch norm subtracts the mean, and with it the bias: it has no effect, its gradient is 0, and "
    "batch norm has a bias of its own.",
    source="Ioffe and Szegedy 2015, arXiv 1502.03167, section 3.2",
)
def bias(patient: Patient) -> Iterator[Hit]:
    for norm, _ in patient.of(BatchNorm):
        node = patient.before(norm)
        if node is None or not isinstance(node.op, (Conv, ConvTranspose, Linear)) or not node.op.bias:
            continue
        if len(patient.readers(node.name)) == 1:
            yield Hit(node.name, f"{norm.name} takes the bias away again.", "write bias=False")


@rule(
    "batch-norm-after-dropout",
    severity="warning",
    title="batch norm directly behind dropout",
    reason="Dropout changes the variance of what it passes while training, but not in use. Batch norm keeps "
    "the training's variance and divides by it in use: every value comes out wrongly scaled.",
    source=VARIANCE_SHIFT,
)
def after_dropout(patient: Patient) -> Iterator[Hit]:
    linear = (*MOVES[2:], Conv, Linear, AvgPool, AdaptivePool, Mean)
    for norm, _ in patient.of(BatchNorm):
        dropout = patient.before(norm, linear)
        if dropout is not None and isinstance(dropout.op, Dropout) and dropout.op.p > 0:
            yield Hit(
                norm.name,
                f"{dropout.name} shifts the variance that it measures.",
                f"move {dropout.name} behind it",
            )


@rule(
    "dropout-before-batch-norm",
    severity="note",
    title="dropout somewhere before a later batch norm",
    reason="The shift of variance reaches batch norms further behind too. Dropout behind the last batch norm "
    "(before the last dense layer) does no harm; wide residual networks have it inside and accept the cost.",
    source=VARIANCE_SHIFT,
)
def dropout_before(patient: Patient) -> Iterator[Hit]:
    for node, op in patient.of(Dropout):
        if not op.p > 0:
            continue
        norms = [n for n in patient.downstream(node, lambda _: False) if isinstance(n.op, BatchNorm)]
        if norms:
            behind = f"{len(norms)} batch norms lie" if len(norms) > 1 else "a batch norm lies"
            yield Hit(
                node.name, f"{behind} behind it, first {norms[0].name}.", "move it behind the last batch norm"
            )


@rule(
    "dropout-on-maps",
    severity="note",
    title="plain dropout on feature maps between convolutions",
    reason="Neighbouring pixels are nearly equal, so a dropped value is known from those beside it: little "
    "is regularised. nn.Dropout2d drops whole maps.",
    source="Tompson et al. 2015, arXiv 1411.4280, section 3.2",
)
def on_maps(patient: Patient) -> Iterator[Hit]:
    for node, op in patient.of(Dropout):
        sizes = patient.spatial(node.name)
        behind = patient.after(node, (Activation, BatchNorm, ExtremePool, AvgPool))
        plain = not op.channels and op.p > 0
        if plain and sizes and max(sizes) > 1 and any(isinstance(n.op, Conv) for n in behind):
            yield Hit(node.name, "single pixels are dropped.", f"write nn.Dropout2d({op.p})")


@rule(
    "batch-norm-on-one-value",
    severity="note",
    title="batch norm where each channel has one value an image",
    reason="While training, mean and variance are then taken over the batch alone: a batch of one image is "
    "refused by PyTorch (an epoch's last one, perhaps), and small batches are noisy.",
    source="Wu and He 2018, arXiv 1803.08494; PyTorch: Expected more than 1 value per channel when training",
)
def one_value(patient: Patient) -> Iterator[Hit]:
    for norm, _ in patient.of(BatchNorm):
        if all(size == 1 for size in patient.spatial(norm.name)):
            fix = "use drop_last=True and batches of 16 or more, or nn.GroupNorm, nn.LayerNorm"
            yield Hit(norm.name, "it normalises over the images of the batch alone.", fix)


@rule(
    "local-response-norm",
    severity="note",
    title="local response normalisation",
    reason="It costs memory and time and does not help: VGG measured the same error with and without. Batch "
    "norm took its place.",
    source="Simonyan and Zisserman 2014, arXiv 1409.1556, section 4.1",
)
def local_response(patient: Patient) -> Iterator[Hit]:
    for node, _ in patient.of(LocalResponseNorm):
        yield Hit(
            node.name,
            "local response normalisation brings nothing.",
            f"remove {node.name}, or use nn.BatchNorm2d",
        )


@rule(
    "frozen-batch-norm",
    severity="warning",
    title="batch norm whose weights are frozen in a network that is trained",
    reason="requires_grad=False stops the gradient, not the running mean and variance: they go on following "
    "the new images as long as the module is in training mode, and the frozen part no longer is what it was.",
    source="keras issues 9965 and 7177; torch.nn.BatchNorm2d: running estimates are kept in training mode",
    uses="graph, trainable",
)
def frozen(patient: Patient) -> Iterator[Hit]:
    if not patient.trainable:
        return
    for norm, _ in patient.of(BatchNorm):
        learned = [name for role, name in norm.weights.items() if role in ("weight", "bias")]
        if learned and not set(learned) & set(patient.trainable):
            yield Hit(
                norm.name,
                "its statistics still move while training.",
                f"call .eval() on {norm.name} after .train()",
            )


@rule(
    "dead-channels",
    severity="warning",
    title="channels that are the same for every image",
    reason="A filter whose weights are all 0, or a batch norm weight of 0, gives the same number for every "
    "image: the channel is computed and says nothing. (A batch norm whose weights are all 0 is the start of "
    "a residual branch, and not reported.)",
    source="Liu et al. 2017, arXiv 1708.06519 (small batch norm weights); keras issue 7057",
    uses="graph, weights",
)
def dead_channels(patient: Patient) -> Iterator[Hit]:
    for node, _ in patient.of(Conv, Linear, BatchNorm):
        weight = tensor(patient, node, "weight")
        if not isinstance(weight, np.ndarray):
            continue
        dead = int((np.abs(weight.reshape(len(weight), -1)).max(axis=1) == 0).sum())
        if 0 < dead < len(weight):
            yield Hit(
                node.name,
                f"{dead} of {len(weight)} channels are constant.",
                "prune them, or lower the learning rate",
            )
