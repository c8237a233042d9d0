"""Batch normalisation by the statistics of the whole batch, however many processes share it.

The statistics that each process has of its own part are combined by the formula of Chan, Golub and LeVeque
1979 (pairwise variances); that the sums of the backward pass must be added up too is in Peng et al. 2017,
"MegDet", arXiv:1711.07240. torch's SyncBatchNorm does the same on GPUs and refuses CPUs; there it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn.modules.batchnorm import _BatchNorm

from striate.training.settings import TrainSettings
from striate.training.team import Team

FEW_TO_NORMALISE = 32  # below, the statistics of a part of a batch are a poor guess at those of all images
_PLAIN = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_Context = Any  # torch gives the context of a function no public type


def count_absent(absent: bool) -> None:
    """Say whether this process has no part of the batch that follows."""
    _Synced.absent = absent


@contextmanager
def synchronised(module: nn.Module, team: Team, device: str, wanted: bool) -> Iterator[None]:
    """Inside, if ``wanted``, batch normalisation sees the batches of all processes in training.

    Only torch's own kinds: what others make of theirs is not known.
    """
    parts = module.modules() if wanted and team.size > 1 else ()
    plain = [part for part in parts if type(part) in _PLAIN]
    before = [type(part) for part in plain]
    for part in plain:
        part.__class__ = nn.SyncBatchNorm if device == "cuda" else _Synced
        part.process_group = None if device != "cuda" else dist.group.WORLD  # type: ignore[assignment]
    try:
        yield
    finally:
        for part, kind in zip(plain, before, strict=True):
            part.__class__ = kind
            del part.process_group


def warn_of_small_parts(
    module: nn.Module, team: Team, settings: TrainSettings, warn: Callable[[str], None]
) -> None:
    """Say so where each process normalises by few images of its own."""
    part = settings.batch_size // team.size
    normalised = any(isinstance(layer, _BatchNorm) for layer in module.modules())
    if team.size > 1 and part < FEW_TO_NORMALISE and normalised and not settings.sync_bn:
        warn(
            f"Batch normalisation sees the {part} images of its own process in each step: sync_bn makes "
            f"it see all {settings.batch_size}, as a single process does."
        )


class _Synced(_BatchNorm):
    """In training, (N, C, ...) normalised by the mean and variance of all processes' images.

    A process without a part of the batch has one image for the shape; ``absent``: it does not count.
    """

    absent = False

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"expected at least 2 axes, got {input.dim()}")

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        normal, mean, variance, count = _Normalise.apply(  # type: ignore[no-untyped-call]
            input.float(), self.eps, _Synced.absent
        )
        self._remember(mean, variance * count / (count - 1).clamp(min=1))
        if self.affine:
            shape = _over_channels(input)
            normal = normal * self.weight.view(shape) + self.bias.view(shape)
        answer: Tensor = normal.to(input.dtype)
        return answer

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        """Take the statistics of the batch into the running ones, as batch norm does: unbiased."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        share = self.momentum if self.momentum is not None else 1 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), share)
        self.running_var.lerp_(variance.to(self.running_var.dtype), share)


class _Normalise(torch.autograd.Function):
    """(x - mean) / sqrt(variance + eps) over every axis but the channel's, in all processes together."""

    @staticmethod
    def forward(
        context: _Context, values: Tensor, eps: float, absent: bool
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        axes = [axis for axis in range(values.dim()) if axis != 1]
        channels = values.shape[1]
        own = torch.zeros(2 * channels + 1, dtype=torch.float64)
        if not absent:
            variance, mean = torch.var_mean(values, axes, correction=0)
            own[:channels], own[channels:-1], own[-1] = mean, variance, values.numel() / channels
        parts = [torch.empty_like(own) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, own)
        every = torch.stack(parts)
        counts = every[:, -1:]
        count = counts.sum()
        means, variances = every[:, :channels], every[:, channels:-1]
        mean = (counts * means).sum(0) / count
        variance = (counts * (variances + (means - mean) ** 2)).sum(0) / count
        shape = _over_channels(values)
        scale = (variance + eps).rsqrt().float().view(shape)
        normal = (values - mean.float().view(shape)) * scale
        context.save_for_backward(normal, scale, count)
        context.absent, context.axes = absent, axes
        context.mark_non_differentiable(mean, variance, count)
        return normal, mean, variance, count

    @staticmethod
    def backward(context: _Context, gradient: Tensor, *_: Tensor) -> tuple[Tensor, None, None]:
        normal, scale, count = context.saved_tensors
        sums = torch.stack([gradient.sum(context.axes), (gradient * normal).sum(context.axes)]).double()
        if context.absent:
            sums.zero_()
        dist.all_reduce(sums)
        mean, slope = (sums / count).float()
        shape = scale.shape
        if context.absent:  # its image is nobody's: no gradient passes through it
            return torch.zeros_like(gradient), None, None
        return (gradient - mean.view(shape) - normal * slope.view(shape)) * scale, None, None


def _over_channels(values: Tensor) -> tuple[int, ...]:
    """The shape in which one number a channel meets (N, C, ...)."""
    return (1, -1, *(1,) * (values.dim() - 2))
