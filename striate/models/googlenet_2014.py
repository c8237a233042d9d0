"""GoogLeNet, the network of the paper: Szegedy et al., "Going deeper with convolutions", 2014, arXiv
1409.4842.

The table is that of googlenet, ``INCEPTIONS``, with true 5x5 windows and biases instead of batch norm:

    layer                   maps   size at 224
    conv1    7x7 / 2          64   112            then pool1 -> 56, normalisation
    reduce   1x1              64    56
    conv2    3x3             192    56            then normalisation, pool2 -> 28
    3a, 3b                   480    28            then pool3 -> 14
    4a to 4e                 832    14            auxiliary heads after 4a and 4d; then pool4 -> 7
    5a, 5b                  1024     7            then the mean of each map, dropout 0.4, the linear layer

What the paper leaves open is as in Caffe's bvlc_googlenet (https://github.com/BVLC/caffe): pools of 3x3, 2
apart, that keep incomplete windows; local response normalisation over 5 maps with alpha 1e-4 on the mean of
the squares, beta 0.75, k 1; weights that start with the variance 1 / inputs, biases at 0.2 before a ReLU, so
that it begins alive, and at 0 before the scores.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

from striate.layers import Branches, Scores
from striate.models.googlenet import AUXILIARY_WEIGHT, INCEPTIONS, GoogLeNetCard
from striate.models.probe import output_shape
from striate.models.registry import register

SCORES = ("fc", "fc2")  # the layers that give class scores


def convolution(before: int, after: int, kernel_size: int = 1, stride: int = 1) -> nn.Sequential:
    """A convolution that keeps the size but for its stride, and ReLU."""
    conv = nn.Conv2d(before, after, kernel_size, stride, kernel_size // 2)
    return nn.Sequential(OrderedDict(conv=conv, relu=nn.ReLU()))


def pool() -> nn.MaxPool2d:
    """3x3 windows, 2 apart; one that hangs over the border counts."""
    return nn.MaxPool2d(3, 2, ceil_mode=True)


def inception(name: str) -> Branches:
    """(N, in, H, W) to (N, out, H, W): four branches side by side."""
    before, one, reduce3, three, reduce5, five, project = INCEPTIONS[name]
    return Branches(
        branch1=convolution(before, one),
        branch2=nn.Sequential(convolution(before, reduce3), convolution(reduce3, three, 3)),
        branch3=nn.Sequential(convolution(before, reduce5), convolution(reduce5, five, 5)),
        branch4=nn.Sequential(nn.MaxPool2d(3, 1, 1), convolution(before, project)),
    )


def auxiliary_head(name: str, in_shape: tuple[int, ...], classes: int) -> nn.Sequential:
    """Section 5: mean over 5x5 windows 3 apart, 128 1x1 convolutions, 1024 units, dropout 0.7, classes.

    From maps of ``in_shape`` (N, C, H, W) to (N, classes), of one H and W; ``name`` is for the error when the
    maps are too small.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        pool=nn.AvgPool2d(5, 3), conv=convolution(in_shape[1], 128), flatten=nn.Flatten()
    )
    _, values = output_shape(nn.Sequential(OrderedDict({name: nn.Sequential(layers)})), in_shape)
    layers |= OrderedDict(
        fc1=nn.Linear(values, 1024), relu=nn.ReLU(), dropout=nn.Dropout(0.7), fc2=nn.Linear(1024, classes)
    )
    return nn.Sequential(layers)


class GoogLeNet2014(nn.Module):
    """(N, in_channels, H, W) to (N, classes).

    With ``auxiliary`` heads it is built for one ``image_size`` and answers ``Scores`` in training mode.
    """

    def __init__(
        self, *, classes: int, in_channels: int, image_size: tuple[int, int], auxiliary: bool = False
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            OrderedDict(
                conv1=convolution(in_channels, 64, 7, 2),
                pool1=pool(),
                norm1=nn.LocalResponseNorm(5),
                reduce=convolution(64, 64),
                conv2=convolution(64, 192, 3),
                norm2=nn.LocalResponseNorm(5),
                pool2=pool(),
            )
        )
        self.stage3 = nn.Sequential(inception("3a"), inception("3b"), pool())
        self.inception4a = inception("4a")
        self.inception4b_to_4d = nn.Sequential(inception("4b"), inception("4c"), inception("4d"))
        self.inception4e = nn.Sequential(inception("4e"), pool())
        self.stage5 = nn.Sequential(inception("5a"), inception("5b"))
        self.aux1: nn.Module | None = None
        self.aux2: nn.Module | None = None
        if auxiliary:
            early = OrderedDict(stem=self.stem, stage3=self.stage3, inception4a=self.inception4a)
            _, _, height, width = output_shape(nn.Sequential(early), (2, in_channels, *image_size))
            self.aux1 = auxiliary_head("aux1", (2, 512, height, width), classes)
            self.aux2 = auxiliary_head("aux2", (2, 528, height, width), classes)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.4))
        self.fc = nn.Linear(1024, classes)
        for name, layer in self.named_modules():
            if isinstance(layer, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_uniform_(layer.weight, nonlinearity="linear")  # Caffe's "xavier"
                nn.init.constant_(layer.bias, 0.0 if name.endswith(SCORES) else 0.2)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor | Scores:
        early = self.inception4a(self.stage3(self.stem(x)))
        late = self.inception4b_to_4d(early)
        logits: Tensor = self.fc(self.head(self.stage5(self.inception4e(late))))
        if self.training and self.aux1 is not None and self.aux2 is not None:
            return Scores(logits, (self.aux1(early), self.aux2(late)), AUXILIARY_WEIGHT)
        return logits


@register(
    GoogLeNetCard(
        name="googlenet_2014",
        title="GoogLeNet, as published",
        parameters=6_998_552,
        multiply_adds=1_582_671_872,
        summary="22 layers of windows of several sizes side by side: it won ImageNet 2014.",
        notes=("The paper rounds to 6.8 million parameters and 1.5 billion multiply-adds.",),
    )
)
def googlenet_2014(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> GoogLeNet2014:
    """Without auxiliary heads."""
    return GoogLeNet2014(classes=classes, in_channels=in_channels, image_size=image_size)


@register(
    GoogLeNetCard(
        name="googlenet_2014+aux",
        title="GoogLeNet, as published, auxiliary heads",
        parameters=13_378_280,
        multiply_adds=1_582_671_872,
        summary="The published GoogLeNet as it was trained, with its two auxiliary heads.",
        notes=(
            "The heads work in training mode only: there it answers Scores, of which each head weighs 0.3. "
            "The multiply-adds are those of evaluation.",
        ),
        deliberate=(("unused-parameters", "The auxiliary heads answer in training mode only."),),
    )
)
def googlenet_2014_aux(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> GoogLeNet2014:
    """With both auxiliary heads."""
    return GoogLeNet2014(classes=classes, in_channels=in_channels, image_size=image_size, auxiliary=True)
