"""The table of the engine: networks at 224 pixels, batch 1 and 16, one thread and two, beside every rival.

    python bench/engine_networks.py                      all that has not been measured yet, then the table
    python bench/engine_networks.py resnet18 --again     these networks, anew
    python bench/engine_networks.py --table              the table alone

Each network's numbers are put into bench/results/engine.json as soon as they are there, by the level of the
processor's vectors, so that the whole can be measured in pieces, each alone on the machine; engine.md is written
from that file.
"""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from striate.api import race
from striate.engine.target import host
from striate.runs import write_atomically, write_json

RESULTS = Path(__file__).parent / "results"
MEASURED, TABLE = RESULTS / "engine.json", RESULTS / "engine.md"
FLOORS = {  # median ratio to the fastest rival that is aimed at, batch 1 and 16
    "vgg16": (2.6, 2.8),
    "resnet18": (2.0, 2.0),
    "resnet34": (2.0, 2.0),
    "resnet50": (1.3, 1.3),
    "seresnet50": (1.3, 1.3),
    "googlenet": (1.5, 1.5),
    "alexnet": (1.2, 1.3),
    "mobilenet_v2": (1.3, 1.3),
    "mobilenet_v1": (1.3, 1.3),
    "shufflenet_v2_x1_0": (1.5, 1.4),
    "efficientnet_b0": (1.6, 1.5),
    "lenet5": (3.0, 2.0),
}


LEVELS = {"avx512": "AVX-512", "avx2": "AVX2", "sse": "SSE", "neon": "NEON"}
Record = dict[str, Any]  # of one level, by network, batch and threads


def measured() -> dict[str, Record]:
    """By level."""
    return json.loads(MEASURED.read_text()) if MEASURED.exists() else {}


def measure(name: str, batch: int, threads: int, options: argparse.Namespace) -> None:
    found = race(
        name,
        batch=[batch],
        threads=[threads],
        engines=options.engines.split(","),
        rounds=options.rounds,
        seconds=options.seconds,
        footprints=False,
    ).to_json()
    (heat,) = found.pop("heats")
    when = {"date": datetime.now(UTC).date().isoformat(), "peak": found["peak"]}
    every = measured()
    record = every.setdefault(host().name, {})
    record[f"{name} {batch} {threads}"] = (
        heat | when | {key: found[key] for key in ("machine", "versions", "left_out")}
    )
    write_json(MEASURED, {level: dict(sorted(every[level].items())) for level in LEVELS if level in every})
    print(f"{name} batch {batch} threads {threads}: {heat['ratio']} of {heat['best']}", flush=True)


def rows(record: Record) -> list[str]:
    found, peak = [], max(heat["peak"] for heat in record.values())
    for name, floors in FLOORS.items():
        for threads in (1, 2):
            for batch, floor in zip((1, 16), floors, strict=True):
                heat = record.get(f"{name} {batch} {threads}")
                if heat is not None:
                    found.append(row(name, batch, threads, floor, heat, peak))
    return found


def error(record: Record, ours: bool) -> float:
    """The largest of all places."""
    told = [one for heat in record.values() for one in heat["standings"]]
    return max((one["error"] for one in told if (one["name"] == "striate") == ours), default=0)


def row(name: str, batch: int, threads: int, floor: float, heat: dict[str, Any], peak: float) -> str:
    times = {one["name"]: one["milliseconds"] for one in heat["standings"]}
    shown = [f"{times[who]:.3g}" if who in times else "-" for who in ENGINES]
    ratio = "-"
    if heat["ratio"] is not None:
        low, high = heat["quartiles"]
        ratio = f"{heat['ratio']:.2f} ({low:.2f} to {high:.2f})"
        ratio = f"**{ratio}**" if heat["ratio"] >= floor else ratio
    ours = next((one for one in heat["standings"] if one["name"] == "striate"), None)
    # the best peak of all places: at some moments the machine gives less, to the loop that measures it too
    speed = f"{ours['gflops']:.0f} ({ours['gflops'] / (2e-9 * peak * threads):.0%})" if ours else "-"
    cells = [name, batch, threads, heat["rounds"], *shown, heat["best"] or "-", ratio, floor, speed]
    return "| " + " | ".join(map(str, cells)) + " |"


ENGINES = ("striate", "torch", "torch.compile", "onnxruntime", "openvino")


def page(every: dict[str, Record]) -> str:
    lines = [
        "# The engine beside its rivals",
        "",
        "Milliseconds an image, the median of n rounds in which every engine has its turn in one process; the",
        "ratio is the best rival's time over ours, taken within each round: median and quartiles. Bold: the aim is",
        "reached. GFLOP/s are those of the definition, so that Winograd may exceed the peak. Random weights. A rival",
        "that shows no time was not measured in that place.",
    ]
    for level, record in every.items():
        lines += ["", f"## {LEVELS[level]}", "", *table(record)]
    return "\n".join(lines) + "\n"


def table(record: Record) -> list[str]:
    dates = sorted({heat["date"] for heat in record.values()})
    machines = {heat["machine"]["processor"]: heat["machine"] for heat in record.values()}
    versions = {name: v for heat in record.values() for name, v in heat["versions"].items()}
    peak = max((heat["peak"] for heat in record.values()), default=0)
    ours = [heat["ratio"] for heat in record.values() if heat["ratio"] is not None]
    lost = sum(ratio < 1 for ratio in ours)
    heads = ["network", "batch", "threads", "n", *(f"{who}, ms" for who in ENGINES)]
    heads += ["best rival", "ratio (quartiles)", "aim", "GFLOP/s (of peak)"]
    return [
        *(
            f"- {name}: {m['cores']} cores, {m['memory_gib']} GiB, {m['system']}"
            for name, m in machines.items()
        ),
        f"- {', '.join(f'{name} {version}' for name, version in sorted(versions.items()))}",
        f"- relative L2 error against float64: ours {error(record, True):.1e} at most, rivals' {error(record, False):.1e}",
        f"- one core at its peak: {2 * peak / 1e9:.0f} GFLOP/s; measured {' to '.join(dict.fromkeys(dates[:1] + dates[-1:]))}",
        f"- {len(ours)} of {4 * len(FLOORS)} places measured; in {lost} of them we are slower than the best rival",
        "",
        "| " + " | ".join(heads) + " |",
        "|" + "---|" * len(heads),
        *(rows(record) if record else []),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("networks", nargs="*", help="default: all of the table")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=15.0, help="of one place in the table")
    parser.add_argument("--again", action="store_true", help="also what has been measured")
    parser.add_argument("--table", action="store_true", help="measure nothing")
    options = parser.parse_args()
    for name in () if options.table else options.networks or FLOORS:
        for threads in options.threads:
            for batch in options.batch:
                if options.again or f"{name} {batch} {threads}" not in measured().get(host().name, {}):
                    measure(name, batch, threads, options)
    write_atomically(TABLE, page(measured()))


if __name__ == "__main__":
    main()
