"""Readers of what changes nothing in a network that is used: dropout, copies, conversions, expansion."""

from __future__ import annotations

from striate import ops
from striate.capture.call import Call
from striate.capture.join import JOINS, SUMS
from striate.capture.registry import functional_name, reads


@reads("aten.dropout.default", "aten.feature_dropout.default", "aten.alpha_dropout.default")
@reads("aten.feature_alpha_dropout.default")
def dropout(call: Call) -> str:
    if call["train"] and call["p"] > 0:
        call.refuse("it drops values in evaluation mode too; write F.dropout(x, p, training=self.training)")
    return call.emit(ops.Dropout(call["p"], channels="feature" in call.operation), call.value("input"))


@reads(
    "aten.clone.default",
    "aten.contiguous.default",
    "aten.detach.default",
    "aten.alias.default",
    "aten.to.dtype",
    "aten.to.device",
    "aten.to.dtype_layout",
    "aten.to.other",
    "aten._to_copy.default",
    "aten.type_as.default",
)
def copy(call: Call) -> str:
    """A graph of words has no memory and no precision: a copy is the value itself."""
    before, after = call.node.all_input_nodes[0].meta["val"].dtype, call.result.dtype
    if before != after and not (after.is_floating_point and after.itemsize >= 4):
        call.refuse(f"it converts {before} to {after}, which changes values")
    return call.value("self")


@reads("aten.expand.default", "aten.expand_as.default")
def expand(call: Call) -> str:
    """Left out where it only says what arithmetic does anyway: sizes of 1 are repeated."""
    broadcasting = {*JOINS, *SUMS}
    alike = all(
        functional_name(str(user.target)) in broadcasting
        and tuple(map(str, user.meta["val"].shape)) == tuple(map(str, call.node.meta["val"].shape))
        for user in call.node.users
    )
    if call.shape("self") != call.shape_out and not alike:
        call.refuse("its result is read by something else than arithmetic of the same shape")
    return call.value("self")
