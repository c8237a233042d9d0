"""GoogLeNet as torchvision has it: Szegedy et al., "Going deeper with convolutions", 2014, arXiv 1409.4842,
with the batch norm of Ioffe, Szegedy 2015, arXiv 1502.03167. The network of the paper itself: googlenet_2014.

    conv1 (64, 112, 112)   maxpool1 (64, 56, 56)   conv2 (64, 56, 56)   conv3 (192, 56, 56)
    maxpool2 (192, 28, 28)   inception3a, 3b, then the rest of INCEPTIONS   avgpool (1024, 1, 1)   fc

What is odd, with its source: the branch that is called 5x5 has 3x3 windows
(https://github.com/pytorch/vision/issues/906, taken over from TensorFlow); the last pool between stages is
2x2; pools keep an incomplete window at the border (ceil_mode), as Caffe does; dropout 0.2.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

from torch import Tensor, nn

from striate.layers import Branches, ConvBNReLU, Scores
from striate.models.card import Card
from striate.models.registry import register

# Table 1 of the paper. Size is that of the map at 224x224.
INCEPTIONS = {
    # name  in  1x1  reduce 3x3  reduce 5x5  pool    out  size
    "3a": (192, 64, 96, 128, 16, 32, 32),  # 256    28
    "3b": (256, 128, 128, 192, 32, 96, 64),  # 480    28
    "4a": (480, 192, 96, 208, 16, 48, 64),  # 512    14, after a pool
    "4b": (512, 160, 112, 224, 24, 64, 64),  # 512    14, after the first auxiliary head
    "4c": (512, 128, 128, 256, 24, 64, 64),  # 512    14
    "4d": (512, 112, 144, 288, 32, 64, 64),  # 528    14
    "4e": (528, 256, 160, 320, 32, 128, 128),  # 832    14, after the second auxiliary head
    "5a": (832, 256, 160, 320, 32, 128, 128),  # 832     7, after a pool
    "5b": (832, 384, 192, 384, 48, 128, 128),  # 1024    7
}
AUXILIARY_WEIGHT = 0.3  # section 5: "the losses of the auxiliary classifiers were weighted by 0.3"

GoogLeNetCard = partial(
    Card,
    year=2014,
    authors="Christian Szegedy, Wei Liu, Yangqing Jia, Pierre Sermanet, Scott Reed, Dragomir Anguelov, "
    "Dumitru Erhan, Vincent Vanhoucke, Andrew Rabinovich",
    paper="Going deeper with convolutions",
    doi_or_arxiv="arXiv:1409.4842",
    image_size=(224, 224),
    channels=3,
    classes=1000,
)
WeightsNote = (
    "torchvision's trained weights contain the auxiliary heads, and expect images that are normalised by "
    "mean 0.5 and deviation 0.5 in each channel, not by ImageNet's (its transform_input)."
)


def inception(name: str) -> Branches:
    """(N, in, H, W) to (N, out, H, W): four branches side by side."""
    before, one, reduce3, three, reduce5, five, pool = INCEPTIONS[name]
    return Branches(
        branch1=ConvBNReLU(before, one),
        branch2=nn.Sequential(ConvBNReLU(before, reduce3), ConvBNReLU(reduce3, three, 3, padding=1)),
        branch3=nn.Sequential(ConvBNReLU(before, reduce5), ConvBNReLU(reduce5, five, 3, padding=1)),
        branch4=nn.Sequential(nn.MaxPool2d(3, 1, 1, ceil_mode=True), ConvBNReLU(before, pool)),
    )


def auxiliary_head(in_channels: int, classes: int) -> nn.Sequential:
    """(N, in_channels, H, W) to (N, classes) from the middle of the network; dropout 0.7 as in the paper."""
    return nn.Sequential(
        OrderedDict(
            pool=nn.AdaptiveAvgPool2d(4),
            conv=ConvBNReLU(in_channels, 128),
            flatten=nn.Flatten(),
            fc1=nn.Linear(128 * 4 * 4, 1024),
            relu=nn.ReLU(),
            dropout=nn.Dropout(0.7),
            fc2=nn.Linear(1024, classes),
        )
    )


class GoogLeNet(nn.Module):
    """(N, in_channels, H, W) to (N, classes); the same network for every ``image_size``.

    With ``auxiliary`` heads it answers ``Scores`` in training mode. Weights start with a deviation of 0.01,
    as in torchvision.
    """

    def __init__(self, *, classes: int, in_channels: int, auxiliary: bool = False) -> None:
        super().__init__()
        self.conv1 = ConvBNReLU(in_channels, 64, 7, 2, 3)
        self.maxpool1 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv2 = ConvBNReLU(64, 64)
        self.conv3 = ConvBNReLU(64, 192, 3, padding=1)
        self.maxpool2 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.inception3a, self.inception3b = inception("3a"), inception("3b")
        self.maxpool3 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.inception4a, self.inception4b = inception("4a"), inception("4b")
        self.inception4c, self.inception4d = inception("4c"), inception("4d")
        self.inception4e = inception("4e")
        self.maxpool4 = nn.MaxPool2d(2, 2, ceil_mode=True)
        self.inception5a, self.inception5b = inception("5a"), inception("5b")
        self.aux1 = auxiliary_head(512, classes) if auxiliary else None
        self.aux2 = auxiliary_head(528, classes) if auxiliary else None
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(0.2)
        self.fc = nn.Linear(1024, classes)
        for layer in self.modules():
            if isinstance(layer, (nn.Conv2d, nn.Linear)):
                nn.init.normal_(layer.weight, 0, 0.01)

    def forward(self, x: Tensor) -> Tensor | Scores:
        x = self.maxpool1(self.conv1(x))
        x = self.maxpool2(self.conv3(self.conv2(x)))
        x = self.maxpool3(self.inception3b(self.inception3a(x)))
        early = self.inception4a(x)
        late = self.inception4d(self.inception4c(self.inception4b(early)))
        x = self.maxpool4(self.inception4e(late))
        x = self.inception5b(self.inception5a(x))
        logits: Tensor = self.fc(self.dropout(self.avgpool(x).flatten(1)))
        if self.training and self.aux1 is not None and self.aux2 is not None:
            return Scores(logits, (self.aux1(early), self.aux2(late)), AUXILIARY_WEIGHT)
        return logits


@register(
    GoogLeNetCard(
        name="googlenet",
        title="GoogLeNet, batch norm",
        parameters=6_624_904,
        multiply_adds=1_498_376_192,
        top1=69.778,
        top1_source="torchvision, GoogLeNet_Weights.IMAGENET1K_V1",
        summary="Windows of several sizes side by side, in the form that people have weights for.",
        notes=(WeightsNote,),
    )
)
def googlenet(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> GoogLeNet:
    """Without auxiliary heads."""
    return GoogLeNet(classes=classes, in_channels=in_channels)


@register(
    GoogLeNetCard(
        name="googlenet+aux",
        title="GoogLeNet, batch norm, auxiliary heads",
        parameters=13_004_888,
        multiply_adds=1_498_376_192,
        top1=69.778,
        top1_source="torchvision, GoogLeNet_Weights.IMAGENET1K_V1",
        summary="GoogLeNet with the two heads that help it to learn.",
        notes=(
            WeightsNote,
            "The heads work in training mode only: there it answers Scores, of which each head weighs 0.3. "
            "The multiply-adds are those of evaluation.",
        ),
        deliberate=(("unused-parameters", "The auxiliary heads answer in training mode only."),),
    )
)
def googlenet_aux(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> GoogLeNet:
    """With both auxiliary heads."""
    return GoogLeNet(classes=classes, in_channels=in_channels, auxiliary=True)
