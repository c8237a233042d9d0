"""Run the long tier, room by room, and write down what came of it.

    python bench/long_tier.py [ROOM ...]        ROOM: a folder of tests/, such as models; none: all of them
    python bench/long_tier.py models/test_every_model_computes        one file of a room that takes long
    python bench/long_tier.py --again models                          what failed last, after it was mended

Each room that has tests marked ``long`` gets one row of bench/results/long_tier.md, which replaces the row that it
had: a run of some rooms, or of one after another on several days, leaves the others' rows as they are. So does a
run of one file; the room's row and those of its files replace each other. A run of what failed last adds to the row
and says how many tests it were. The exit code is 1 if a test failed.
`make test-all` runs the normal tier first.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

from striate.runs import write_atomically
from striate.training.machine import describe

ROOT = Path(__file__).parent.parent
RESULT = ROOT / "bench" / "results" / "long_tier.md"
NOTHING_COLLECTED = 5  # pytest's exit code
HEADER = """# The long tier

Tests marked `long`, run by hand: one row for each room of tests/. Made by `python bench/long_tier.py [ROOM ...]`;
`make test-all` runs the normal tier first. Minutes are those of the clock, whatever else the machine did.

| room | date | passed | failed | skipped | minutes | processes | machine |
|---|---|---|---|---|---|---|---|
"""


def machine() -> str:
    about = describe()
    versions = f"Python {about['python']}, torch {about['torch']}"
    return f"{about['processor']}, {about['cores']} cores, {about['memory_gib']} GiB; {versions}"


def run(room: str, processes: int, *, again: bool) -> tuple[dict[str, int], float] | None:
    """How many tests of the room ended how, and the minutes it took; None if it has no long test."""
    environment = os.environ | {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            f"tests/{room}.py" if "/" in room else f"tests/{room}",
            "-m",
            "long and not apt and not gpu",
        ]
        command += [f"--junitxml={report}"]
        command += ["--last-failed", "--last-failed-no-failures", "none"] if again else []
        command += ["-n", str(processes), "--dist", "worksteal"] if processes > 1 else []
        start = time.monotonic()
        code = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
        minutes = (time.monotonic() - start) / 60
        if code == NOTHING_COLLECTED:
            return None
        if code not in (0, 1):
            raise SystemExit(f"{room}: pytest ended with {code}; no row is written")
        suite = ElementTree.parse(report).getroot().find("testsuite").attrib
    bad, skipped = int(suite["failures"]) + int(suite["errors"]), int(suite["skipped"])
    return {"passed": int(suite["tests"]) - bad - skipped, "failed": bad, "skipped": skipped}, minutes


def rows() -> dict[str, str]:
    """The rows that are there, by room."""
    text = RESULT.read_text(encoding="utf-8") if RESULT.exists() else ""
    return {found[1]: found[0] for found in re.finditer(r"^\| ([\w/]+) \| \d{4}-.*$", text, re.MULTILINE)}


def _overlaps(name: str, room: str) -> bool:
    """Whether one is the other or a file of it."""
    return name == room or name.startswith(f"{room}/") or room.startswith(f"{name}/")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rooms", nargs="*", metavar="ROOM")
    parser.add_argument(
        "--again", action="store_true", help="only tests that failed last, added to the room's row"
    )
    parser.add_argument("-n", type=int, default=2, metavar="PROCESSES", help="default 2")
    asked = parser.parse_args()
    known = sorted(path.name for path in (ROOT / "tests").iterdir() if any(path.glob("test_*.py")))
    files = {f"{path.parent.name}/{path.stem}" for path in (ROOT / "tests").glob("*/test_*.py")}
    if unknown := set(asked.rooms) - set(known) - files:
        parser.error(f"{', '.join(sorted(unknown))}: no such folder of tests; choose from {', '.join(known)}")
    if asked.again and (absent := [room for room in asked.rooms or known if room not in rows()]):
        parser.error(f"--again adds to rows that are there: {', '.join(absent)} has none")
    failed = False
    for room in asked.rooms or known:
        if (ended := run(room, asked.n, again=asked.again)) is None:
            continue
        counts, minutes = ended
        failed |= counts["failed"] > 0
        bad = str(counts["failed"])
        if asked.again:
            before = re.split(r" *\| *", rows()[room])
            minutes += float(before[6])
            bad += f" ({sum(counts.values())} run again)"
            counts["passed"] += int(before[3])
            counts["skipped"] += int(before[5])
        cells = [room, f"{datetime.now(UTC):%Y-%m-%d}", str(counts["passed"]), bad, str(counts["skipped"])]
        cells += [f"{minutes:.1f}"]
        row = f"| {' | '.join([*cells, str(asked.n), machine()])} |"
        table = {name: there for name, there in rows().items() if not _overlaps(name, room)} | {room: row}
        write_atomically(RESULT, HEADER + "".join(f"{table[name]}\n" for name in sorted(table)))
    sys.exit(failed)


if __name__ == "__main__":
    main()
