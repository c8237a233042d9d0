"""Files of tensors: safetensors, and what torch saved, read without running code."""

from __future__ import annotations

import pickle
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from striate.errors import ArgumentError

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")
NESTED = ("state_dict", "model", "model_state_dict")  # where training scripts keep the weights, first wins
WRAPPERS = ("module.", "_orig_mod.", "model.")  # DistributedDataParallel, torch.compile, Lightning


@dataclass(frozen=True)
class TensorFile:
    """The named tensors of a file, on the CPU."""

    path: Path
    tensors: Mapping[str, Tensor]
    ordered: bool
    """Whether the names stand as the network defined them; safetensors sorts them."""

    def unwrapped(self, wanted: Collection[str] = ()) -> TensorFile:
        """The same without a word that a wrapper put before every name, unless all ``wanted`` have it."""
        tensors = self.tensors
        while tensors and (word := _wrapper(tensors)) and not (wanted and word == _wrapper(wanted)):
            tensors = {name.removeprefix(word): tensor for name, tensor in tensors.items()}
        return replace(self, tensors=tensors)


def read_tensors(path: Path) -> TensorFile:
    """Read a file. A checkpoint's weights may stand under "state_dict" or "model". Raises ArgumentError."""
    if not path.is_file():
        raise ArgumentError(f"weights must be an existing file, got {path}: check the path.")
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ArgumentError(
            f"weights must be a .safetensors, .pth or .pt file, got {path}: convert the file to safetensors."
        )
    try:
        if suffix == ".safetensors":
            return TensorFile(path, load_file(path), ordered=False)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ArgumentError(
            f"weights must hold nothing but tensors, got {path}, which is damaged or asks to run code (that "
            "was not done): save the state_dict of the network, best as safetensors."
        ) from error
    except Exception as error:  # damaged bytes can make a reader fail in any way
        raise ArgumentError(
            f"weights must be a readable file of tensors, got {path}, at which reading failed with "
            f"{type(error).__name__} ({error}): save the file again, best as safetensors."
        ) from error
    return TensorFile(path, _state_dict(found, path), ordered=True)


def _state_dict(found: Any, path: Path) -> dict[str, Tensor]:
    inner = [found[key] for key in NESTED if key in found] if isinstance(found, Mapping) else []
    for candidate in (found, *inner):
        if isinstance(candidate, Mapping) and candidate:
            tensors = {str(name): value for name, value in candidate.items() if isinstance(value, Tensor)}
            if len(tensors) == len(candidate):
                _require_values(tensors, path)
                return tensors
    raise ArgumentError(
        f"weights must map names to tensors, got {path}, which holds a {type(found).__name__} of other "
        "things: save the state_dict of the network."
    )


def _require_values(tensors: Mapping[str, Tensor], path: Path) -> None:
    for name, tensor in tensors.items():
        if tensor.layout != torch.strided or tensor.is_meta:
            kind = "no values (it is on the meta device)" if tensor.is_meta else f"the layout {tensor.layout}"
            raise ArgumentError(
                f"weights must be dense tensors, got {path}, in which {name} has {kind}: save dense tensors."
            )


def _wrapper(names: Collection[str]) -> str:
    """The word before all names, or none."""
    return next((word for word in WRAPPERS if all(name.startswith(word) for name in names)), "")
