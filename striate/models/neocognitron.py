"""Neocognitron: Fukushima, "Neocognitron: a self-organizing neural network model for a mechanism of pattern
recognition unaffected by shift in position", Biological Cybernetics 36, 1980.

    layer     planes   size at 16   window, step, margin   r     q     r while learning
    U0             1   16
    S1            24   16           5, 1, 2                4     1     6
    C1            24   10           5, 2, 4
    S2            60    8           5, 1, 1                1.5   16    4
    C2            60    6           5, 2, 4
    S3           300    2           5, 1, 0                1     16    16
    C3           300    1           the whole plane
    readout  classes                linear

Sizes, windows, q and r are the paper's, except for r of S3, there 1.5, and for the planes, there 24 in every
layer, for five patterns. For handwriting S2 and S3 have more, and all S-cells are stricter while they learn
than when they answer (Fukushima and Tanigawa 1996: see layers/s_cells): so the planes come to hold different
features, and still answer to what is merely similar. Steps and margins are the regular ones that give the
paper's sizes. The paper reads the answer off the cells of C3; the readout of them by classes is ours.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from striate.errors import ArgumentError
from striate.layers import CCells, SCells
from striate.models.card import Card
from striate.models.probe import output_shape
from striate.models.registry import register

AT_ONCE = 128  # images whose inputs to a layer are computed together; they are learnt one by one
RIDGE = 3e-4  # of the readout, for each image
SHARPNESS = 10.0  # from the readout's 0 to 1 to logits; probabilities are about right with it
PASSES = 2


class Neocognitron(nn.Sequential):
    """(N, in_channels, H, W) to (N, classes), for one ``image_size``. ``learn`` trains it."""

    u0: Photoreceptors
    readout: nn.Linear

    def __init__(self, *, classes: int, in_channels: int, image_size: tuple[int, int]) -> None:
        layers: OrderedDict[str, nn.Module] = OrderedDict(
            u0=Photoreceptors(),
            s1=SCells(1, 24, 5, 2, r=4, q=1, r_learning=6),
            c1=CCells(24, 5, 2, 4),
            s2=SCells(24, 60, 5, 1, r=1.5, q=16, r_learning=4),
            c2=CCells(60, 5, 2, 4),
            s3=SCells(60, 300, 5, 0, r=1, q=16, r_learning=16),
        )
        _, planes, height, width = output_shape(nn.Sequential(layers), (2, in_channels, *image_size))
        layers |= OrderedDict(
            c3=CCells(planes, (height, width)), flatten=nn.Flatten(), readout=nn.Linear(planes, classes)
        )
        super().__init__(layers)

    @torch.no_grad()
    def learn(
        self,
        images: Tensor,
        labels: Tensor,
        *,
        passes: int = PASSES,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Learn from images (N, in_channels, H, W) and labels (N,), without a gradient.

        S1, then S2, then S3 see all images ``passes`` times, in the given order and without labels. Then the
        readout is set to the ridge regression of the classes, 0 or 1, on the cells of C3, in closed form.
        ``on_progress`` hears how many looks of how many are done. Raises ArgumentError when the numbers of
        images and labels differ, or are 0.
        """
        if not len(images) == len(labels) > 0:
            raise ArgumentError(
                f"labels must be one for each image, at least one, got {len(labels)} for {len(images)} "
                "images: give as many of both."
            )
        self.u0.expect(images)
        layers, parts = list(self), torch.split(images, AT_ONCE)
        learning = [(at, layer) for at, layer in enumerate(layers) if isinstance(layer, SCells)]
        looks, total = 0, len(learning) * passes * len(images)
        for at, layer in learning:
            below = nn.Sequential(*layers[:at])
            for part in parts * passes:
                layer.learn(below(part))
                looks += len(part)
                if on_progress is not None:
                    on_progress(looks, total)
        all_cells = nn.Sequential(*layers[:-1])
        cells = torch.cat([all_cells(part) for part in parts])
        self._read_out(cells.double(), F.one_hot(labels, self.readout.out_features).double())

    def _read_out(self, cells: Tensor, targets: Tensor) -> None:
        """The linear map of least squares from cells (N, planes) to targets (N, classes)."""
        means, goals = cells.mean(0), targets.mean(0)
        centred = cells - means
        ridge = RIDGE * len(cells) * torch.eye(cells.shape[1], dtype=cells.dtype, device=cells.device)
        weight = torch.linalg.solve(centred.T @ centred + ridge, centred.T @ (targets - goals)).T
        self.readout.weight.copy_(SHARPNESS * weight)
        self.readout.bias.copy_(SHARPNESS * (goals - weight @ means))


class Photoreceptors(nn.Module):
    """(N, C, H, W) to (N, 1, H, W): the mean of the channels as light from 0, darkest, to 1.

    S-cells take no negative values, and images arrive normalised around 0: ``expect`` finds what is dark.
    """

    dark: Tensor
    bright: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("dark", torch.zeros(()))
        self.register_buffer("bright", torch.ones(()))

    def expect(self, images: Tensor) -> None:
        """From now on 0 is the darkest pixel of ``images`` and 1 the brightest."""
        light = images.mean(1)
        self.dark.copy_(light.min())
        self.bright.copy_(torch.maximum(light.max(), light.min() + 1e-6))  # for images of one shade

    def forward(self, x: Tensor) -> Tensor:
        light = x.mean(1, keepdim=True)
        return F.relu((light - self.dark) / (self.bright - self.dark))


@register(
    Card(
        name="neocognitron",
        title="Neocognitron",
        year=1980,
        authors="Kunihiko Fukushima",
        paper="Neocognitron: a self-organizing neural network model for a mechanism of pattern recognition "
        "unaffected by shift in position, Biological Cybernetics 36",
        doi_or_arxiv="10.1007/BF00344251",
        image_size=(16, 16),
        channels=1,
        classes=10,
        parameters=489_994,
        multiply_adds=4_383_900,
        epochs=PASSES,
        summary="The first convolutional network; learns by a rule of its own, without gradients.",
        notes=(
            "`striate train` trains it by its own rule; of the settings only epochs, seed and batch_size "
            "change what it learns. Give --image-size 16 for smaller images.",
            "Of scikit-learn's handwritten digits, enlarged to 12x12 on 16x16, it names 94.5 % of 450 "
            "held-out ones right (3 seeds: 94.0, 96.4, 93.1), a linear classifier of the same pixels 96.6 %.",
            "Shifted by 1, 2, 3 pixels: 92.6, 86.7, 72.0 %, the linear classifier 72.8, 25.0, 10.5 %.",
            "The readout is a ridge regression in closed form on the cells of C3. Without it, the strongest "
            "cell standing for the class that it met most often, 83.6 % are right.",
            "The paper has 24 planes in every layer, r = 1.5 in S3, and one r for learning and answering.",
            "How fast the fixed weights c and d fall with distance is ours; the paper leaves it open.",
        ),
        deliberate=(
            (
                "depthwise-without-pointwise",
                "The last complex cells blur each plane by itself; the readout mixes.",
            ),
        ),
    )
)
def neocognitron(*, classes: int, in_channels: int, image_size: tuple[int, int]) -> Neocognitron:
    """The paper's layers, with planes for handwriting."""
    return Neocognitron(classes=classes, in_channels=in_channels, image_size=image_size)
