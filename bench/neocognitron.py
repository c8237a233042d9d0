"""How well does the neocognitron read digits, and what does shifting them cost it?

scikit-learn's 1,797 handwritten digits of 8x8 pixels are enlarged to 12x12 (bicubic) in the middle of 16x16.
For each seed 450 of them, drawn with it, are held out; the seed also draws the network's first weights. Beside
the network with its readout stand its cells alone (the class that most training images of the strongest cell of
C3 have) and a linear classifier of the same pixels (scikit-learn's logistic regression). The held-out digits are
then shifted up, down, left and right; the numbers are means over the four.

    .venv/bin/python bench/neocognitron.py

The table goes to bench/results/neocognitron.md.
"""

import statistics
import time
from datetime import UTC, datetime
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from torch import nn
from torch.nn import functional as F

import striate

RESULT = Path(__file__).parent / "results" / "neocognitron.md"
SEEDS = (1, 2, 3)  # the constants were chosen on seed 0
HELD_OUT = 450
SHIFTS = (0, 1, 2, 3)
WAYS = ((-1, 0), (1, 0), (0, -1), (0, 1))


def digits():
    pixels, labels = load_digits(return_X_y=True)
    images = torch.tensor(pixels / 16, dtype=torch.float32).view(-1, 1, 8, 8)
    enlarged = F.interpolate(images, size=(12, 12), mode="bicubic").clamp(0, 1)
    return F.pad(enlarged, (2, 2, 2, 2)), torch.tensor(labels)


def shifted(images, rows, columns):
    """Moved by whole pixels; what leaves the field is lost, what enters it is dark."""
    height, width = images.shape[2:]
    wide = F.pad(images, (3, 3, 3, 3))
    return wide[:, :, 3 - rows : 3 - rows + height, 3 - columns : 3 - columns + width]


def by_strongest_cell(network, images, labels):
    """A function from images to the class that the strongest cell of C3 stands for."""
    cells = nn.Sequential(*list(network)[:-1])
    winners = cells(images).argmax(1)
    votes = torch.zeros(network.readout.in_features, 10).index_add_(0, winners, F.one_hot(labels, 10).float())
    return lambda seen: votes.argmax(1)[cells(seen).argmax(1)]


@torch.no_grad()
def measure(seed):
    """{contestant: accuracy at each shift}, and the seconds of learning."""
    images, labels = digits()
    torch.manual_seed(seed)
    order = torch.randperm(len(images))
    held_out, known = order[:HELD_OUT], order[HELD_OUT:]
    network = striate.create("neocognitron").eval()
    began = time.perf_counter()
    network.learn(images[known], labels[known])
    seconds = time.perf_counter() - began
    linear = LogisticRegression(max_iter=1000).fit(images[known].flatten(1).numpy(), labels[known].numpy())
    contestants = {
        "neocognitron": lambda seen: network(seen).argmax(1),
        "its strongest cell": by_strongest_cell(network, images[known], labels[known]),
        "linear classifier": lambda seen: torch.from_numpy(linear.predict(seen.flatten(1).numpy())),
    }
    return {
        name: [
            statistics.mean(
                (guess(shifted(images[held_out], far * rows, far * columns)) == labels[held_out])
                .float()
                .mean()
                .item()
                for rows, columns in WAYS
            )
            for far in SHIFTS
        ]
        for name, guess in contestants.items()
    }, seconds


def main():
    torch.set_num_threads(1)
    runs = [measure(seed) for seed in SEEDS]
    lines = [
        "# Neocognitron: handwritten digits, and shifts of them",
        "",
        f"`bench/neocognitron.py`, {datetime.now(UTC):%Y-%m-%d}, striate {striate.__version__}, torch "
        f"{torch.__version__}, one thread. {HELD_OUT} held-out digits of 1,797; mean accuracy in percent over seeds "
        f"{', '.join(map(str, SEEDS))} (each in brackets). Learning took "
        f"{statistics.mean(seconds for _, seconds in runs):.1f} s.",
        "",
        "| shifted by | " + " | ".join(f"{far} px" for far in SHIFTS) + " |",
        "|---|" + "---|" * len(SHIFTS),
    ]
    for name in runs[0][0]:
        cells = []
        for at in range(len(SHIFTS)):
            found = [100 * run[name][at] for run, _ in runs]
            cells.append(f"{statistics.mean(found):.1f} ({', '.join(f'{value:.1f}' for value in found)})")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    text = "\n".join(lines) + "\n"
    print(text)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(text)


if __name__ == "__main__":
    main()
