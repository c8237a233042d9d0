"""What two of the engine's ways are worth: weights kept as bf16, and images that come as bytes.

    python bench/engine_options.py bf16       VGG-16 and AlexNet, one image: float32 and bf16 weights in turns
    python bench/engine_options.py bytes      MobileNetV2 and LeNet-5: bytes normalised by NumPy, or by the first step

Each line is put into bench/results/engine_options.json as soon as it is there; engine_options.md is written from it.
Random weights, random images, rounds as in a race. Ratios are taken within each round: median and quartiles.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from striate import create
from striate.bundle import Bundle
from striate.capture import capture
from striate.data.preprocess import Preprocessing
from striate.engine import Network
from striate.machine import describe
from striate.models import card
from striate.race.rounds import alternate
from striate.runs import write_atomically, write_json

RESULTS = Path(__file__).parent / "results"
MEASURED, TABLE = RESULTS / "engine_options.json", RESULTS / "engine_options.md"
MOST = 1000  # rounds
NETWORKS = {"bf16": ("vgg16", "alexnet"), "bytes": ("mobilenet_v2", "lenet5")}


def bundle_of(name: str) -> Bundle:
    torch.manual_seed(0)
    known = card(name)
    module = create(name).eval()
    graph, weights = capture(module, (1, known.channels, *known.image_size))
    mean, std = (0.485, 0.456, 0.406)[: known.channels], (0.229, 0.224, 0.225)[: known.channels]
    preprocessing = Preprocessing(known.image_size, known.channels, mean=mean, std=std)
    return Bundle(graph, weights, (), preprocessing.to_json(), {})


def answers_of(what: str, bundle: Bundle, threads: int) -> tuple[list[Callable[[], Any]], dict[str, Any]]:
    """The two to compare, and what else is told of them."""
    pixels = np.random.default_rng(0).integers(
        0, 256, (1, *bundle.preprocessing["image_size"], bundle.preprocessing["channels"]), np.uint8
    )
    if what == "bytes":
        network, how = Network(bundle, threads=threads), Preprocessing.from_json(bundle.preprocessing)
        same = np.array_equal(network(pixels), network(how.normalise(pixels)))
        return [lambda: network(how.normalise(pixels)), partial(network, pixels)], {"same bits": same}
    both = [Network(bundle, threads=threads, precision=precision) for precision in ("fp32", "bf16")]
    whole, rounded = (np.asarray(network(pixels), np.float64) for network in both)
    megabytes = [sum(line.weight_bytes for line in network.plan().lines) / 1e6 for network in both]
    difference = float(np.linalg.norm(rounded - whole) / np.linalg.norm(whole))
    return [partial(network, pixels) for network in both], {"difference": difference, "megabytes": megabytes}


def measure(what: str, name: str, threads: int, seconds: float) -> None:
    answers, told = answers_of(what, bundle_of(name), threads)
    taken = alternate({"before": answers[0], "after": answers[1]}, MOST, seconds=seconds)
    times = np.array([taken["before"], taken["after"]]).T
    ratios = np.quantile(times[:, 0] / times[:, 1], [0.5, 0.25, 0.75]).tolist()
    record = json.loads(MEASURED.read_text()) if MEASURED.exists() else {}
    record[f"{what} {name} {threads}"] = told | {
        "milliseconds": (1e3 * np.median(times, axis=0)).tolist(),
        "ratio": ratios,
        "rounds": len(times),
        "machine": describe(),
        "date": datetime.now(UTC).date().isoformat(),
    }
    write_json(MEASURED, dict(sorted(record.items())))
    print(what, name, threads, ratios, told, flush=True)


def rows(record: dict[str, Any], what: str) -> list[str]:
    found = []
    for key, one in record.items():
        kind, name, threads = key.split()
        if kind == what:
            before, after = (f"{ms:.3g}" for ms in one["milliseconds"])
            ratio, low, high = one["ratio"]
            last = "yes" if one.get("same bits") else "no"
            if what == "bf16":
                last = f"{one['difference']:.1e} | {one['megabytes'][0]:.0f} to {one['megabytes'][1]:.0f}"
            cells = [
                name,
                threads,
                one["rounds"],
                before,
                after,
                f"{ratio:.2f} ({low:.2f} to {high:.2f})",
                last,
            ]
            found.append("| " + " | ".join(map(str, cells)) + " |")
    return found


def table(record: dict[str, Any]) -> str:
    machine = next(iter(record.values()))["machine"]
    dates = sorted({one["date"] for one in record.values()})
    lines = [
        "# What two ways of the engine are worth",
        "",
        "One image; two ways in turns in one process; the ratio is taken within each of the n rounds: median and quartiles.",
        f"`python bench/engine_options.py`, {' to '.join(dict.fromkeys(dates[:1] + dates[-1:]))}; {machine['processor']}, "
        f"{machine['cores']} cores, {machine['memory_gib']} GiB. Random weights.",
        "",
        "## Weights of dense layers kept as bf16",
        "",
        "The difference is that of the outputs, relative (L2); megabytes are those of all packed weights.",
        "",
        "| network | threads | n | float32, ms | bf16, ms | ratio | difference | weights, MB |",
        "|---|---|---|---|---|---|---|---|",
        *rows(record, "bf16"),
        "",
        "## Images of bytes",
        "",
        "uint8 (1, H, W, C), normalised by NumPy and then laid out, or by the network's first step.",
        "",
        "| network | threads | n | by NumPy, ms | by the first step, ms | ratio | same bits |",
        "|---|---|---|---|---|---|---|",
        *rows(record, "bytes"),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="*", choices=[*NETWORKS, []], help="default: both")
    parser.add_argument("--networks", nargs="+")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seconds", type=float, default=8.0, help="of each line")
    options = parser.parse_args()
    for what in options.what or NETWORKS:
        for name in options.networks or NETWORKS[what]:
            for threads in options.threads:
                measure(what, name, threads, options.seconds)
    write_atomically(TABLE, table(json.loads(MEASURED.read_text())))


if __name__ == "__main__":
    main()
