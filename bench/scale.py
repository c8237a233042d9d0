"""The inputs of docs/scale.md, measured: decoding, packed reading, checkpoints, gradients between processes.

python bench/scale.py       prints a table; run it alone on the machine
"""

import io
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import distributed as dist

from striate.data.preprocess import Preprocessing
from striate.training.checkpoint import Checkpoint, save

TIMES = 5
FLOATS = 25_557_032  # ResNet-50's parameters: one exchange of gradients


def median(work, times=TIMES):
    took = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return statistics.median(took)


def jpeg() -> bytes:
    """500 x 375 pixels, the usual size of ImageNet, smooth with some noise, quality 90."""
    random = np.random.default_rng(0)
    small = Image.fromarray(random.integers(0, 256, (24, 32, 3), dtype=np.uint8)).resize((500, 375), 3)
    noisy = np.asarray(small, np.int16) + random.integers(-8, 9, (375, 500, 3))
    file = io.BytesIO()
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(file, "jpeg", quality=90)
    return file.getvalue()


def exchange(rank: int, port: str) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "RANK": str(rank), "WORLD_SIZE": "2"}
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    dist.init_process_group("gloo")
    numbers = torch.ones(FLOATS)
    dist.all_reduce(numbers)
    seconds = median(lambda: dist.all_reduce(numbers))
    if rank == 0:
        print(f"gloo all-reduce of {FLOATS * 4e-6:.0f} MB, 2 processes: {FLOATS * 4e-6 / seconds:.0f} MB/s")


def main() -> None:
    torch.set_num_threads(1)
    content, how = jpeg(), Preprocessing((224, 224), 3)
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "picture.jpg"
        picture.write_bytes(content)
        seconds = median(lambda: [how.decode_one(picture, "picture") for _ in range(50)]) / 50
        print(f"decode and scale a JPEG of {len(content) / 1e3:.0f} kB: {1 / seconds:.0f} images/s and core")
        frames = Path(folder) / "frames.u8"
        frames.write_bytes(bytes(1000 * 256 * 256 * 3))
        mapped = np.memmap(frames, np.uint8, "r", shape=(1000, 256, 256, 3))
        rows = np.random.default_rng(0).permutation(1000)
        seconds = median(lambda: [np.ascontiguousarray(mapped[rows[k : k + 64]]) for k in range(0, 960, 64)])
        print(f"random rows of a mapped file in memory: {960 * 196_608e-6 / seconds:.0f} MB/s")
        tensors = {"model/w": torch.rand(FLOATS), "optimiser/m": torch.rand(FLOATS)}
        state = Checkpoint(1, 0, 1, {}, "", {}, tensors)
        seconds = median(lambda: save(Path(folder) / "checkpoints", state), 3)
        print(f"checkpoint of {FLOATS * 8e-6:.0f} MB, hashed and flushed: {FLOATS * 8e-6 / seconds:.0f} MB/s")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    processes = [subprocess.Popen([sys.executable, __file__, str(rank), port]) for rank in range(2)]
    for process in processes:
        process.wait()


if __name__ == "__main__":
    exchange(int(sys.argv[1]), sys.argv[2]) if len(sys.argv) > 2 else main()
