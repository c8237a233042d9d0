"""A function's call in the words of the layer that it computes: ``F.conv2d(x, w)`` as a Conv2d."""

from __future__ import annotations

from typing import Any

from striate.doctor.trace import Layer

_CONVOLUTIONS = ("conv1d", "conv2d", "conv3d")
_SHAPED = ("view", "reshape", "flatten", "unflatten", "permute")


def layer_of(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Layer:
    """What a function call says, in the words of the layer where there is one."""
    weight = kwargs.get("weight", args[1] if len(args) > 1 else None)
    shape = getattr(weight, "shape", None)
    if name == "linear" and shape is not None:
        return Layer("Linear", {"in_features": shape[-1], "out_features": shape[0]})
    if name in _CONVOLUTIONS and shape is not None:
        names = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
        own = {**dict(zip(names, args, strict=False)), **kwargs}
        groups = own.get("groups", 1)
        arguments = {
            "in_channels": shape[1] * groups,
            "out_channels": shape[0],
            "kernel_size": tuple(shape[2:]),
            **{key: own[key] for key in names[3:] if key in own},
        }
        return Layer(name.capitalize(), arguments)
    if name in _SHAPED:
        return Layer(name, {"shape": tuple(args[1:]) + tuple(kwargs.values())})
    second = args[1] if len(args) > 1 else None
    if name in ("cat", "concat", "concatenate"):
        return Layer("cat", {"dim": kwargs.get("dim", second or 0)})
    if "pool" in name:
        known = {key: value for key, value in kwargs.items() if key in ("kernel_size", "stride", "padding")}
        return Layer(name, {"kernel_size": second, **known} if second is not None else known)
    return Layer(name)
