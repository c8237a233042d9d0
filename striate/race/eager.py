"""PyTorch as it is, in the layout that its CPU kernels like best, with memory kept between calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from striate.race.contestant import Answer, Entry, array

if TYPE_CHECKING:
    from torch import Tensor, nn


def prepare(entry: Entry) -> Answer:
    import torch

    module, images = channels_last(entry)

    def answer() -> NDArray[np.float32]:
        with torch.inference_mode():
            return array(module(images))

    return answer


def channels_last(entry: Entry) -> tuple[nn.Module, Tensor]:
    """The module and the images with channels innermost, on ``entry.threads`` threads."""
    import torch

    from striate.training.machine import keep_freed_memory

    keep_freed_memory()
    torch.set_num_threads(entry.threads)
    if entry.module is None:
        raise TypeError("the contestant was not asked whether it can take part")
    module, images = entry.module().eval(), torch.from_numpy(entry.images)
    if images.ndim == 4:
        module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        images = images.contiguous(memory_format=torch.channels_last)
    return module, images
