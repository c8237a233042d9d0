"""Widths that hardware likes: channel counts rounded to a multiple."""

from __future__ import annotations


def make_divisible(channels: float, divisor: int = 8, least_share: float = 0.9) -> int:
    """The multiple of ``divisor`` nearest to ``channels``, at least ``divisor``.

    Never below ``least_share`` of what was asked: then it is the next multiple. From the reference code of
    MobileNet v2 (TensorFlow Slim), whose rule all later mobile networks took over.
    """
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < least_share * channels else rounded
