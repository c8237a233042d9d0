"""What a contestant costs beside time: bytes on the disk, and memory at its highest."""

from __future__ import annotations

import re
import resource
import sys
from importlib import metadata, util
from pathlib import Path


def installed_bytes(package: str) -> int:
    """Size of a package and of all that it needs, extras left out, as they lie on this disk."""
    seen: dict[str, int] = {}
    waiting = [package]
    while waiting:
        name = _plain(waiting.pop())
        if name in seen:
            continue
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:  # for another system or Python
            continue
        seen[name] = _bytes(distribution)
        waiting += [need.split(";")[0] for need in distribution.requires or [] if "extra ==" not in need]
    return sum(seen.values())


def _plain(requirement: str) -> str:
    found = re.match(r"[\w.-]+", requirement.strip())
    return re.sub(r"[-_.]+", "-", found.group() if found else requirement).lower()


def _bytes(distribution: metadata.Distribution) -> int:
    """Its files; of a package that is run from its source, the folder of that name."""
    paths = [Path(str(distribution.locate_file(file))) for file in distribution.files or []]
    if not any(path.suffix == ".py" and "site-packages" in path.parts for path in paths):
        spec = util.find_spec(distribution.name.replace("-", "_"))
        folder = Path(spec.origin).parent if spec is not None and spec.origin else None
        paths = list(folder.rglob("*")) if folder is not None else paths
    return sum(path.stat().st_size for path in paths if path.is_file() and path.suffix != ".pyc")


def peak_memory() -> int:
    """Bytes that this process has held in memory at its highest."""
    try:  # getrusage would count what the parent held when it started us
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
