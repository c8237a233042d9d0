"""ShuffleNet: Zhang, Zhou, Lin, Sun, "ShuffleNet: an extremely efficient CNN for mobile devices", 2017.

arXiv 1707.01083. The 1x1 convolutions, where small networks spend their time, are cut into g groups, and a
shuffle of channels lets the groups see each other. Shapes of g = 3 at 224x224:

    conv1 (24, 112, 112)   maxpool (24, 56, 56)   stage2 (240, 28, 28)   stage3 (480, 14, 14)
    stage4 (960, 7, 7)   pool (960)   fc (classes)
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from striate.models.card import Card
from striate.models.registry import register

STEM = 24  # maps of conv1, for every g
REPEATS = (4, 8, 4)  # units in stages 2, 3 and 4; the first of each has the stride

ShuffleCard = partial(
    Card,
    year=2017,
    authors="Xiangyu Zhang, Xinyu Zhou, Mengxiao Lin, Jian Sun",
    paper="ShuffleNet: an extremely efficient convolutional neural network for mobile devices",
    doi_or_arxiv="arXiv:1707.01083",
    channels=3,
)


class ShuffleUnit(nn.Module):
    """(N, in_channels, H, W) to (N, out_channels, H/stride, W/stride): figure 2b, or with a stride 2c.

    The bottleneck has a quarter of the output's channels. With a stride, the input's mean pool is not
    added but concatenated, so the branch gives only the channels that are missing. ``first`` is the first
    unit of all, whose input has too few channels to be cut (the caption of table 1).
    """

    def __init__(self, in_channels: int, out_channels: int, groups: int, stride: int, *, first: bool) -> None:
        super().__init__()
        inner, given = out_channels // 4, out_channels - (in_channels if stride == 2 else 0)
        self.conv1 = nn.Conv2d(in_channels, inner, 1, groups=1 if first else groups, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.shuffle = nn.ChannelShuffle(groups)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, 1, groups=inner, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, given, 1, groups=groups, bias=False)
        self.bn3 = nn.BatchNorm2d(given)
        self.pool = nn.AvgPool2d(3, 2, 1) if stride == 2 else None
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        branch = self.shuffle(self.relu(self.bn1(self.conv1(x))))
        branch = self.bn3(self.conv3(self.bn2(self.conv2(branch))))
        both = x + branch if self.pool is None else torch.cat([self.pool(x), branch], dim=1)
        answer: Tensor = self.relu(both)
        return answer


class ShuffleNetV1(nn.Module):
    """(N, in_channels, H, W) to (N, classes); the same network for every ``image_size``.

    ``width`` is the number of maps that stage 2 gives; stages 3 and 4 double it. With ``small_images`` the
    stem is a 1x1 convolution without a pool, as in https://github.com/kuangliu/pytorch-cifar. Starts as the
    authors' code (megvii-model/ShuffleNet-Series), since the paper does not say.
    """

    def __init__(
        self,
        groups: int,
        width: int,
        *,
        classes: int,
        in_channels: int,
        image_size: tuple[int, int],
        small_images: bool = False,
    ) -> None:
        super().__init__()
        window, stride = (1, 1) if small_images else (3, 2)
        self.conv1 = nn.Sequential(
            nn.Conv2d(in_channels, STEM, window, stride, window // 2, bias=False),
            nn.BatchNorm2d(STEM),
            nn.ReLU(),
        )
        self.maxpool = nn.Identity() if small_images else nn.MaxPool2d(3, 2, 1)
        self.stage2 = self._stage(STEM, width, groups, REPEATS[0], first=True)
        self.stage3 = self._stage(width, 2 * width, groups, REPEATS[1])
        self.stage4 = self._stage(2 * width, 4 * width, groups, REPEATS[2])
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(4 * width, classes)
        self._start()

    @staticmethod
    def _stage(before: int, width: int, groups: int, count: int, *, first: bool = False) -> nn.Sequential:
        units = [ShuffleUnit(before, width, groups, 2, first=first)]
        units += [ShuffleUnit(width, width, groups, 1, first=False) for _ in range(count - 1)]
        return nn.Sequential(*units)

    def _start(self) -> None:
        """Deviation 1 / (input maps of a group), but 0.01 for conv1 and fc; norms are shifted by 0.0001."""
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight, std=1 / layer.weight.shape[1])
            elif isinstance(layer, nn.BatchNorm2d):
                nn.init.constant_(layer.bias, 1e-4)
        nn.init.normal_(self.conv1.get_submodule("0").get_parameter("weight"), std=0.01)
        nn.init.normal_(self.fc.weight, std=0.01)
        nn.init.zeros_(self.fc.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stage4(self.stage3(self.stage2(self.maxpool(self.conv1(x)))))
        scores: Tensor = self.fc(self.avgpool(x).flatten(1))
        return scores


SHIFTS = "The next norm takes away what bn2 shifts by: the gradient of that bias is 0 but for rounding."
PAPER, AUTHORS = "table 2 of the paper", "https://github.com/megvii-model/ShuffleNet-Series"
# fmt: off
NETWORKS = (  # table 1 of the paper, width 1x
    # g  maps of stage 2  parameters  multiply-adds  top-1
    (1,  144,              1_531_936,   143_078_976, 66.4, PAPER),
    (2,  200,              1_733_848,   140_836_512, 67.3, PAPER),
    (3,  240,              1_865_728,   137_460_672, 67.8, AUTHORS),
    (4,  272,              1_968_344,   134_339_776, 67.2, PAPER),
    (8,  384,              2_434_768,   138_365_952, 68.0, AUTHORS),
)
# fmt: on

for groups, width, parameters, multiply_adds, top1, source in NETWORKS:
    register(
        ShuffleCard(
            name=f"shufflenet_v1_g{groups}",
            title=f"ShuffleNet 1x, g = {groups}",
            image_size=(224, 224),
            classes=1000,
            parameters=parameters,
            multiply_adds=multiply_adds,
            summary="Grouped 1x1 convolutions, and channels shuffled between the groups.",
            top1=top1,
            top1_source=source,
            notes=(
                "The authors' code shuffles the other way round and has no bias in fc: its weights do not "
                "fit. Here the shuffle is the paper's.",
                SHIFTS,
            ),
            no_gradient=("stage*.bn2.bias",),
        )
    )(partial(ShuffleNetV1, groups, width))


@register(
    ShuffleCard(
        name="shufflenet_v1_g3_cifar",
        title="ShuffleNet, g = 3, for small images",
        image_size=(32, 32),
        classes=10,
        parameters=913_762,
        multiply_adds=42_000_768,
        summary="ShuffleNet behind a 1x1 stem without a pool.",
        notes=("Not in the paper; the form of https://github.com/kuangliu/pytorch-cifar.", SHIFTS),
        no_gradient=("stage*.bn2.bias",),
    )
)
def shufflenet_v1_g3_cifar(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> ShuffleNetV1:
    """The units of ShuffleNet 1x, g = 3; at 32x32 the stages work at 16x16, 8x8 and 4x4."""
    return ShuffleNetV1(
        3, 240, classes=classes, in_channels=in_channels, image_size=image_size, small_images=True
    )
