"""Light and colour of a batch varied: each image by its own factors, all of them linear."""

from __future__ import annotations

import torch
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)  # how bright red, green and blue are seen: ITU-R BT.601, as in JPEG
_PIECE = 2**18  # values that are worked on at once: they stay in a core's cache


def grey_of(images: Tensor) -> Tensor:
    """Brightness (..., 1) of images (..., C)."""
    if images.shape[-1] == 1:
        return images
    return (images * images.new_tensor(LUMA)).sum(-1, keepdim=True)


def tinted(images: Tensor, saturation: Tensor, turn: Tensor) -> Tensor:
    """Float images (n, H, W, 3) with the distance from grey times ``saturation`` (n,), and hues turned.

    ``turn`` (n,) is in parts of the full circle: a rotation of the colour about the grey axis, in the plane
    that keeps the brightness (I and Q of YIQ), as a linear approximation of turning the hue of HSV.
    """
    if images.shape[-1] != 3:
        return images
    angle = turn * (2 * torch.pi)
    cos, sin = saturation * torch.cos(angle), saturation * torch.sin(angle)
    to_yiq = images.new_tensor([LUMA, (0.595716, -0.274453, -0.321263), (0.211456, -0.522591, 0.311135)])
    plane = torch.zeros(len(images), 3, 3, device=images.device)
    plane[:, 0, 0] = 1
    plane[:, 1, 1] = plane[:, 2, 2] = cos
    plane[:, 1, 2], plane[:, 2, 1] = -sin, sin
    matrix = torch.linalg.inv(to_yiq) @ plane @ to_yiq
    return torch.matmul(images.flatten(1, 2), matrix.transpose(1, 2)).view_as(images)


def mean_of(images: Tensor) -> Tensor:
    """The mean value (n,) of each image (n, H, W, C); of large ones every fourth row and column counts."""
    step = 4 if min(images.shape[1:3]) >= 64 else 1
    return images[:, ::step, ::step].float().mean(dim=(1, 2, 3))


def scaled(images: Tensor, scale: Tensor, offset: Tensor) -> Tensor:
    """``images * scale + offset`` as float (n, H, W, C); scale and offset are (C,) or (n, C).

    In pieces, and along whole rows: a factor that changes every third value is slow to apply. One factor for
    all needs no rows.
    """
    n, height, width, channels = images.shape
    rows = images.reshape(n, height, width * channels)
    factor, added = (
        one.expand(n, 1, 1) if one.shape == (1,) else one.expand(n, channels).repeat(1, width)[:, None]
        for one in (scale, offset)
    )
    values = torch.empty(rows.shape, dtype=torch.float32, device=images.device)
    step = max(1, _PIECE // rows[0].numel()) if images.device.type == "cpu" else n
    for start in range(0, n, step):
        part = slice(start, start + step)
        values[part].copy_(rows[part]).mul_(factor[part]).add_(added[part])
    return values.view(n, height, width, channels)
