"""A convolution in which a table says which input maps each output map sees."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import torch
from torch import Tensor, nn

from striate.errors import ArgumentError
from striate.ops.word import integer


class TableConv2d(nn.Module):
    """(N, in_channels, H, W) to (N, len(table), H', W'); output map k sees the input maps ``table[k]``.

    Layer C3 of LeNet-5 (LeCun et al. 1998, table I). There is no weight for a connection that is not there:
    rows of equal length that follow each other are one grouped convolution over the maps they name, so the
    trainable parameters are sum(len(row)) * kernel_size^2 + len(table).

    Captured as one Slice for each input map, and, for each run of rows, Concat and a grouped Conv2d (a
    row that is all maps in order needs no Concat); then Concat.

    Raises ArgumentError for an empty table or row, an input map that does not exist or is named twice in
    one row.
    """

    def __init__(self, in_channels: int, table: Sequence[Sequence[int]], kernel_size: int) -> None:
        super().__init__()
        self.in_channels = integer("in_channels", in_channels)
        self.table = tuple(self._row(row) for row in table)
        if not self.table:
            raise ArgumentError("table must have a row for each output map, got none: add a row.")
        runs = [list(rows) for _, rows in groupby(self.table, key=len)]
        self.sources = [[channel for row in rows for channel in row] for rows in runs]
        self.convs = nn.ModuleList(
            nn.Conv2d(len(sources), len(rows), kernel_size, groups=len(rows))
            for sources, rows in zip(self.sources, runs, strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        maps = [x[:, channel : channel + 1] for channel in range(self.in_channels)]
        everything = list(range(self.in_channels))
        outputs = [
            conv(x if sources == everything else torch.cat([maps[channel] for channel in sources], dim=1))
            for sources, conv in zip(self.sources, self.convs, strict=True)
        ]
        return torch.cat(outputs, dim=1)

    def _row(self, row: Sequence[int]) -> tuple[int, ...]:
        channels = tuple(integer("table", channel, 0) for channel in row)
        if not channels or len(set(channels)) < len(channels) or max(channels) >= self.in_channels:
            raise ArgumentError(
                f"table must name, in each row, different input maps from 0 to {self.in_channels - 1}, "
                f"got {channels}: correct the row."
            )
        return channels
