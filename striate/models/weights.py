"""Loading weights into a network: every name and every shape must fit, or nothing is loaded."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from os import PathLike
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from striate.errors import ArgumentError
from striate.models.origin import in_our_names

ROWS = 8  # mismatches shown in a refusal; there may be hundreds


def load_weights(module: nn.Module, path: str | PathLike[str]) -> None:
    """Copy the tensors of a .safetensors, .pth or .pt file into ``module``.

    Loading never runs code: pickles are read with torch's ``weights_only``. Raises ArgumentError, and
    leaves the module as it was, when the file is missing or unreadable, or when any name or shape differs.
    """
    load_tensors(module, read_tensors(Path(path)), path)


def load_tensors(module: nn.Module, tensors: Mapping[str, Tensor], path: str | PathLike[str]) -> None:
    """Copy ``tensors``, read from ``path``, into ``module``; names of another library are translated.

    Raises ArgumentError, and leaves the module as it was, when any name or shape differs.
    """
    wanted = module.state_dict()
    found = in_our_names(tensors, wanted)
    rows = [
        (name, _shape(wanted.get(name)), _shape(found.get(name)))
        for name in dict.fromkeys([*wanted, *found])
        if _shape(wanted.get(name)) != _shape(found.get(name))
    ]
    if rows:
        raise ArgumentError(
            f"weights must hold exactly this network's tensors, but {len(rows)} differ in {path}, and "
            f"nothing was loaded:\n{_table(rows)}\n"
            "Create the network with the classes, in_channels and image_size that the file was made with."
        )
    module.load_state_dict(found)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The named tensors of a file, on the CPU. Raises ArgumentError."""
    if not path.is_file():
        raise ArgumentError(f"weights must be an existing file, got {path}: check the path.")
    suffix = path.suffix.lower()
    if suffix not in (".safetensors", ".pth", ".pt"):
        raise ArgumentError(
            f"weights must be a .safetensors, .pth or .pt file, got {path}: convert the file to safetensors."
        )
    try:
        if suffix == ".safetensors":
            return load_file(path)
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
    if not isinstance(found, Mapping) or not all(isinstance(value, Tensor) for value in found.values()):
        raise ArgumentError(
            f"weights must map names to tensors, got {path}, which holds a {type(found).__name__} of other "
            "things: save the state_dict of the network."
        )
    return {str(name): tensor for name, tensor in found.items()}


def _shape(tensor: Tensor | None) -> str:
    if tensor is None:
        return "absent"
    return "x".join(map(str, tensor.shape)) or "one number"


def _table(rows: list[tuple[str, str, str]]) -> str:
    shown = [("tensor", "network", "file"), *rows[:ROWS]]
    first, second = (max(len(row[column]) for row in shown) for column in (0, 1))
    lines = [f"  {name:<{first}}  {ours:<{second}}  {theirs}" for name, ours, theirs in shown]
    return "\n".join(lines + ([f"  and {len(rows) - ROWS} more"] if len(rows) > ROWS else []))
