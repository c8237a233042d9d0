"""What MODEL may be on a command line or in a call, and how it becomes a graph of words.

A name of the catalogue, a run folder, a bundle folder, ``FILE.py:CLASS(args)``, an ONNX file, a folder with
tensors and config.json as timm publishes them, a torch module or a Graph.
"""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from striate.api.extras import require_train
from striate.errors import (
    ArgumentError,
    RunError,
    StriateError,
    UnknownNameError,
    command,
)
from striate.graph import Graph, Shape, Weights

if TYPE_CHECKING:
    from torch import nn

FILE_AND_CLASS = re.compile(r"(?P<file>.+\.py):(?P<name>\w+)(?P<arguments>\(.*\))?", re.DOTALL)


@dataclass(frozen=True)
class Subject:
    """A network to look at. ``trainable`` names its learned tensors (None: not known, all but statistics)."""

    title: str
    graph: Graph
    trainable: frozenset[str] | None
    weights: Weights | None = None
    """Its tensors, where they are known."""
    parameters: frozenset[str] | None = None
    """Names of all parameters that a module owns, also of those that no layer uses."""
    module: nn.Module | None = None
    """The torch module, where there is one: a run and a bundle are graphs only."""


def parse_input(size: str | Sequence[int] | None) -> tuple[int, ...] | None:
    """``"3x224x224"`` or (3, 224, 224): channels, then spatial sizes, without the batch.

    Raises ArgumentError for anything else.
    """
    if size is None:
        return None
    parts = size.lower().replace("×", "x").split("x") if isinstance(size, str) else list(size)
    try:
        sizes = tuple(int(part) for part in parts)
    except ValueError:
        sizes = ()
    if len(sizes) < 2 or min(sizes) < 1:
        raise ArgumentError(
            f"input must be channels x rows x columns, got {size!r}: write for example 3x224x224."
        )
    return sizes


def subject(model: Any, size: str | Sequence[int] | None = None) -> Subject:
    """The graph of whatever MODEL is; ``size`` is the input without the batch.

    Raises UnknownNameError (with the nearest names), RunError, BundleError, UnsupportedError, ArgumentError.
    """
    wanted = parse_input(size)
    if isinstance(model, Graph):
        return Subject("graph", _with_input(model, wanted), None)
    if not isinstance(model, (str, Path)):
        return _of_module(model, type(model).__name__, wanted)
    text = str(model)
    if Path(text).is_dir():
        return _of_folder(Path(text), wanted)
    if match := FILE_AND_CLASS.fullmatch(text):
        return _of_module(_load_class(match), match["name"], wanted)
    if Path(text).suffix.lower() == ".onnx":
        return _of_onnx(Path(text), wanted)
    if Path(text).suffix and Path(text).is_file():
        raise ArgumentError(_not_alone(Path(text)))
    return _of_name(text, wanted)


def module_of(model: Any) -> nn.Module | None:
    """The module itself, where MODEL is one or is ``FILE.py:CLASS(args)``; None for everything else."""
    if isinstance(model, (str, Path)):
        match = FILE_AND_CLASS.fullmatch(str(model))
        model = _load_class(match) if match else None
    if model is None or isinstance(model, Graph):
        return None
    require_train("running a module")
    from torch import nn

    return model if isinstance(model, nn.Module) else None


def _of_name(name: str, size: tuple[int, ...] | None) -> Subject:
    require_train(f"explaining {name}")
    from striate.models import card, create

    try:
        known = card(name)
    except UnknownNameError as error:
        looks_like_a_path = "/" in name or name.endswith((".py", ".json"))
        remedy = " A run or a bundle must be an existing folder." if looks_like_a_path else ""
        raise UnknownNameError(f"{error}{remedy}") from None
    sizes = (known.channels, *known.image_size) if size is None else size
    if len(sizes) != 3:
        raise ArgumentError(
            f"input must be channels x rows x columns, got {sizes}: write for example 3x224x224."
        )
    module = create(name, in_channels=sizes[0], image_size=(sizes[1], sizes[2]))
    return _of_module(module, name, sizes)


def _not_alone(file: Path) -> str:
    """What must be said beside a file that is no network by itself."""
    if file.suffix == ".py":
        try:
            tree = ast.parse(file.read_bytes())
        except (SyntaxError, ValueError) as error:
            return f"FILE must be a Python file, got {file}, which cannot be read ({error}): mend it."
        known = [node.name for node in tree.body if isinstance(node, ast.ClassDef)] or ["CLASS"]
        choice = f", or another of {', '.join(known[:-1])}" if len(known) > 1 else ""
        return f"MODEL must name a class, got the file {file} alone: write {file}:{known[-1]}{choice}."
    return (
        f"MODEL must be a name, a run, a bundle, FILE.onnx or FILE.py:CLASS, got {file}: for tensors "
        "give the folder that holds them and config.json, or the network's name and the file as --weights."
    )


def _of_onnx(file: Path, size: tuple[int, ...] | None) -> Subject:
    from striate.onnx import read_onnx

    graph, weights = read_onnx(file, size)
    for shape in graph.inputs.values():
        if any(isinstance(entry, str) for entry in shape[1:]):
            open_sizes = " x ".join(map(str, shape[1:]))
            raise ArgumentError(
                f"input must be given for {file}, which leaves its size open ({open_sizes}): add for example "
                "--input 3x224x224."
            )
    return Subject(str(file), graph, None, weights)


def is_published(folder: Path) -> bool:
    """Whether a folder holds tensors and config.json, as timm publishes networks."""
    tensors = (folder / name for name in ("model.safetensors", "pytorch_model.bin"))
    return (folder / "config.json").is_file() and any(file.is_file() for file in tensors)


def _of_published(folder: Path, size: tuple[int, ...] | None) -> Subject:
    """A network of the catalogue with the weights of a folder in timm's layout."""
    require_train(f"reading {folder}")
    from striate.models import card, create
    from striate.models.weights_source import network_of, weights_source

    name = network_of(folder)
    source = weights_source(name, folder)
    known = card(name)
    prepared = source.preprocessing
    own = (prepared.channels, *prepared.image_size) if prepared else (known.channels, *known.image_size)
    sizes = size or own
    if len(sizes) != 3:
        raise ArgumentError(
            f"input must be channels x rows x columns, got {sizes}: write for example 3x224x224."
        )
    module = create(
        name, weights=source, classes=source.count, in_channels=sizes[0], image_size=(sizes[1], sizes[2])
    )
    return _of_module(module, str(folder), sizes)


def _of_folder(folder: Path, size: tuple[int, ...] | None) -> Subject:
    from striate.bundle import read_bundle
    from striate.graph.store import graph_from_json
    from striate.runs import RunFolder, read_json

    if (folder / "graph.json").exists():
        bundle = read_bundle(folder)
        names = bundle.card.get("trainable")
        trainable = frozenset(names) if names is not None else None
        return Subject(str(folder), _with_input(bundle.graph, size), trainable, bundle.weights)
    if is_published(folder):
        return _of_published(folder, size)
    run = RunFolder.open(folder)
    if read_json(run.settings).get("folds") is not None:  # of networks that are alike the first tells all
        run = run.fold(1)
    if (run.bundle / "graph.json").exists():
        return _of_folder(run.bundle, size)
    if not run.network.exists():
        raise RunError(
            f"{folder} has no network.json yet, its training has not finished: "
            f"continue it with {command('train', '--resume', folder)}."
        )
    return Subject(str(folder), _with_input(graph_from_json(read_json(run.network)), size), None)


def _of_module(module: nn.Module, title: str, size: tuple[int, ...] | None) -> Subject:
    require_train(f"explaining {title}")
    from torch import nn

    from striate.capture import capture

    if not isinstance(module, nn.Module):
        raise ArgumentError(
            f"MODEL must be a torch.nn.Module, got {type(module).__name__}: give the network itself."
        )
    if size is None:
        raise ArgumentError(
            f"input must be given for {title}, a class has no size of its own: "
            "add for example --input 3x224x224."
        )
    graph, weights = capture(module, (1, *size))
    named = dict(module.named_parameters())
    trainable = frozenset(name for name, tensor in named.items() if tensor.requires_grad)
    return Subject(title, graph, trainable, weights, frozenset(named), module)


def _with_input(graph: Graph, size: tuple[int, ...] | None) -> Graph:
    """The same graph for another input size; its shapes are computed, so only the input changes."""
    if size is None:
        return graph
    if len(graph.inputs) != 1:
        raise ArgumentError(
            f"input must be left out for a network of {len(graph.inputs)} inputs, got {size}."
        )
    name, shape = next(iter(graph.inputs.items()))
    batch: Shape = shape[:1]
    return Graph({name: (*batch, *size)}, graph.nodes, graph.outputs)


def _load_class(match: re.Match[str]) -> Any:
    """Import the file and call the class. This executes the file, as the documentation says."""
    file, name = Path(match["file"]), match["name"]
    if not file.is_file():
        raise ArgumentError(f"FILE must be an existing Python file, got {file}: check the path.")
    positional, named = _arguments(match["arguments"] or "()")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise ArgumentError(f"FILE must be a Python file, got {file}: give a file that ends in .py.")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(file.resolve().parent))  # what the file imports from beside it
    try:
        spec.loader.exec_module(module)
        if not hasattr(module, name):
            raise ArgumentError(f"CLASS must stand in {file}, got {name!r}: check the spelling.")
        return getattr(module, name)(*positional, **named)
    except StriateError:
        raise
    except (Exception, SystemExit) as error:  # the user's own code may raise anything
        raise ArgumentError(
            f"{file}:{name} must build without an error, got {type(error).__name__}: {error}. "
            "Mend the file, or give other arguments."
        ) from error
    finally:
        sys.path.remove(str(file.resolve().parent))


def _arguments(text: str) -> tuple[list[Any], dict[str, Any]]:
    """``(10, width=0.5)`` as values; only literals are read, nothing is evaluated."""
    try:
        call = ast.parse(f"f{text}", mode="eval").body
        if not isinstance(call, ast.Call):
            raise ValueError("not a call")
        positional = [ast.literal_eval(value) for value in call.args]
        return positional, {str(entry.arg): ast.literal_eval(entry.value) for entry in call.keywords}
    except (SyntaxError, ValueError):
        raise ArgumentError(
            f"arguments must be literal values, got {text!r}: write for example (10, width=0.5)."
        ) from None
