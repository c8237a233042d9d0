"""Networks with one mistake each, as people write them: what the doctor's tests are made of."""

import torch
import torch.nn.functional as F
from torch import nn


class WrongDense(nn.Module):
    """LeNet-5 for 32x32, given 28x28: the commonest mistake there is."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 5)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = torch.flatten(x, 1)
        return self.fc2(F.relu(self.fc1(x)))


class NotFlattened(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.fc = nn.Linear(4 * 8 * 8, 10)

    def forward(self, x):
        return self.fc(self.conv(x))


class FixedView(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 5)
        self.fc = nn.Linear(400, 10)

    def forward(self, x):
        x = self.conv(x)
        x = x.view(-1, 400)
        return self.fc(x)


class InSequential(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, padding=1),  # 8 arrive
        )
        self.head = nn.Linear(32, 10)

    def forward(self, x):
        return self.head(self.features(x).mean((2, 3)))


class Block(nn.Module):
    def __init__(self, into, out, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(into, out, 3, stride, 1, bias=False)
        self.norm = nn.BatchNorm2d(out)

    def forward(self, x):
        return F.relu(self.norm(self.conv(x)))


class WrongBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = Block(3, 8)
        self.two = Block(16, 32, stride=2)

    def forward(self, x):
        return self.two(self.one(x))


class Depthwise(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3)
        self.deep = nn.Conv2d(8, 8, 3, groups=8)

    def forward(self, x):
        return self.deep(self.stem(x))


class Grouped(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3)
        self.conv = nn.Conv2d(8, 8, 3, groups=4)

    def forward(self, x):
        return self.conv(self.stem(x))


class ImpossibleGroups(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(6, 8, 3, groups=4)

    def forward(self, x):
        return self.conv(x)


class LargeKernel(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.MaxPool2d(16)
        self.conv = nn.Conv2d(3, 8, 5)

    def forward(self, x):
        return self.conv(self.down(x))


class LargePool(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=8)
        self.pool = nn.AvgPool2d(7)

    def forward(self, x):
        return self.pool(self.conv(x))


class ConcatSizes(nn.Module):
    def __init__(self):
        super().__init__()
        self.left = nn.Conv2d(3, 8, 1)
        self.right = nn.Conv2d(3, 8, 3)

    def forward(self, x):
        return torch.cat([self.left(x), self.right(x)], dim=1)


class AddChannels(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.body = nn.Sequential(nn.Conv2d(8, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 16, 3, 1, 1))

    def forward(self, x):
        x = self.stem(x)
        return self.body(x) + x


class AddSizes(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Conv2d(3, 3, 3, stride=2, padding=1)

    def forward(self, x):
        return x + self.body(x)


class OneValue(nn.Module):
    def __init__(self):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.norm = nn.BatchNorm2d(3)

    def forward(self, x):
        return self.norm(self.pool(x))


class WrongNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3)
        self.norm = nn.BatchNorm2d(32)

    def forward(self, x):
        return self.norm(self.conv(x))


class NormRank(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3)
        self.norm = nn.BatchNorm1d(16)

    def forward(self, x):
        return self.norm(self.conv(x))


class FlattenTooEarly(nn.Module):
    def __init__(self):
        super().__init__()
        self.flat = nn.Flatten()
        self.conv = nn.Conv2d(3, 16, 3)

    def forward(self, x):
        return self.conv(self.flat(x))


class Fits(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(8, 10)

    def forward(self, x):
        return self.head(self.drop(F.relu(self.norm(self.conv(x)))).mean((2, 3)))


class Raises(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)

    def forward(self, x):
        x = self.conv(x)
        raise KeyError("a bug of the user's own")
