"""What the default recipe makes of all of Fashion-MNIST in 5 and in 15 minutes: accuracy on the test images.

`striate train fashion-mnist --budget 5m`, and no other option; the clock starts when the process is started and stops
when it ends, report and bundle included. The test images are looked at once, by the run itself, at its end.

    python bench/fashion_mnist.py [--budgets 5m,15m] [--seeds 1]      about 20 minutes, alone on the machine

Every finished run is kept in results/fashion_mnist.json, and the table is written anew from it: a bench that was
stopped goes on where it was.
"""

import argparse
import json
import time
from pathlib import Path

from trained import train, when_and_where

from striate.runs import write_atomically

RAW = Path(__file__).parent / "results" / "fashion_mnist.json"
AIMS = {"5m": 0.935, "15m": 0.94}


def trained(data: str, budget: str, seed: int) -> dict:
    seconds, result, chosen = train(data, ("--budget", budget), seed)
    return {
        "budget": budget,
        "seed": seed,
        "date": time.strftime("%Y-%m-%d"),
        "seconds": seconds,
        "accuracy": result["accuracy"],
        "images": result["images"],
        "epochs": result["epochs"],
        "network": chosen["model"]["name"],
    }


def publish(runs: dict, path: Path) -> None:
    write_atomically(path, json.dumps(runs, indent=1) + "\n")
    rows = [
        f"| {run['budget']} | {run['seed']} | {run['network']} | {run['epochs']} | {run['seconds']:.0f} "
        f"| {run['accuracy']:.2%} | {_aim(run)} |"
        for run in sorted(runs.values(), key=lambda run: (len(run["budget"]), run["budget"], run["seed"]))
    ]
    text = f"""# Accuracy of the default recipe on Fashion-MNIST

{when_and_where(runs)}. `bench/fashion_mnist.py`: `striate train fashion-mnist
--budget TIME`, no other option; all 60,000 training images (a few held out to calibrate), accuracy on the 10,000 test
images. Seconds from process start to its end, report and bundle included.

| budget | seed | network | epochs | seconds | test accuracy | aim |
|---|---|---|---|---|---|---|
{chr(10).join(rows)}
"""
    write_atomically(path.with_suffix(".md"), text)


def _aim(run: dict) -> str:
    aim = AIMS.get(run["budget"])
    return "" if aim is None else f"{aim:.1%}: {'reached' if run['accuracy'] >= aim else 'missed'}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--budgets", default="5m,15m")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--data", default="fashion-mnist", help="another set is for trying this out")
    parser.add_argument(
        "--raw", type=Path, default=RAW, help="where the runs are kept; the table lies beside it"
    )
    options = parser.parse_args()
    runs = json.loads(options.raw.read_text()) if options.raw.exists() else {}
    for seed in range(options.seeds):
        for budget in options.budgets.split(","):
            key = f"{budget} seed {seed}"
            if key not in runs:
                runs[key] = trained(options.data, budget, seed)
                print(runs[key], flush=True)
                publish(runs, options.raw)
    publish(runs, options.raw)


if __name__ == "__main__":
    main()
