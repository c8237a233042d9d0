"""Damaged files on the engine itself, with a limit on memory: does anything die, hang, or ask for too much?

    python bench/fuzz_memory.py [--onnx 3000] [--bundles 500] [--limit 4] [--first 100000]

Every file is loaded and run in a child process whose address space is limited (GiB), so that the system
need not kill it: what asks for too much gets a MemoryError. A child that dies or takes too long is noted with
the seed it was at, and another goes on after it. Writes bench/results/fuzz_memory.json.
"""

import argparse
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "bench" / "results" / "fuzz_memory.json"
sys.path[:0] = [str(ROOT / "tests" / "onnx"), str(ROOT / "tests" / "bundle")]
LONGEST = 3600  # seconds that a child may take: a hang ends there


def child(kind: str, first: int, last: int, limit: int) -> None:
    """Say what comes of every seed, a line each."""
    import numpy as np
    from mutation import damaged
    from test_bundle_fuzz import damage, write_sound

    import striate
    from striate.errors import StriateError
    from striate.race import peak_memory

    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_sound(folder / "sound")
        for seed in range(first, last):
            print(json.dumps({"seed": seed}), flush=True)
            if kind == "onnx":
                target = folder / "net.onnx"
                target.write_bytes(damaged(seed))
            else:
                target = folder / "bundle"
                shutil.rmtree(target, ignore_errors=True)
                shutil.copytree(folder / "sound", target)
                damage(random.Random(seed), target)
            try:
                network = striate.load(target, threads=1)
                shape = network._shape[1:]
                if any(isinstance(size, str) for size in shape):
                    outcome = "read, of open size"
                else:
                    network(np.ones((1, *shape), np.float32))
                    outcome = "run"
            except StriateError:
                outcome = "refused"
            except MemoryError:
                outcome = "more memory than the limit, said so"
            except Exception as error:
                outcome = f"FAILED {type(error).__name__}: {error} (seed {seed})"
            print(json.dumps({"outcome": outcome, "peak": peak_memory()}), flush=True)


def search(kind: str, first: int, last: int, limit: int) -> dict[str, object]:
    found: Counter[str] = Counter()
    peak, at = 0, first
    while at < last:
        words = [sys.executable, __file__, "--child", kind, str(at), str(last), str(limit)]
        process = subprocess.Popen(["timeout", str(LONGEST), *words], stdout=subprocess.PIPE, text=True)
        seed = at
        for line in process.stdout or ():
            said = json.loads(line)
            seed = said.get("seed", seed)
            if "outcome" in said:
                found[said["outcome"]] += 1
                peak = max(peak, said["peak"])
                at = seed + 1
        if process.wait() != 0 or at < last:
            found[f"FAILED: the process ended with {process.returncode} at seed {seed}"] += 1
            at = seed + 1
    return {"seeds": [first, last], "outcomes": dict(found.most_common()), "peak_mib": peak >> 20}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--onnx", type=int, default=3000)
    parser.add_argument("--bundles", type=int, default=500)
    parser.add_argument("--limit", type=float, default=4.0, help="GiB of address space")
    parser.add_argument("--first", type=int, default=100_000, help="the first seed")
    parser.add_argument("--child", nargs=4)
    asked = parser.parse_args()
    if asked.child:
        kind, first, last, limit = asked.child
        return child(kind, int(first), int(last), int(limit))
    limit = int(asked.limit * 2**30)
    answer: dict[str, object] = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "limit_gib": asked.limit}
    with tempfile.TemporaryDirectory() as cache:
        os.environ["STRIATE_CACHE"] = cache
        for kind, count in (("onnx", asked.onnx), ("bundles", asked.bundles)):
            answer[kind] = search(kind, asked.first, asked.first + count, limit)
            RESULT.write_text(json.dumps(answer, indent=1) + "\n")
            print(json.dumps(answer[kind], indent=1))


if __name__ == "__main__":
    main()
