"""Readers of what changes nothing in a network that is used: dropout, copies, conversions between floats."""

from __future__ import annotations

from striate import ops
from striate.onnx.call import Call
from striate.onnx.registry import reads
from striate.onnx.tensor import COMPUTED, type_name


@reads("Identity", 1, 13, 14, 16, 19, 21, 23, 24, 25)
def identity(call: Call) -> object:
    return call.any(0)


@reads("Dropout", 10, 12, 13, 22)
def dropout(call: Call) -> str:
    call.integer("seed", 0)
    ratio = call.real("ratio", 0.5)
    if call.given(1):
        ratio = call.scalar(1, "ratio")
    if bool(call.scalar(2, "training_mode", False)):
        call.refuse("it is in training mode; export the network in evaluation mode")
    return call.emit(ops.Dropout(float(ratio)), call.value())


@reads("Cast", 9, 13, 19, 21, 23, 24, 25, 28)
def cast(call: Call) -> str:
    """A graph of words has no precision: between floats the value stays. What float16 loses stays."""
    call.integer("saturate", 1)
    call.text("round_mode", "up")
    target = call.integer("to", 0)
    if target not in COMPUTED:
        call.refuse(f"it converts values to {type_name(target)}, which changes them")
    return call.value()


@reads("CastLike", 15, 19, 21, 23, 24, 25)
def cast_like(call: Call) -> str:
    call.integer("saturate", 1)
    call.text("round_mode", "up")
    if not isinstance(call.any(1), str):
        call.refuse("only another value of the network tells a type that keeps values")
    return call.value()
