"""LeNet-5: LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition", 1998.

`lenet5` is the form that everybody means today, `lenet5_1998` the network of the paper. Both are published
for 32x32 images; smaller ones, such as the 28x28 of MNIST, are padded by 2 pixels on each side in C1, as the
paper's own 32x32 images are 28x28 digits with a margin. Shapes at 32x32:

    C1 (6, 28, 28)   S2 (6, 14, 14)   C3 (16, 10, 10)   S4 (16, 5, 5)   C5 120   F6 84   output 10
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from striate.layers import RBF, ScaledTanh, Subsampling, TableConv2d
from striate.models.card import Card
from striate.models.digit_pictures import FEATURES, codes
from striate.models.probe import output_shape
from striate.models.registry import register

PUBLISHED_SIZE = 32

# Table I of the paper: the maps of S2 that each of the 16 maps of C3 sees.
C3_TABLE = (
    *((0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5)),
    *((0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5)),
    *((0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5)),
    (0, 1, 2, 3, 4, 5),
)

AUTHORS = "Yann LeCun, Léon Bottou, Yoshua Bengio, Patrick Haffner"
PAPER = "Gradient-based learning applied to document recognition, Proceedings of the IEEE 86(11)"
DOI = "10.1109/5.726791"


def margin(image_size: tuple[int, int]) -> int:
    """Padding of C1 in pixels: 2 for images smaller than the published 32x32."""
    return 2 if min(image_size) < PUBLISHED_SIZE else 0


def last_map(layers: OrderedDict[str, nn.Module], input_shape: tuple[int, ...]) -> tuple[int, int]:
    """Height and width of what S4 gives."""
    _, _, height, width = output_shape(nn.Sequential(layers), input_shape)
    return height, width


@register(
    Card(
        name="lenet5",
        title="LeNet-5",
        year=1998,
        authors=AUTHORS,
        paper=PAPER,
        doi_or_arxiv=DOI,
        image_size=(PUBLISHED_SIZE, PUBLISHED_SIZE),
        channels=1,
        classes=10,
        parameters=61_706,
        multiply_adds=416_520,
        summary="Two convolutions and three linear layers, in the form of today.",
        notes=(
            "ReLU and maximum pooling instead of scaled tanh and trainable subsampling, C3 fully connected, "
            "a linear output: the form of PyTorch's tutorial 'Neural Networks'.",
        ),
    )
)
def lenet5(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> nn.Sequential:
    """The common form: (N, in_channels, H, W) to (N, classes)."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        c1=nn.Conv2d(in_channels, 6, 5, padding=margin(image_size)),
        relu1=nn.ReLU(),
        s2=nn.MaxPool2d(2),
        c3=nn.Conv2d(6, 16, 5),
        relu3=nn.ReLU(),
        s4=nn.MaxPool2d(2),
    )
    height, width = last_map(layers, (2, in_channels, *image_size))
    layers |= OrderedDict(
        flatten=nn.Flatten(),
        c5=nn.Linear(16 * height * width, 120),
        relu5=nn.ReLU(),
        f6=nn.Linear(120, FEATURES),
        relu6=nn.ReLU(),
        output=nn.Linear(FEATURES, classes),
    )
    return nn.Sequential(layers)


class LeNet51998(nn.Sequential):
    """The network of the paper: (N, in_channels, H, W) to (N, classes).

    The paper's output y[k] is a squared distance, smallest for the right class. Here the result is -y, so
    that the largest wins and cross-entropy fits: it is the paper's discriminative criterion, equation (9),
    y[right] + log(e^-j + sum_k e^-y[k]), without its constant e^-j.
    """

    def __init__(self, *, classes: int, in_channels: int, image_size: tuple[int, int]) -> None:
        layers: OrderedDict[str, nn.Module] = OrderedDict(
            c1=nn.Conv2d(in_channels, 6, 5, padding=margin(image_size)),
            tanh1=ScaledTanh(),
            s2=Subsampling(6),
            tanh2=ScaledTanh(),
            c3=TableConv2d(6, C3_TABLE, 5),
            tanh3=ScaledTanh(),
            s4=Subsampling(16),
            tanh4=ScaledTanh(),
        )
        window = last_map(layers, (2, in_channels, *image_size))
        layers |= OrderedDict(
            c5=nn.Conv2d(16, 120, window),
            tanh5=ScaledTanh(),
            flatten=nn.Flatten(),
            f6=nn.Linear(120, FEATURES),
            tanh6=ScaledTanh(),
            output=RBF(codes(classes)),
        )
        super().__init__(layers)
        self.apply(start)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self:
            x = layer(x)
        return -x


@torch.no_grad()
def start(layer: nn.Module) -> None:
    """To be applied to all layers: weights from -2.4/F to 2.4/F, F the inputs of a unit (appendix A)."""
    if isinstance(layer, (nn.Conv2d, nn.Linear)):
        bound = 2.4 / layer.weight[0].numel()
        for parameter in layer.parameters():
            parameter.uniform_(-bound, bound)


@register(
    Card(
        name="lenet5_1998",
        title="LeNet-5, as published",
        year=1998,
        authors=AUTHORS,
        paper=PAPER,
        doi_or_arxiv=DOI,
        image_size=(PUBLISHED_SIZE, PUBLISHED_SIZE),
        channels=1,
        classes=10,
        parameters=60_000,
        multiply_adds=325_680,
        top1=99.05,
        top1_source="MNIST, 0.95 % error without distorted images: section III.B of the paper",
        summary="Partial connections in C3, trainable subsampling, radial basis functions at the end.",
        notes=(
            "The 840 numbers of the output layer are fixed pictures of the digits, and are not counted.",
            "The scores are negative squared distances: the largest, nearest to 0, wins.",
            "The pictures are ours; classes other than ten get random codes of +-1.",
            "The squared distances are neither convolution nor linear: their 840 multiplications per image "
            "are not among the multiply-adds.",
        ),
        deliberate=(("saturating-activation", "Scaled tanh, as published (appendix A)."),),
    )
)
def lenet5_1998(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> LeNet51998:
    """The published form. C5 is a convolution whose window is the whole map of S4."""
    return LeNet51998(classes=classes, in_channels=in_channels, image_size=image_size)
