"""Who can run a network, and what each of them needs for it. An adapter is one file and imports late."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module, metadata, util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import nn

Answer = Callable[[], NDArray[np.float32]]


@dataclass(frozen=True)
class Entry:
    """One network and one batch. ``module`` builds the torch module, None where there is none.

    ``network``: a bundle folder or an .onnx file, for us; ``onnx``: the file that rivals read, its batch as
    that of ``images`` (N, C, H, W), float32. ``tune``: our kernels are measured first.
    """

    images: NDArray[np.float32]
    network: Path
    onnx: Path
    module: Callable[[], nn.Module] | None
    threads: int
    tune: bool = False


@dataclass(frozen=True)
class Contestant:
    """``file`` holds ``prepare(entry) -> Answer``, which loads all that a call needs."""

    name: str
    package: str
    file: str
    needs_module: bool = False
    compiler: bool = False

    def missing(self, *, module: bool) -> str | None:
        """Why it cannot take part, or None."""
        if util.find_spec(self.package) is None:
            return f"{self.package} is not installed"
        if self.needs_module and not module:
            return "it needs the torch module, and there is only a file"
        return None

    def prepare(self, entry: Entry) -> Answer:
        answer: Answer = import_module(f"striate.race.{self.file}").prepare(entry)
        return answer

    @property
    def version(self) -> str:
        return metadata.version(self.package)


CONTESTANTS: dict[str, Contestant] = {
    contestant.name: contestant
    for contestant in (
        Contestant("striate", "striate", "ours"),
        Contestant("torch", "torch", "eager", needs_module=True),
        Contestant("torch.compile", "torch", "compiled", needs_module=True),
        Contestant("onnxruntime", "onnxruntime", "onnx_runtime"),
        Contestant("openvino", "openvino", "open_vino"),
    )
}


def array(result: Any) -> NDArray[np.float32]:
    """A torch tensor, or the first of several, as an array."""
    first = result[0] if isinstance(result, (tuple, list)) else result
    found: NDArray[np.float32] = first.detach().numpy()
    return found
