"""Products of bf16 with sums in float32: one instruction of AVX512_BF16 does two multiply-adds in each lane.

Both factors are words of 32 bits that hold two bf16, the first in the lower half: of a map, what two channels
that follow each other have at a pixel, of the weights what belongs to these two inputs. Registers and memory
hold words as float32, which they are not; only what stands here looks into them. Values of a map are rounded
to the nearest, as ``storage`` does it, but what is smaller than 2^-126 becomes 0.

The cost model takes one for as quick as a multiply-add of float32, as it is on Zen 4; other processors that
have it were not at hand.
"""

from __future__ import annotations

from llvmlite import ir

from striate.engine.emit import F32, Emitter, Vector

ROOT = "llvm.x86.avx512bf16"


class Bfloat(ir.Type):  # type: ignore[misc]  # llvmlite has no types
    """LLVM's type for bf16, which llvmlite does not have."""

    def _to_string(self) -> str:
        return "bfloat"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bfloat)

    def __hash__(self) -> int:
        return hash(Bfloat)


BF16 = Bfloat()


def dot(to: Emitter, a: Vector, b: Vector, c: Vector) -> Vector:
    """c + a * b, for both halves of the words of a and b."""
    halves = ir.VectorType(BF16, 2 * to.lanes)
    factors = (to.bitcast(words, halves) for words in (a, b))
    return to.named(f"{ROOT}.dpbf16ps.{32 * to.lanes}", to.vector, c, *factors)


def halved(to: Emitter, value: Vector) -> Vector:
    """The values of a vector rounded to bf16, as words: half a vector."""
    found = to.named(f"{ROOT}.cvtneps2bf16.{32 * to.lanes}", ir.VectorType(BF16, to.lanes), value)
    return to.bitcast(found, ir.VectorType(F32, to.lanes // 2))


def joined(to: Emitter, lower: Vector, upper: Vector) -> Vector:
    """The values of two vectors rounded to bf16, as the words of one."""
    halves = ir.VectorType(BF16, 2 * to.lanes)
    return to.bitcast(to.named(f"{ROOT}.cvtne2ps2bf16.{32 * to.lanes}", halves, upper, lower), to.vector)
