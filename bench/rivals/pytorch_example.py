"""The loop that PyTorch's own example teaches (pytorch/examples, mnist/main.py), on Fashion-MNIST.

Its network (two 3x3 convolutions of 32 and 64, dropout, two linear layers), its DataLoader with one image at a
time through a transform, batch 64, Adadelta with lr 1.0 and StepLR 0.7. torchvision's dataset class, which is
not needed for anything but reading files, is replaced by the few lines below. `--optimiser adam` is the variant
that most tutorials use. Prints a JSON line after every epoch: seconds since the process began, test accuracy.
"""

import numpy as np
import torch
import torch.nn.functional as F
from fashion import options, read, tell
from torch import nn
from torch.utils.data import DataLoader, Dataset


class FashionMNIST(Dataset):
    def __init__(self, train: bool) -> None:
        self.images, labels = read("train" if train else "t10k")
        self.labels = labels.astype(np.int64)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int):
        image = torch.from_numpy(self.images[index].copy()).unsqueeze(0).float().div(255)
        return (image - 0.1307) / 0.3081, int(self.labels[index])


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3, 1)
        self.conv2 = nn.Conv2d(32, 64, 3, 1)
        self.dropout1 = nn.Dropout(0.25)
        self.dropout2 = nn.Dropout(0.5)
        self.fc1 = nn.Linear(9216, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = self.dropout1(F.max_pool2d(x, 2))
        x = F.relu(self.fc1(torch.flatten(x, 1)))
        return F.log_softmax(self.fc2(self.dropout2(x)), dim=1)


def accuracy(model: nn.Module, loader: DataLoader) -> float:
    model.eval()
    right = 0
    with torch.no_grad():
        for data, target in loader:
            right += int((model(data).argmax(dim=1) == target).sum())
    return right / len(loader.dataset)


def main() -> None:
    parser = options(epochs=14)
    parser.add_argument("--optimiser", choices=("adadelta", "adam"), default="adadelta")
    asked = parser.parse_args()
    torch.manual_seed(asked.seed)
    train = DataLoader(FashionMNIST(True), batch_size=64, shuffle=True)
    test = DataLoader(FashionMNIST(False), batch_size=1000)
    model = Net()
    if asked.optimiser == "adam":
        optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
        gamma = 1.0
    else:
        optimiser = torch.optim.Adadelta(model.parameters(), lr=1.0)
        gamma = 0.7
    scheduler = torch.optim.lr_scheduler.StepLR(optimiser, step_size=1, gamma=gamma)
    for epoch in range(1, asked.epochs + 1):
        model.train()
        for data, target in train:
            optimiser.zero_grad()
            F.nll_loss(model(data), target).backward()
            optimiser.step()
        scheduler.step()
        reached = accuracy(model, test)
        tell(epoch, asked.began, reached)
        if reached >= asked.target:
            return


main()
