"""JPEG folder to training batches, images a second: striate beside a DataLoader as torchvision's scripts have it.

    pillow, 0 workers / 2 workers    ImageFolder's way: open, RandomResizedCrop(224), flip, ToTensor, Normalize,
                                     as torchvision does them with Pillow; shuffled, batches of 64
    striate, epoch 1                 all that striate train does before and in it: files looked at, decoded into an
                                     empty cache, near duplicates looked for, and the same variations
    striate, epoch 2                 the next pass

The pictures are JPEGs of quality 90, 500 x 375 (as ImageNet's) unless --width says otherwise, cut at random from
photographs of scikit-image and scikit-learn; they lie in the page cache for all. One pass each, in turn; ratios are medians over the rounds.

    python bench/loading.py [--rounds 3] [--images 1500] [--width 500]      prints JSON; alone on the machine
"""

import argparse
import io
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SIDE, BATCH, CLASSES = 224, 64, 10
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def draw(root: Path, images: int, size: tuple[int, int]) -> None:
    """root/{train,val}/<class>/*.jpg; val holds 2 of each class."""
    import numpy as np
    import skimage.data
    import sklearn.datasets
    from PIL import Image

    random = np.random.default_rng(0)
    arrays = [skimage.data.chelsea(), skimage.data.coffee(), skimage.data.rocket()]
    arrays += [sklearn.datasets.load_sample_image(f"{name}.jpg") for name in ("china", "flower")]
    pictures = [Image.fromarray(array).convert("RGB") for array in arrays]
    for number in range(images + 2 * CLASSES):
        picture = pictures[int(random.integers(len(pictures)))]
        width = random.uniform(0.5, 1) * min(picture.width, picture.height * 4 / 3)
        left, top = (
            random.uniform(0, picture.width - width),
            random.uniform(0, picture.height - width * 3 / 4),
        )
        file = io.BytesIO()
        part = picture.resize(size, Image.Resampling.BICUBIC, (left, top, left + width, top + width * 3 / 4))
        if size[0] > 800:  # enlarged: without the grain of a camera it would be too smooth
            grain = random.integers(-6, 7, (size[1], size[0], 1))
            part = Image.fromarray((np.asarray(part, np.int16) + grain).clip(0, 255).astype(np.uint8))
        part.save(file, "JPEG", quality=90)
        folder = root / ("train" if number < images else "val") / f"c{number % CLASSES}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:05d}.jpg").write_bytes(file.getvalue())


class Pictures:
    """torchvision's ImageFolder with its usual training transforms, written out with Pillow and torch."""

    def __init__(self, root: Path) -> None:
        self.files = sorted(root.glob("*/*.jpg"))
        self.classes = sorted({file.parent.name for file in self.files})

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index):
        import numpy as np
        import torch
        from PIL import Image

        with self.files[index].open("rb") as file:
            picture = Image.open(file).convert("RGB")
        top, left, height, width = self._part(picture.width, picture.height)
        picture = picture.crop((left, top, left + width, top + height))
        picture = picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        if torch.rand(1) < 0.5:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        values = torch.from_numpy(np.array(picture, np.uint8, copy=True)).permute(2, 0, 1).contiguous()
        values = values.to(torch.float32).div(255)
        mean, std = (torch.tensor(each).view(-1, 1, 1) for each in (MEAN, STD))
        return values.clone().sub_(mean).div_(std), self.classes.index(self.files[index].parent.name)

    @staticmethod
    def _part(width: int, height: int):
        """RandomResizedCrop.get_params with scale (0.08, 1) and ratio (3/4, 4/3)."""
        import torch

        ratio = torch.log(torch.tensor((3 / 4, 4 / 3)))
        for _ in range(10):
            area = height * width * torch.empty(1).uniform_(0.08, 1.0).item()
            aspect = torch.exp(torch.empty(1).uniform_(ratio[0], ratio[1])).item()
            w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if 0 < w <= width and 0 < h <= height:
                top = torch.randint(0, height - h + 1, size=(1,)).item()
                return top, torch.randint(0, width - w + 1, size=(1,)).item(), h, w
        side = min(width, height)
        return (height - side) // 2, (width - side) // 2, side, side


def contestant(kind: str, root: Path) -> None:
    """Make a pass over the training images for each line on stdin, and answer with (seconds, images)."""
    if kind.startswith("pillow"):
        from torch.utils.data import DataLoader

        workers = int(kind.rpartition(" ")[2])
        loader = DataLoader(Pictures(root / "train"), BATCH, shuffle=True, num_workers=workers)
        for _ in sys.stdin:
            answer(loader)
        return
    from dataclasses import replace

    from striate.data.augment import Augmentation
    from striate.data.batches import Batches
    from striate.data.catalogue import open_dataset
    from striate.training.machine import keep_freed_memory

    how = Augmentation(flip=True, scale_crop=(0.08, 1.0))
    keep_freed_memory()  # as striate train does
    batches, epoch = None, 0
    for line in sys.stdin:
        began, epoch = time.perf_counter(), epoch + 1
        if line.strip() == "first":
            # Always a new one: what a disk does to forget the old one would fall into the pass.
            os.environ["STRIATE_CACHE"] = str(root / f"cache-{os.getpid()}-{epoch}")
            data = open_dataset(root, image_size=(SIDE, SIDE))
            how_prepared = replace(data.preprocessing, mean=MEAN, std=STD)
            batches = Batches(data.train, how_prepared, BATCH, shuffle=True, augmentation=how)
        answer(batches.epoch(epoch), began)


def answer(batches, began: float | None = None) -> None:
    began = began if began is not None else time.perf_counter()
    seen = sum(len(images) for images, _ in batches)
    print(json.dumps([time.perf_counter() - began, seen]), flush=True)


def measure(root: Path, rounds: int) -> dict:
    kinds = ("striate", "pillow 0", "pillow 2")
    processes = {
        kind: subprocess.Popen(
            [sys.executable, __file__, "--contestant", kind, "--root", root],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for kind in kinds
    }  # fmt: skip

    def turn(kind: str, word: str = "next") -> float:
        processes[kind].stdin.write(f"{word}\n")
        processes[kind].stdin.flush()
        seconds, images = json.loads(processes[kind].stdout.readline())
        return images / seconds

    rates = {name: [] for name in ("pillow 0", "pillow 2", "striate, epoch 1", "striate, epoch 2")}
    turn("striate", "first"), turn("pillow 0"), turn("pillow 2")  # imports, files into the page cache
    for _ in range(rounds):
        for kind in kinds[1:]:
            rates[kind].append(turn(kind))
        rates["striate, epoch 1"].append(turn("striate", "first"))
        rates["striate, epoch 2"].append(turn("striate"))
    for process in processes.values():
        process.stdin.close()
        process.wait()
    for cache in root.glob("cache-*"):
        shutil.rmtree(cache)
    ratios = {
        f"{own} to {rival}": [round(a / b, 2) for a, b in zip(rates[own], rates[rival], strict=True)]
        for own in list(rates)[2:]
        for rival in kinds[1:]
    }
    return {
        "images_per_second": {name: round(statistics.median(each)) for name, each in rates.items()},
        "ratio": {name: [statistics.median(each), min(each), max(each)] for name, each in ratios.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=1500)
    parser.add_argument("--width", type=int, default=500, help="of the pictures; they are 4:3")
    parser.add_argument("--root", type=Path, help="a folder for the pictures, kept for the next time")
    parser.add_argument("--contestant")
    options = parser.parse_args()
    if options.contestant:
        contestant(options.contestant, options.root)
        return
    with tempfile.TemporaryDirectory() as folder:
        root = options.root or Path(folder)
        if not (root / "val").exists():
            draw(root, options.images, (options.width, options.width * 3 // 4))
        sizes = [file.stat().st_size for file in root.glob("train/*/*.jpg")]
        found = measure(root, options.rounds)
    import PIL
    import torch

    from striate.machine import describe

    about = {"date": time.strftime("%Y-%m-%d"), "torch": torch.__version__, "pillow": PIL.__version__}
    about |= {"processor": describe()["processor"], "cores": os.cpu_count(), "rounds": options.rounds}
    print(
        json.dumps(
            about | {"images": len(sizes), "bytes": sum(sizes) // len(sizes), "width": options.width} | found,
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
