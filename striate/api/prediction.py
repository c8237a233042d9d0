"""``predict``, ``load``, ``compile``: a network on images, without PyTorch once it is a bundle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from striate.api.run import refuse_folds
from striate.errors import ArgumentError, BundleError, DataError, RunError, command
from striate.runs import RunFolder

if TYPE_CHECKING:
    from torch import nn

    from striate.engine import Network, Prediction
    from striate.errors import ImageError


def load(
    bundle: str | Path,
    *,
    threads: int | None = None,
    precision: str | None = None,
    exact: bool = False,
    input: str | Sequence[int] | None = None,
    tune: bool = False,
    mirror: bool | None = None,
) -> Network:
    """A network from a bundle or run folder or an ONNX file; torch is never imported.

    ``input``: "3x224x224" or (3, 224, 224), for an ONNX file that leaves its size open. ``tune``: measure
    every layer's kernels on this machine, once, and remember the fastest. ``precision``: "bf16" rounds
    weights of dense layers and factors of convolutions to bf16 where that is faster; None: as the bundle
    says.
    ``mirror``: whether an image is answered together with its mirror image, in two passes; None: as the
    run was measured. See ``striate.engine.load``.
    """
    from striate.engine import load as load_network

    if input is not None:
        from striate.api.subject import parse_input

        input = parse_input(input)
    path = bundle_of(Path(bundle))
    return load_network(
        path, threads=threads, precision=precision, exact=exact, input=input, tune=tune, mirror=mirror
    )


def predict(
    run: str | Path,
    images: Sequence[str | Path | bytes],
    *,
    weights: str | Path | None = None,
    top: int = 5,
    tune: bool = False,
    mirror: bool | None = None,
    precision: str | None = None,
    unreadable: Callable[[str, ImageError], object] | None = None,
) -> list[Prediction]:
    """What a run, a bundle or a network with weights sees in images: files, folders (sorted) or their bytes.

    With ``weights`` (see ``striate.create``), ``run`` is a network's name. ``tune``, ``mirror``,
    ``precision``: see ``load``. Raises DataError when there is no image, ImageError naming a file that cannot
    be decoded, unless ``unreadable`` is given: it is then told the file and the error, and the others are
    answered.
    """
    from striate.api.weights import recogniser
    from striate.data.folder import images_in

    network = (
        load(run, tune=tune, mirror=mirror, precision=precision)
        if weights is None
        else recogniser(str(run), weights, tune=tune, mirror=mirror, precision=precision)
    )
    sources: list[Path | bytes] = []
    for image in images:
        if isinstance(image, bytes):
            if not image:
                raise DataError("IMAGE must be an encoded image on stdin, got nothing: pipe a file into -.")
            sources.append(image)
        elif not str(image).strip():  # Path("") would be the folder that one stands in
            raise DataError("IMAGE must be a file or a folder, got nothing: name one.")
        elif Path(image).is_dir():
            found = images_in(Path(image))
            if not found:
                raise DataError(
                    f"IMAGE must be a folder with images, {image} has none: give files or another folder."
                )
            sources.extend(found)
        elif Path(image).exists():
            sources.append(Path(image))
        else:
            raise DataError(f"IMAGE must be an existing file or folder, got {image}: check the path.")
    if not sources:
        raise ArgumentError("IMAGE must name at least one file, folder or -, got none: give an image.")
    return network.predict(sources, top=top, unreadable=unreadable)


def compile(
    module: nn.Module,
    example: Any,
    *,
    threads: int | None = None,
    precision: str | None = None,
    exact: bool = False,
    tune: bool = False,
) -> Network:
    """A torch module as a Network that runs without torch: captured, its batch norms folded.

    ``example``: a tensor, or a shape (1, channels, rows, columns). ``threads``, ``precision``, ``exact``,
    ``tune``: see ``striate.load``. Raises UnsupportedError for an operation that has no word,
    naming the operation, the layer and the line.
    """
    from striate.bundle import Bundle
    from striate.capture import capture
    from striate.engine import Network

    graph, weights = capture(module, example)
    bundle = Bundle(graph=graph, weights=weights, labels=(), preprocessing={}, card={})
    return Network(bundle, threads=threads, precision=precision, exact=exact, tune=tune)


def bundle_of(folder: Path) -> Path:
    """The bundle that a path means: the folder itself, or the bundle inside a run."""
    if folder.suffix.lower() == ".onnx" or (folder / "graph.json").exists():
        return folder
    if not folder.exists():
        raise RunError(
            f"RUN_OR_BUNDLE must be a run or bundle folder, {folder} does not exist: look into runs/."
        )
    if (folder / "settings.json").exists():
        run = RunFolder.open(folder)
        if not (run.bundle / "graph.json").exists():
            refuse_folds(run, "RUN_OR_BUNDLE")
            raise RunError(
                f"{folder} has no bundle yet, its training has not finished: "
                f"continue it with {command('train', '--resume', folder)}."
            )
        return run.bundle
    raise BundleError(f"RUN_OR_BUNDLE must be a run or bundle folder, {folder} is neither: look into runs/.")
