"""A torch module as a function of arrays, for what is measured in NumPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn


def answers_of(module: nn.Module) -> Callable[[np.ndarray], np.ndarray]:
    """From images (n, C, H, W), float32, to what ``module`` makes of them in evaluation mode, as an array.

    The module is left in the mode it was in; the images go to where its first tensor is.
    """
    tensor = next((tensor for tensor in module.state_dict().values()), torch.empty(0))

    def answers(images: np.ndarray) -> np.ndarray:
        modes = [(part, part.training) for part in module.modules()]
        module.eval()
        try:
            with torch.inference_mode():
                given = torch.from_numpy(images).to(tensor.device)
                return np.asarray(module(given).float().cpu().numpy())
        finally:
            for part, training in modes:
                part.training = training

    return answers
