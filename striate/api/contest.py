"""A process of a race: ``python -m striate.api.contest REQUEST.json``, started by ``racing``.

It says on stdout, a line of JSON at a time, who is at work, and leaves its answer beside the request.
"""

from __future__ import annotations

import json
import os
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO


def main(path: Path) -> None:
    request = json.loads(path.read_text())
    threads = str(request["threads"])
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # read when NumPy is loaded
        os.environ[name] = threads
    said = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is not our answer
    answer = _alone(request) if "alone" in request else _heats(request, said)
    (path.parent / "answer.json").write_text(json.dumps(answer))


def _alone(request: dict[str, Any]) -> dict[str, Any]:
    """One contestant, one image: how soon it answers, and what memory it takes."""
    from striate.race import CONTESTANTS, installed_bytes, peak_memory

    who = CONTESTANTS[request["alone"]]
    before = _import_only(who.package)
    answer = who.prepare(_entry(request, min(request["batches"])))
    answer()
    loaded = time.time() - request["began"]
    for _ in range(3):
        answer()
    peak = peak_memory()
    return {
        "name": who.name,
        "installed_bytes": installed_bytes(who.package),
        "load_seconds": loaded,
        "peak_bytes": peak,
        "own_bytes": peak - before,
    }


def _import_only(package: str) -> int:
    from striate.race import peak_memory

    import_module("striate.engine" if package == "striate" else package)
    return peak_memory()


def _heats(request: dict[str, Any], said: TextIO) -> dict[str, Any]:
    """Every batch size in turn."""
    from striate.engine.table import measured_peak
    from striate.engine.target import host
    from striate.errors import UnsupportedError
    from striate.machine import describe
    from striate.race import CONTESTANTS

    try:
        peak = measured_peak(host())
    except UnsupportedError:  # a processor that our kernels do not know
        peak = 0.0
    heats = [_heat(request, batch, peak, said) for batch in request["batches"]]
    versions = {name: CONTESTANTS[name].version for name in request["engines"]}
    return {"heats": heats, "peak": peak, "machine": describe(), "versions": versions}


def _heat(request: dict[str, Any], batch: int, peak: float, said: TextIO) -> dict[str, Any]:
    import numpy as np

    from striate.race import ALLOWED, CONTESTANTS, alternate, errors, standings

    entry, answers, refused = _entry(request, batch), {}, {}
    what = f"{request['threads']} thread{'s' * (request['threads'] > 1)}, batch {batch}"
    total = len(request["engines"])
    for done, name in enumerate(request["engines"]):
        _say(said, {"at_work": name, "what": f"{what}: loading", "done": done, "total": total})
        try:
            answer = CONTESTANTS[name].prepare(entry)
            answer()
        except Exception as error:  # a library may raise anything; the others go on
            refused[name] = (
                f"{type(error).__name__}: {str(error).splitlines()[0][:200]}" if str(error) else "?"
            )
        else:
            answers[name] = answer
    _say(said, {"what": f"{what}: loading", "done": total, "total": total})

    def told(done: int, total: int) -> None:
        _say(said, {"what": what, "done": done, "total": total})

    def begins(name: str) -> None:  # if the process dies now, it was this one
        _say(said, {"at_work": name})

    given = {}
    for name, answer in answers.items():
        begins(name)
        given[name] = answer()
    found = errors(given, np.load(Path(request["folder"]) / f"expected-{batch}.npy"))
    times = alternate(answers, request["rounds"], seconds=request["seconds"], told=told, begins=begins)
    _say(said, {"at_work": None})
    heat = standings(
        times,
        found,
        allowed=ALLOWED,
        batch=batch,
        threads=request["threads"],
        multiply_adds=request["multiply_adds"],
        peak=peak,
        absent=refused,
    )
    return heat.to_json()


def _say(said: TextIO, what: dict[str, Any]) -> None:
    said.write(json.dumps(what) + "\n")


def _entry(request: dict[str, Any], batch: int) -> Any:
    import numpy as np

    from striate.api.race_entry import builder
    from striate.race import Entry

    folder = Path(request["folder"])
    return Entry(
        images=np.load(folder / f"images-{batch}.npy"),
        network=Path(request["network"]),
        onnx=folder / f"batch-{batch}.onnx",
        module=builder(request["model"], request["sizes"], folder) if request["module"] else None,
        threads=request["threads"],
        tune=request.get("tune", False),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
