"""S-cells: feature detectors with shunting inhibition that learn without a gradient and without a teacher.

Fukushima 1980, "Neocognitron", Biological Cybernetics 36, 10.1007/BF00344251. All cells of a plane share
their weights, so that a plane looks for one feature everywhere:

    u_S = r * max(0, (1 + sum a u) / (1 + 2r/(1+r) * b v) - 1)        v = sqrt(sum c u^2)

a and b learn; c is fixed and falls with distance. Excitation over inhibition compares an input with the
feature by direction and not by strength: after much learning, u_S > 0 where the cosine between the two
(under the weights c) exceeds r/(1+r), and u_S = 1 where they agree.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from striate.layers.distance_window import distance_window
from striate.ops.word import integer

COLUMN = 5  # side, in cells, of an S-column, in which the strongest cell silences the others
DECAY = 0.9  # of c, for each cell of distance; the paper says only that c falls
FIRST_WEIGHT = 1e-3  # sum a u is at most this for u = 1 before learning: so little that what was learnt wins
TINY = 1e-12  # added under the root, which has no slope at 0


class SCells(nn.Module):
    """(N, in_planes, H, W) of values not below 0 to (N, planes, H', W'); windows lie as a convolution's.

    ``r`` says how exactly an input must fit a feature, and ``r_learning`` the same while learning, as in
    Fukushima and Tanigawa 1996, "Use of different thresholds in learning and recognition", Neurocomputing
    11; by default they are equal. ``q`` is how fast the cells learn. Gradients pass, though ``learn`` needs
    none. Captured as Power, Sum, Conv2d, SquareRoot, Multiply, Add, Subtract, Divide and ReLU.
    """

    window: Tensor

    def __init__(
        self,
        in_planes: int,
        planes: int,
        kernel_size: int,
        padding: int = 0,
        *,
        r: float,
        q: float,
        r_learning: float | None = None,
    ) -> None:
        super().__init__()
        in_planes, planes = integer("in_planes", in_planes), integer("planes", planes)
        size = integer("kernel_size", kernel_size)
        self.padding, self.r, self.q = padding, r, q
        self.r_learning = r if r_learning is None else r_learning
        window = distance_window(size, size, DECAY).view(1, 1, size, size)
        self.register_buffer("window", window / (window.sum() * in_planes))  # sum c = 1 over all planes
        self.a = nn.Parameter(FIRST_WEIGHT * torch.rand(planes, in_planes, size, size) * self.window)
        self.b = nn.Parameter(torch.zeros(planes, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        excitation = F.conv2d(x, self.a, padding=self.padding)
        squares = F.conv2d((x**2).sum(1, keepdim=True), self.window, padding=self.padding)
        return answer(excitation, torch.sqrt(squares + TINY), self.b, self.r)

    @torch.no_grad()
    def learn(self, x: Tensor) -> None:
        """Look at inputs (N, in_planes, H, W), one image after the other.

        For each image, each plane that has a representative learns what that cell sees: da = q c u and
        db = q/2 v.
        """
        planes, in_planes, size, _ = self.a.shape
        height, width = (side + 2 * self.padding - size + 1 for side in x.shape[2:])
        a, b = self.a.flatten(1).T.contiguous(), self.b.flatten()  # b shares its memory
        c = self.window.expand(1, in_planes, size, size).reshape(-1, 1)
        patches = F.unfold(x, size, padding=self.padding).transpose(1, 2)  # (N, positions, weights)
        for u, v in zip(patches, torch.sqrt(patches**2 @ c + TINY), strict=True):
            answers = answer(u @ a, v, b, self.r_learning)
            winners, positions = representatives(answers.T.view(planes, height, width))
            a[:, winners] += self.q * c * u[positions].T
            b[winners] += self.q / 2 * v[positions, 0]
        self.a.copy_(a.T.view(self.a.shape))

    def extra_repr(self) -> str:
        planes, in_planes, size, _ = self.a.shape
        return (
            f"{in_planes}, {planes}, kernel_size={size}, padding={self.padding}, r={self.r}, q={self.q}, "
            f"r_learning={self.r_learning}"
        )


def answer(excitation: Tensor, v: Tensor, b: Tensor, r: float) -> Tensor:
    """u_S. (1 + e) / (1 + h) - 1 is written (e - h) / (1 + h), which keeps the digits of a small answer."""
    inhibition = v * (2 * r / (1 + r)) * b
    return F.relu((excitation - inhibition) / (1 + inhibition)) * r


def representatives(answers: Tensor, column: int = COLUMN) -> tuple[Tensor, Tensor]:
    """Which cells of ``answers`` (planes, H, W) learn: their planes, and their positions, row * W + column.

    An S-column holds the cells of all planes in a square with ``column`` cells on a side (odd). There is one
    around each position, so that they overlap. The strongest cell of a column is a candidate, and of a
    plane's candidates the strongest represents it. A plane without a candidate has no representative.
    """
    strongest, plane = answers.max(0)
    margin = column // 2
    best = F.max_pool2d(strongest[None], column, 1, margin)  # in the column around each position
    least = -F.max_pool2d(-best, column, 1, margin)[0]  # of all columns that a position lies in
    candidate = (strongest == least) & (strongest > 0)
    planes = torch.arange(len(answers), device=answers.device)
    theirs = torch.where(candidate & (plane == planes[:, None, None]), strongest, 0)
    most, position = theirs.flatten(1).max(1)
    chosen = most > 0
    return planes[chosen], position[chosen]
