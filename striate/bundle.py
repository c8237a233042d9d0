"""BUNDLE: a network ready to run, as a folder of plain files; written and read without torch, without pickle.

    graph.json            the words                model.safetensors     their tensors
    labels.json           the classes' names       preprocessing.json    from an image to the input
    card.json             where it comes from, and the SHA-256 of what must not change

labels.json may be edited by hand (to translate the names); a change of the others is refused, because it
would change the answers silently.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from striate.bundle_rules import check_bundle
from striate.errors import BundleError, StriateError
from striate.graph.graph import Graph, Weights
from striate.graph.store import graph_from_json, graph_to_json
from striate.runs import sync_folder

FORMAT = 1  # raised when a file of the folder changes its meaning
GRAPH, TENSORS, LABELS, PREPROCESSING, CARD = FILES = (
    "graph.json",
    "model.safetensors",
    "labels.json",
    "preprocessing.json",
    "card.json",
)
SEALED = (GRAPH, TENSORS, PREPROCESSING)


@dataclass(frozen=True, eq=False)
class Bundle:
    """A network and all it needs to answer.

    ``labels``: class names in the order of the outputs, or none where the outputs are no classes; two for a
    single output, which is the logit of the second against the first.
    ``preprocessing``: what ``Preprocessing.to_json`` gives, or {} where the input is no image.
    ``card``: free JSON: model, data, version. ``temperature``: what scores are divided by before they become
    probabilities, so that these are as often right as they say (arXiv:1706.04599); it changes no answer.
    ``mirror``: whether each answer is the mean of the logits of an image and of its mirror image (left and
    right exchanged), as the network was measured. It takes two passes.
    ``precision``: "fp32", or "bf16" where weights and maps may be rounded to that if it makes answers come
    faster (see ``striate.engine.Network``); the tensors here are what they are.
    ``identity``: of a bundle that was read, a hash of its graph and its tensors.
    """

    graph: Graph
    weights: Weights
    labels: tuple[str, ...]
    preprocessing: Mapping[str, Any]
    card: Mapping[str, Any]
    temperature: float = 1.0
    mirror: bool = False
    precision: str = "fp32"
    identity: str | None = None


def write_bundle(path: str | Path, bundle: Bundle) -> None:
    """Write the folder ``path`` in one step; a bundle that stood there is replaced, and kept if this fails.

    Raises BundleError when the bundle contradicts itself, when ``path`` holds other files, or when it
    cannot be written.
    """
    path = Path(path)
    check_bundle(bundle, "The bundle")
    files = _encode(bundle)
    try:
        others = sorted({child.name for child in path.iterdir()} - set(FILES)) if path.exists() else []
        if others:
            raise BundleError(
                f"{path} holds files that are no bundle's ({others[0]}): choose another folder."
            )
        _put_in_place(path, files)
    except OSError as error:
        raise BundleError(
            f"{path} cannot be written ({error.strerror or error}): free space, or choose another folder."
        ) from None


def read_bundle(path: str | Path, *, tensors_later: bool = False) -> Bundle:
    """The bundle in folder ``path``, checked. No code is executed, whatever the files hold.

    ``tensors_later``: tensors are hashed, but neither kept nor checked before somebody asks for them; then
    the file is read again, with its hash. Where an answer to this very bundle lies ready, nobody does.

    Raises BundleError in one sentence: a file is missing, damaged, changed, of another version, or
    contradicts the others.
    """
    path = Path(path)
    if not path.exists() and _aside(path).is_dir():
        path = _aside(path)  # whoever wrote last died between the two renames
    if not path.is_dir():
        raise BundleError(f"{path} is not a bundle: give the folder that holds {GRAPH}.")
    files = {name: _read(path, name) for name in FILES if name != TENSORS or not tensors_later}
    card = _parse(path, CARD, files[CARD], "card", dict)
    seals = _parse(path, CARD, files[CARD], "sha256", dict)
    for name in SEALED:
        found = hashlib.sha256(files[name]).hexdigest() if name in files else _hash(path, name)
        if seals.get(name) != found:
            raise BundleError(f"{path / name} has changed since it was written: export the network again.")
    weights = _Later(path, seals[TENSORS]) if tensors_later else _tensors(path, files[TENSORS])
    bundle = Bundle(
        graph=_graph(path, files[GRAPH]),
        weights=weights,
        labels=tuple(_parse(path, LABELS, files[LABELS], "labels", list)),
        preprocessing=_parse(path, PREPROCESSING, files[PREPROCESSING], "preprocessing", dict),
        card=card,
        temperature=json.loads(files[CARD]).get("temperature", 1.0),  # bundles of before have none
        mirror=json.loads(files[CARD]).get("mirror", False),
        precision=json.loads(files[CARD]).get("precision", "fp32"),
        identity=f"{seals[GRAPH]} {seals[TENSORS]}",
    )
    check_bundle(bundle, str(path), tensors=not tensors_later)
    return bundle


class _Later(Mapping[str, np.ndarray]):
    """Tensors of a bundle, read when somebody asks for one."""

    def __init__(self, path: Path, seal: str) -> None:
        self._path, self._seal = path, seal

    @cached_property
    def _found(self) -> dict[str, np.ndarray]:
        content = _read(self._path, TENSORS)
        if hashlib.sha256(content).hexdigest() != self._seal:
            raise BundleError(
                f"{self._path / TENSORS} has changed since it was read: load the network again."
            )
        return _tensors(self._path, content)

    def __getitem__(self, name: str) -> np.ndarray:
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


# --- files ------------------------------------------------------------------------------------------------


def _encode(bundle: Bundle) -> dict[str, bytes]:
    # safetensors writes the memory as it lies, so it must lie in the tensor's own order
    tensors = {name: np.asarray(bundle.weights[name], order="C") for name in bundle.graph.tensor_names()}
    files = {
        GRAPH: _json(graph_to_json(bundle.graph)),
        TENSORS: safetensors.numpy.save(tensors),
        LABELS: _json({"format": FORMAT, "labels": list(bundle.labels)}),
        PREPROCESSING: _json({"format": FORMAT, "preprocessing": dict(bundle.preprocessing)}),
    }
    seals = {name: hashlib.sha256(files[name]).hexdigest() for name in SEALED}
    record = {"format": FORMAT, "sha256": seals, "card": dict(bundle.card)}
    record |= {"temperature": bundle.temperature, "mirror": bundle.mirror, "precision": bundle.precision}
    return files | {CARD: _json(record)}


def _json(value: object) -> bytes:
    try:
        return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
    except (TypeError, ValueError) as error:
        raise BundleError(
            f"card and preprocessing must be plain JSON values ({error}): give numbers and strings."
        ) from None


def _aside(path: Path) -> Path:
    """Where the old bundle stands while the new one takes its place."""
    return path.with_name(f".{path.name}.old")


def _put_in_place(path: Path, files: Mapping[str, bytes]) -> None:
    new, old = path.with_name(f".{path.name}.{os.getpid()}.part"), _aside(path)
    try:
        new.mkdir(parents=True)
        for name, content in files.items():
            with (new / name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        sync_folder(new)
        if path.exists():
            shutil.rmtree(old, ignore_errors=True)
            path.rename(old)
        try:
            new.rename(path)
        except BaseException:
            if old.exists():
                old.rename(path)
            raise
        sync_folder(path.parent)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _read(path: Path, name: str) -> bytes:
    with _legible(path, name):
        return (path / name).read_bytes()


@contextmanager
def _legible(path: Path, name: str) -> Iterator[None]:
    """An OSError inside becomes a BundleError about that file."""
    try:
        yield
    except FileNotFoundError:
        raise BundleError(
            f"{path} is not a whole bundle, {name} is missing: export the network again."
        ) from None
    except OSError as error:
        raise BundleError(
            f"{path / name} cannot be read ({error.strerror}): check its permissions."
        ) from None


def _hash(path: Path, name: str) -> str:
    """SHA-256 of a file, of which no more than a piece is in memory at once."""
    with _legible(path, name), (path / name).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _parse(path: Path, name: str, content: bytes, key: str, kind: type) -> Any:
    """The value at ``key`` of a JSON file with a format number."""
    record = _load(path, name, content)
    version = record.get("format") if isinstance(record, dict) else None
    if version != FORMAT:
        raise BundleError(
            f"{path / name} must be of bundle format {FORMAT}, got {version!r:.40}: "
            "use the version of striate that wrote it, or export the network again."
        )
    if not isinstance(record.get(key), kind):
        raise BundleError(f"{path / name} must hold {key!r}, and does not: export the network again.")
    return record[key]


def _load(path: Path, name: str, content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path / name} is not JSON ({error}): export the network again.") from None


def _graph(path: Path, content: bytes) -> Graph:
    try:
        return graph_from_json(_load(path, GRAPH, content))
    except BundleError:
        raise
    except StriateError as error:
        raise BundleError(f"{path / GRAPH} cannot be used: {error}") from None


def _tensors(path: Path, content: bytes) -> dict[str, np.ndarray]:
    try:
        return safetensors.numpy.load(content)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:  # a dtype that NumPy lacks: KeyError
        raise BundleError(f"{path / TENSORS} cannot be read ({error}): export the network again.") from None
