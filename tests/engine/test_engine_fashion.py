"""Real images: the engine's answer is PyTorch's wherever PyTorch itself is sure."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import striate
from striate.data.named import read_named
from striate.models import create

IMAGES, CLOSE = 1000, 1e-4


@pytest.mark.parametrize("name", ["lenet5", "striate_tiny", "striate_small"])
def test_the_same_class_for_a_thousand_images(name: str) -> None:
    """Top-1 equal on 1,000 images of Fashion-MNIST wherever the two best logits differ by over 1e-4."""
    images, _ = read_named("fashion-mini")["train"]
    x = torch.from_numpy(images[:IMAGES].reshape(-1, 1, 28, 28).astype(np.float32) / 255 - 0.5)
    torch.manual_seed(0)
    module = create(name, image_size=28, in_channels=1, classes=10).eval()
    for part in module.modules():
        if isinstance(part, torch.nn.BatchNorm2d):  # else every norm would be the identity
            part.running_mean.normal_(0, 0.1)
            part.running_var.uniform_(0.5, 1.5)
    for parameter in list(module.parameters())[-2:]:  # a head that begins at zero would say nothing
        torch.nn.init.normal_(parameter, std=0.5)
    net = striate.compile(module, (1, 1, 28, 28), threads=2)
    with torch.inference_mode():
        expected = module(x).numpy()
    best = np.sort(expected, 1)
    sure = best[:, -1] - best[:, -2] > CLOSE
    assert len(x) == IMAGES and sure.mean() > 0.95
    np.testing.assert_array_equal(net(x.numpy()).argmax(1)[sure], expected.argmax(1)[sure])
    assert len(set(expected.argmax(1)[sure])) > 1  # not one answer for all
