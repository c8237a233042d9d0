"""Build striate/data/fashion_mini/ from Debian's dataset-fashion-mnist: the embedded set.

    apt-get install dataset-fashion-mnist
    python tools/make_fashion_mini.py [FOLDER]

Of each class the first 1,000 training and the first 200 test images, in their original order. The same
input gives the same bytes. No two of the 70,000 images are equal, so nothing has to be sorted out.
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from striate.data.idx import write_idx
from striate.data.named import CLASSES, EMBEDDED, read_named
from striate.runs import write_atomically

PER_CLASS = {"test": 200, "train": 1_000}
PREFIX = {"test": "t10k", "train": "train"}
LICENSE = """\
The MIT License (MIT)

Copyright (c) 2017 Zalando SE, https://tech.zalando.com

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""


def build(folder: Path) -> None:
    """Write the four files of the subset and the licence of the images into ``folder``."""
    full = read_named("fashion-mnist")
    for split, count in PER_CLASS.items():
        images, labels = full[split]
        rows = first_of_each_class(labels, count)
        for kind, array in (("images-idx3", images[rows, :, :, 0]), ("labels-idx1", labels[rows])):
            content = gzip.compress(write_idx(array.astype(np.uint8)), compresslevel=9, mtime=0)
            write_atomically(folder / f"{PREFIX[split]}-{kind}-ubyte.gz", content)
    write_atomically(folder / "LICENSE", LICENSE)


def first_of_each_class(labels: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The rows of the first ``count`` images of each class, in their original order."""
    return np.sort(np.concatenate([np.flatnonzero(labels == label)[:count] for label in range(len(CLASSES))]))


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else EMBEDDED
    build(target)
    print(f"{target}: {sum(file.stat().st_size for file in target.iterdir()):,} bytes")
