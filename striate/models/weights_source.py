"""Where weights are: a file, a pip package, a folder as timm publishes them, or such a folder on a hub.

    "weights.safetensors", "weights.pth"     the file
    "pretrained"                             the package that striate[pretrained] installs
    "folder", "hf-hub:timm/resnet18.a1_in1k" config.json and model.safetensors; the second form downloads
                                             them through huggingface_hub (striate[hub]) once
    "runs/photos-1", "runs/photos-1/bundle"  what striate trained

All but a mere file also say how images were prepared, and what the classes are called.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from striate.bundle import GRAPH, TENSORS, read_bundle
from striate.data.imagenet import imagenet_classes
from striate.data.preprocess import Preprocessing
from striate.errors import ArgumentError, MissingExtraError, RunError
from striate.models.pretrained import KNOWN, PRETRAINED, Pretrained, pretrained
from striate.runs import read_json

HUB = "hf-hub:"
CONFIG = "config.json"
FILES = ("model.safetensors", "pytorch_model.bin")  # the first that is there

# Our names of networks that timm calls otherwise.
TIMM = {
    "efficientnet_v2_b0": "tf_efficientnetv2_b0",
    "efficientnet_v2_b1": "tf_efficientnetv2_b1",
    "efficientnet_v2_b2": "tf_efficientnetv2_b2",
    "efficientnet_v2_b3": "tf_efficientnetv2_b3",
    "efficientnet_v2_l": "efficientnetv2_l",
    "efficientnet_v2_m": "efficientnetv2_m",
    "efficientnet_v2_s": "efficientnetv2_s",
    "mnasnet0_5": "mnasnet_050",
    "mnasnet0_75": "mnasnet_075",
    "mnasnet1_0": "mnasnet_100",
    "mobilenet_v1": "mobilenetv1_100",
    "mobilenet_v2": "mobilenetv2_100",
    "mobilenet_v3_large": "mobilenetv3_large_100",
    "mobilenet_v3_small": "mobilenetv3_small_100",
}
CROPS = {"center": "shorter_side_center_crop", "squash": "stretch"}  # timm's crop_mode


@dataclass(frozen=True)
class WeightsSource:
    """A file of tensors and what is published beside it."""

    path: Path
    preprocessing: Preprocessing | None = None
    """How an image becomes the network's input."""
    classes: tuple[str, ...] | None = None
    """Names in the order of the scores."""
    count: int | None = None
    """How many classes there are."""
    told: bool = False
    """Whether it is said in which network the weights were learned."""


def weights_source(name: str, weights: str | PathLike[str] | WeightsSource) -> WeightsSource:
    """The weights for the network ``name``; a WeightsSource is returned as it is.

    Raises ArgumentError for a folder of another network or without its files, and for a hub that cannot be
    reached; MissingExtraError when a package is needed for it.
    """
    if isinstance(weights, WeightsSource):
        return weights
    if weights == PRETRAINED:
        return _published(pretrained(name))
    if not isinstance(weights, (str, PathLike)) or not (text := fspath(weights)):
        raise ArgumentError(
            f"weights must be a path, a repository ({HUB}timm/...) or {PRETRAINED!r}, got {weights!r}: "
            "give the file of tensors."
        )
    if text.startswith(HUB):
        return _of_folder(name, _download(text.removeprefix(HUB)), text)
    if (bundle := bundle_in(Path(text))) is not None:
        return _of_bundle(name, bundle, text)
    if Path(text).is_dir():
        return _of_folder(name, Path(text), text)
    if name in KNOWN and KNOWN[name].is_published(Path(text)):
        return _published(KNOWN[name])
    return WeightsSource(Path(text))


def network_of(folder: Path) -> str:
    """Our name of the network that the config.json in ``folder`` is for.

    Raises ArgumentError for a file that is not as timm writes it, or a network not in the catalogue.
    """
    from striate.models.registry import list_models

    try:
        config = read_json(folder / CONFIG)
    except RunError as error:
        raise ArgumentError(f"MODEL must have a readable {CONFIG}, got {folder}: {error}") from error
    about = config.get("pretrained_cfg") if isinstance(config, dict) else None
    inner = about.get("architecture") if isinstance(about, dict) else None
    name = config.get("architecture", inner) if isinstance(config, dict) else None
    ours = [known for known in list_models() if TIMM.get(known, known) == name]
    if not ours:
        raise ArgumentError(
            f"MODEL must hold a network of the catalogue, the {CONFIG} of {folder} says {name!r}: "
            "see striate models, or export it as ONNX."
        )
    return ours[0]


def _published(known: Pretrained) -> WeightsSource:
    return WeightsSource(known.path(), known.preprocessing, known.classes(), told=True)


def bundle_in(folder: Path) -> Path | None:
    """The bundle that a folder is, or, being a run, holds."""
    return next((place for place in (folder, folder / "bundle") if (place / GRAPH).is_file()), None)


def _of_bundle(name: str, folder: Path, asked: str) -> WeightsSource:
    bundle = read_bundle(folder)
    learned = bundle.card.get("model", {})
    if name not in (learned.get("name"), learned.get("form")):
        raise ArgumentError(
            f"weights must have been learned in {name}, got {asked}, which is a {learned.get('name')}: "
            "create that network."
        )
    preprocessing = Preprocessing.from_json(bundle.preprocessing) if bundle.preprocessing else None
    return WeightsSource(folder / TENSORS, preprocessing, bundle.labels, len(bundle.labels), told=True)


def _of_folder(name: str, folder: Path, asked: str) -> WeightsSource:
    path = next((folder / file for file in FILES if (folder / file).is_file()), None)
    if path is None or not (folder / CONFIG).is_file():
        raise ArgumentError(
            f"weights must be a folder with {CONFIG} and {FILES[0]}, got {asked}, which has not both: give "
            "the file of tensors itself."
        )
    try:
        config = read_json(folder / CONFIG)
    except RunError as error:
        raise ArgumentError(f"weights must have a readable {CONFIG}, got {asked}: {error}") from error
    try:
        return _read(name, config, path, asked)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, ArgumentError):
            raise
        raise ArgumentError(
            f"weights must have a {CONFIG} as timm writes it, got {asked}, whose entries cannot be read "
            f"({type(error).__name__}: {error}): give the file of tensors itself."
        ) from error


def _read(name: str, config: Mapping[str, Any], path: Path, asked: str) -> WeightsSource:
    about = {**config, **config.get("pretrained_cfg", {})}  # older files have one level
    architecture = config.get("architecture", about.get("architecture"))
    if architecture != TIMM.get(name, name):
        raise ArgumentError(
            f"weights must have been learned in {TIMM.get(name, name)}, timm's name of {name}, got {asked}, "
            f"whose {CONFIG} says {architecture}: create that network, if it is in the catalogue."
        )
    count = int(config.get("num_classes", about.get("num_classes", 1000)))
    return WeightsSource(path, _preprocessing(about), _classes(config, about, count), count, told=True)


def _preprocessing(about: Mapping[str, Any]) -> Preprocessing:
    channels, height, width = about.get("input_size", (3, 224, 224))
    mode = about.get("crop_mode") or "center"
    if mode not in CROPS:
        raise ArgumentError(f"crop_mode must be one of {', '.join(CROPS)}, got {mode!r}: use a file instead.")
    return Preprocessing(
        image_size=(int(height), int(width)),
        channels=int(channels),
        resize=CROPS[mode],
        resample=about.get("interpolation", "bilinear"),
        mean=tuple(map(float, about.get("mean", (0.485, 0.456, 0.406)))),
        std=tuple(map(float, about.get("std", (0.229, 0.224, 0.225)))),
        crop=float(about.get("crop_pct") or 1),
    )


def _classes(config: Mapping[str, Any], about: Mapping[str, Any], count: int) -> tuple[str, ...] | None:
    """The names in the file; ImageNet's for a thousand classes without names, as timm has it."""
    names = config.get("label_names") or about.get("label_names") or about.get("labels")
    if not names:
        return imagenet_classes() if count == 1000 else None
    words = config.get("label_descriptions") or about.get("label_descriptions") or {}
    described = tuple(str(words.get(name, name)) for name in names)
    return described if len(set(described)) == len(described) else tuple(map(str, names))


def _download(repository: str) -> Path:
    """The folder in huggingface_hub's cache; ``repository`` may end in @revision."""
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise MissingExtraError(f"weights={HUB + repository!r}", "huggingface_hub", "hub") from error
    identifier, _, revision = repository.partition("@")
    try:
        for file in FILES:
            folder = Path(
                snapshot_download(identifier, revision=revision or None, allow_patterns=[CONFIG, file])
            )
            if (folder / file).is_file():
                break
        return folder
    except Exception as error:  # no network, no such repository, no access: each has errors of its own
        raise ArgumentError(
            f"weights must be a repository that can be reached, got {HUB}{repository}, at which "
            f"{type(error).__name__} came: {str(error).strip().splitlines()[0] if str(error) else ''} "
            "Check the name and the network, or give a local folder."
        ) from error
