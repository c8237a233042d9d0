"""fastai as its own book teaches it (fastbook, chapter 13, "Convolutional Neural Networks"), on Fashion-MNIST.

Its network of five convolutions of stride 2 with batch norm, batches of 512, `Learner.fit_one_cycle` with the rate 0.06;
the one cycle is as long as --epochs says. Prints a JSON line after every epoch.

fastai imports torchvision, whose compiled operators need the very torch they were built for; fastai uses none of them
here, so that two that its Python files ask for are declared before.
"""

import argparse
import gzip
import json
import time
from pathlib import Path

import numpy as np
import torch

OPERATORS = torch.library.Library("torchvision", "FRAGMENT")
for operator in ("nms", "qnms"):
    if not hasattr(torch.ops.torchvision, operator):
        OPERATORS.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

from fastai.callback import schedule  # noqa: E402, F401 - gives Learner fit_one_cycle
from fastai.callback.core import Callback, CancelFitException  # noqa: E402
from fastai.data.block import CategoryBlock, DataBlock  # noqa: E402
from fastai.data.transforms import IndexSplitter  # noqa: E402
from fastai.learner import Learner, Recorder  # noqa: E402, F401 - Recorder belongs to a Learner's callbacks
from fastai.metrics import accuracy  # noqa: E402
from fastai.torch_core import set_seed  # noqa: E402
from fastai.vision.core import PILImageBW  # noqa: E402
from fastai.vision.data import ImageBlock  # noqa: E402
from torch import nn  # noqa: E402

FOLDER = Path("/usr/share/datasets/fashion-mnist")


def read(name: str):
    pixels = gzip.open(FOLDER / f"{name}-images-idx3-ubyte.gz").read()[16:]
    labels = gzip.open(FOLDER / f"{name}-labels-idx1-ubyte.gz").read()[8:]
    return np.frombuffer(pixels, np.uint8).reshape(-1, 28, 28), np.frombuffer(labels, np.uint8)


def conv(inputs: int, outputs: int, size: int = 3, act: bool = True) -> nn.Sequential:
    layers = [nn.Conv2d(inputs, outputs, stride=2, kernel_size=size, padding=size // 2)]
    if act:
        layers += [nn.ReLU(), nn.BatchNorm2d(outputs)]
    return nn.Sequential(*layers)


def simple_cnn() -> nn.Sequential:
    return nn.Sequential(
        conv(1, 8, 5),  # 14
        conv(8, 16),  # 7
        conv(16, 32),  # 4
        conv(32, 64),  # 2
        conv(64, 10, act=False),  # 1
        nn.Flatten(),
    )


class Tell(Callback):
    order = 90  # after the Recorder

    def __init__(self, began: float, target: float) -> None:
        self.began, self.target = began, target

    def after_epoch(self) -> None:
        reached = float(self.learn.recorder.values[-1][-1])
        line = {"epoch": self.epoch + 1, "seconds": time.time() - self.began, "accuracy": reached}
        print("\n" + json.dumps(line), flush=True)
        if reached >= self.target:
            raise CancelFitException


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--began", type=float, required=True)
    parser.add_argument("--target", type=float, default=0.91)
    options = parser.parse_args()
    set_seed(options.seed, reproducible=True)
    (train, train_labels), (test, test_labels) = read("train"), read("t10k")
    images, labels = np.concatenate([train, test]), np.concatenate([train_labels, test_labels])
    block = DataBlock(
        blocks=(ImageBlock(cls=PILImageBW), CategoryBlock),
        get_x=lambda index: images[index],
        get_y=lambda index: int(labels[index]),
        splitter=IndexSplitter(range(len(train), len(images))),
    )
    loaders = block.dataloaders(list(range(len(images))), bs=512)
    learner = Learner(loaders, simple_cnn(), loss_func=nn.functional.cross_entropy, metrics=accuracy)
    with learner.no_bar():
        learner.fit_one_cycle(options.epochs, 0.06, cbs=Tell(options.began, options.target))


main()
