"""What the rivals' examples share here: the images as their files have them, the options, the line after an epoch."""

import argparse
import gzip
import json
import time
from pathlib import Path

import numpy as np

FOLDER = Path("/usr/share/datasets/fashion-mnist")


def read(name: str) -> tuple[np.ndarray, np.ndarray]:
    """``name``: train or t10k. uint8 (N, 28, 28), and labels."""
    pixels = gzip.open(FOLDER / f"{name}-images-idx3-ubyte.gz").read()[16:]
    labels = gzip.open(FOLDER / f"{name}-labels-idx1-ubyte.gz").read()[8:]
    return np.frombuffer(pixels, np.uint8).reshape(-1, 28, 28), np.frombuffer(labels, np.uint8)


def options(epochs: int) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--began", type=float, required=True, help="time.time() when the process was started")
    parser.add_argument("--target", type=float, default=0.91)
    return parser


def tell(epoch: int, began: float, accuracy: float) -> None:
    """Seconds since the process began, and test accuracy, as a line of JSON."""
    line = {"epoch": epoch, "seconds": time.time() - began, "accuracy": float(accuracy)}
    print(f"\n{json.dumps(line)}", flush=True)
