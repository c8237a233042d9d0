"""fastai as its own book teaches it (fastbook, chapter 13, "Convolutional Neural Networks"), on Fashion-MNIST.

Its network of five convolutions of stride 2 with batch norm, batches of 512, `Learner.fit_one_cycle` with the rate 0.06;
the one cycle is as long as --epochs says. Prints a JSON line after every epoch.
"""

import numpy as np
import torchvision_operators
from fashion import options, read, tell

torchvision_operators.declare()  # fastai imports torchvision

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
        tell(self.epoch + 1, self.began, reached)
        if reached >= self.target:
            raise CancelFitException


def main() -> None:
    asked = options(epochs=12).parse_args()
    set_seed(asked.seed, reproducible=True)
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
        learner.fit_one_cycle(asked.epochs, 0.06, cbs=Tell(asked.began, asked.target))


main()
