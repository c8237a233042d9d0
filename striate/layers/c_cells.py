"""C-cells: each gathers the S-cells of one plane around its place, so that where a feature lies matters less.

Fukushima 1980, "Neocognitron", Biological Cybernetics 36, 10.1007/BF00344251:

    u_C = psi((1 + sum d u_S) / (1 + v_S) - 1)        v_S = the mean of sum d u_S over the planes
    psi(x) = max(0, x) / (alpha + max(0, x))

d is fixed and falls with distance. v_S is lateral inhibition: a plane is heard where it answers more than
the planes do on average.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from striate.layers.distance_window import distance_window
from striate.ops.word import integer, per_axis

ALPHA = 0.5  # the paper's
DECAY = 0.8  # of d, for each cell of distance; the paper says only that d falls


class CCells(nn.Module):
    """(N, planes, H, W) to (N, planes, H', W') of values from 0 to below 1; windows lie as a convolution's.

    Nothing here learns. Captured as a grouped Conv2d, Mean, Subtract, Add, Divide and ReLU.
    """

    window: Tensor

    def __init__(
        self, planes: int, kernel_size: int | tuple[int, int], stride: int = 1, padding: int = 0
    ) -> None:
        super().__init__()
        planes = integer("planes", planes)
        height, width = per_axis("kernel_size", kernel_size, 2)
        self.stride, self.padding = stride, padding
        self.register_buffer("window", distance_window(height, width, DECAY).repeat(planes, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        gathered = F.conv2d(x, self.window, None, self.stride, self.padding, groups=len(self.window))
        inhibition = gathered.mean(1, keepdim=True)
        heard = F.relu((gathered - inhibition) / (1 + inhibition))  # written as in S-cells
        return heard / (heard + ALPHA)

    def extra_repr(self) -> str:
        planes, _, height, width = self.window.shape
        return f"{planes}, kernel_size=({height}, {width}), stride={self.stride}, padding={self.padding}"
