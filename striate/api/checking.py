"""``check``: a data set or a network examined before a training finds out the slow way."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from striate.api.stages import Listener, stage

if TYPE_CHECKING:
    from striate.data.findings import DataReport
    from striate.doctor import NetworkReport


def check(
    subject: Any, input: str | Sequence[int] | None = None, *, listeners: Sequence[Listener] = ()
) -> DataReport | NetworkReport:
    """Examine DATA (a folder of images, a named set) or MODEL (whatever ``striate.explain`` takes).

    ``input``: for a network, channels x rows x columns. The answer has ``ok``, ``text()`` and ``to_json()``.
    """
    if is_data(subject):
        from striate.data.check import check_dataset

        return check_dataset(subject, on_progress=stage(listeners, "examining images"))
    from striate.api.subject import subject as find
    from striate.doctor import examine

    found = find(subject, input)
    return examine(found.title, found.graph)


def is_data(subject: Any) -> bool:
    """Whether a path or name means images: a named set, or a folder that is neither a run nor a bundle."""
    from striate.data.named import NAMED

    if not isinstance(subject, (str, Path)):
        return False
    folder = Path(subject)
    is_network = (folder / "graph.json").exists() or (folder / "settings.json").exists()
    return str(subject) in NAMED or (folder.is_dir() and not is_network)
