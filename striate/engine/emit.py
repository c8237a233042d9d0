"""Writes LLVM IR: vectors, loops and addresses, with every address's range proved while it is written.

A kernel's entry is ``void name(ptr buffers, i64 low, i64 high, i64 images, ptr scratch)``: compute the units
of work ``low`` to ``high - 1``. What a unit is, the kernel decides. No kernel knows about threads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

from llvmlite import ir

from striate.engine.compiled import OutOfBoundsError
from striate.engine.index import Index, Memory, Moved, Number, highest, lowest
from striate.engine.target import Target
from striate.engine.volatile import VolatileLoad

F32, I1, I8, I32, I64 = ir.FloatType(), ir.IntType(1), ir.IntType(8), ir.IntType(32), ir.IntType(64)
POINTER, VOID = ir.PointerType(), ir.VoidType()
Vector = Any  # an llvmlite value of type <lanes x float>


def module(target: Target) -> ir.Module:
    result = ir.Module("striate")
    result.triple = target.triple
    return result


class Emitter(ir.IRBuilder):  # type: ignore[misc]  # llvmlite has no types
    """A function under construction: ``memories`` pointers that do not overlap, then ``numbers`` integers."""

    def __init__(
        self,
        mod: ir.Module,
        name: str,
        target: Target,
        memories: int,
        numbers: int = 0,
        *,
        inner: bool = False,
    ) -> None:
        function = ir.Function(mod, ir.FunctionType(VOID, [POINTER] * memories + [I64] * numbers), name)
        function.attributes.add("nounwind")
        if target.lanes > 4:  # else a spilled vector straddles two cache lines, at random
            function.attributes.alignstack = 4 * target.lanes
        for argument in function.args[:memories]:
            argument.add_attribute("noalias")
        if inner:
            function.linkage = "internal"
            function.attributes.add("noinline")
        super().__init__(function.append_basic_block("entry"))
        self.function_, self.target, self.lanes, self.mod = function, target, target.lanes, mod
        self.pointers, self.numbers = function.args[:memories], function.args[memories:]
        self.memories = [Memory(pointer, None, f"{name}[{i}]") for i, pointer in enumerate(self.pointers)]
        self.ranges: dict[int, tuple[int, int]] = {}

    # --- integers ---------------------------------------------------------------------------------------

    def raw(self, number: Number) -> Any:
        return ir.Constant(I64, number) if isinstance(number, int) else number.value

    def plus(self, *terms: Number) -> Number:
        """The sum; constants are added now, and last: what varies is computed once for many constants."""
        fixed = sum(term for term in terms if isinstance(term, int))
        total: Index | None = None
        for term in terms:
            if isinstance(term, Index):
                total = term if total is None else self._sum(total, term)
        if total is None:
            return fixed
        return self._sum(total, Index(ir.Constant(I64, fixed), fixed, fixed)) if fixed else total

    def _sum(self, a: Index, b: Index) -> Index:
        return Index(self.add(a.value, b.value, flags=["nsw"]), a.low + b.low, a.high + b.high)

    def times(self, number: Number, factor: int) -> Number:
        if isinstance(number, int) or factor in (0, 1):
            return number * factor if isinstance(number, int) else (number if factor else 0)
        ends = number.low * factor, number.high * factor
        return Index(self.mul(number.value, ir.Constant(I64, factor), flags=["nsw"]), min(ends), max(ends))

    def divide(self, number: Number, by: int) -> tuple[Number, Number]:
        """Quotient and remainder of a number that is never negative."""
        if isinstance(number, int):
            return divmod(number, by)
        if by == 1:
            return number, 0
        if number.high < by:
            return 0, number
        divisor = ir.Constant(I64, by)
        quotient = Index(self.udiv(number.value, divisor), number.low // by, number.high // by)
        return quotient, Index(self.urem(number.value, divisor), 0, by - 1)

    def least(self, number: Number, bound: int) -> Number:
        """The smaller of the two."""
        if isinstance(number, int) or number.high <= bound:
            return min(number, bound) if isinstance(number, int) else number
        limit = ir.Constant(I64, bound)
        smaller = self.icmp_signed("<", number.value, limit)
        return Index(self.select(smaller, number.value, limit), min(number.low, bound), bound)

    def entry_of(self, table: Sequence[int], number: Number) -> Number:
        """``table[number]``, the table being part of the code."""
        if isinstance(number, int):
            return table[number]
        rows = Memory(None, len(table), "table")
        rows.reach(number.low, number.high + 1)
        steps = {after - before for before, after in pairwise(table)}
        if len(steps) <= 1:  # a straight line needs no table
            return self.plus(table[0], self.times(number, *steps)) if steps else table[0]
        kind = ir.ArrayType(I64, len(table))
        place = ir.GlobalVariable(self.mod, kind, self.mod.get_unique_name("table"))
        place.linkage, place.global_constant = "internal", True
        place.initializer = ir.Constant(kind, [int(entry) for entry in table])
        value = self.load(self.gep(place, [number.value], source_etype=I64), typ=I64)
        return Index(value, min(table), max(table))

    @contextmanager
    def loop(self, count: Number, step: int = 1) -> Iterator[Number]:
        """for i in range(0, count, step), at least one turn."""
        if isinstance(count, Index):
            with self._loop(ir.Constant(I64, 0), count.value, step) as i:
                yield Index(i, 0, count.high - 1)
            return
        last = (count - 1) // step * step
        if last == 0:
            yield 0
            return
        with self._loop(ir.Constant(I64, 0), ir.Constant(I64, last + 1), step) as i:
            yield Index(i, 0, last)

    @contextmanager
    def range_of(self, first: Number, count: int, end: int) -> Iterator[Number]:
        """for i in range(first, min(first + count, end)), at least one turn: the caller's ``first`` < end."""
        if isinstance(first, int):
            with self.loop(min(count, end - first)) as i:
                yield self.plus(first, i)
            return
        stop = self.raw(self.least(self.plus(first, count), end))
        with self._loop(first.value, stop, 1) as number:
            yield Index(number, first.low, end - 1)

    @contextmanager
    def where(self, number: Number, first: int, count: int) -> Iterator[Number]:
        """if first <= number < first + count: inside, the number's range is known to be that."""
        if first <= lowest(number) and highest(number) < first + count:
            yield number
            return
        distance = self.sub(self.raw(number), ir.Constant(I64, first))
        with self.if_then(self.icmp_unsigned("<", distance, ir.Constant(I64, count))):
            yield Index(self.raw(number), max(first, lowest(number)), min(first + count - 1, highest(number)))

    @contextmanager
    def _loop(self, start: Any, stop: Any, step: int) -> Iterator[Any]:
        before, body = self.block, self.append_basic_block("loop")
        self.branch(body)
        self.position_at_end(body)
        i = self.phi(I64)
        i.add_incoming(start, before)
        yield i
        following = self.add(i, ir.Constant(I64, step), flags=["nsw"])
        i.add_incoming(following, self.block)
        done = self.append_basic_block("done")
        self.cbranch(self.icmp_signed("<", following, stop), body, done)
        self.position_at_end(done)

    # --- memory -----------------------------------------------------------------------------------------

    def address(self, memory: Memory, index: Number, count: int) -> Any:
        """The address of ``count`` items that begin at ``index``, proved to be inside."""
        memory.reach(lowest(index), highest(index) + count)
        if isinstance(index, int) and index == 0:
            return memory.pointer
        return self.gep(memory.pointer, [self.raw(index)], source_etype=memory.item)

    def part(self, memory: Memory, start: Number, size: int) -> Memory:
        """The ``size`` items from ``start`` on, as memory of its own."""
        return Memory(self.address(memory, start, size), size, memory.name, memory.item)

    def moved(self, memory: Memory, index: Number) -> Memory:
        """The same memory, counted from ``index`` on: constant steps from there cost nothing."""
        pointer = self.gep(memory.pointer, [self.raw(index)], source_etype=memory.item)
        return Moved(pointer, None, memory.name, memory.item, 0, 0, memory, lowest(index), highest(index))

    def own(self, size: int) -> Memory:
        """So many values of the function's own, on the stack."""
        with self.goto_entry_block():
            place = self.alloca(ir.ArrayType(F32, size))
        place.align, place.type = 4 * self.lanes, POINTER
        return Memory(place, size, f"{self.function_.name} own")

    def get(self, memory: Memory, index: Number, lanes: int | None = None) -> Vector:
        count = lanes or self.lanes
        return self.load(self.address(memory, index, count), typ=ir.VectorType(F32, count), align=4)

    def put(self, vector: Vector, memory: Memory, index: Number) -> None:
        self.store(vector, self.address(memory, index, vector.type.count), align=4)

    def spread(self, memory: Memory, index: Number) -> Vector:
        """One value in every lane."""
        return self.splat(self.load(self.address(memory, index, 1), typ=F32, align=4))

    def prefetch(self, memory: Memory, index: Number, near: int = 2, *, write: bool = False) -> None:
        """Ask for a cache line that will be needed. It may lie beyond the buffer: a hint cannot fault.

        ``near`` 2: into the second-level cache, 3: into the first. ``write``: to be written. 1 is for data.
        """
        name, kind = "llvm.prefetch.p0", ir.FunctionType(VOID, [POINTER, I32, I32, I32])
        function = self.mod.globals.get(name) or ir.Function(self.mod, kind, name)
        address = self.gep(memory.pointer, [self.raw(index)], source_etype=memory.item)
        self.call(function, [address, *(ir.Constant(I32, value) for value in (int(write), near, 1))])

    def variable(self, value: Any) -> Any:
        """A place in a register (LLVM's sroa pass makes it one)."""
        with self.goto_entry_block():
            place = self.alloca(value.type)
        self.store(value, place)
        return place

    def read(self, variable: Any) -> Any:
        return self.load(variable, typ=variable.allocated_type)

    # --- vectors ----------------------------------------------------------------------------------------

    @property
    def vector(self) -> ir.VectorType:
        return ir.VectorType(F32, self.lanes)

    def splat(self, scalar: Any) -> Vector:
        nothing = ir.Constant(self.vector, ir.Undefined)
        one = self.insert_element(nothing, scalar, ir.Constant(I32, 0))
        return self.shuffle_vector(one, nothing, ir.Constant(ir.VectorType(I32, self.lanes), None))

    def constant(self, number: float) -> Vector:
        return ir.Constant(self.vector, [ir.Constant(F32, float(number))] * self.lanes)

    def distant(self, number: float) -> Vector:
        """A constant that is read from memory wherever it is used, as an operand of the instruction.

        LLVM would keep it in a register, and spill that where a tile's sums need all of them.
        """
        if self.target.registers > 16:
            return self.constant(number)
        kind, name = self.vector, f"constant.{float(number).hex()}.v{self.lanes}"
        place = self.mod.globals.get(name)
        if place is None:
            place = ir.GlobalVariable(self.mod, kind, name)
            place.linkage, place.initializer = "internal", self.constant(number)
        read = VolatileLoad(self.block, place, "", typ=kind)
        read.align = 4 * self.lanes
        self._insert(read)
        return read

    def pick(self, a: Vector, b: Vector, lanes: Sequence[int]) -> Vector:
        """Lane i of the result is lane ``lanes[i]`` of a followed by b."""
        mask = ir.Constant(ir.VectorType(I32, len(lanes)), [ir.Constant(I32, lane) for lane in lanes])
        return self.shuffle_vector(a, b, mask)

    def intrinsic(self, name: str, *values: Any) -> Any:
        return self.named(f"{name}.v{values[0].type.count}f32", values[0].type, *values)

    def named(self, full: str, kind: Any, *values: Any) -> Any:
        """A call of LLVM's function of that name, which a module declares once; ``kind``: of the result."""
        taken = ir.FunctionType(kind, [value.type for value in values])
        return self.call(self.mod.globals.get(full) or ir.Function(self.mod, taken, full), values)

    def multiply_add(self, a: Vector, b: Vector, c: Vector) -> Vector:
        """a * b + c; without the instruction, in two roundings."""
        if self.target.fma:
            return self.intrinsic("llvm.fma", a, b, c)
        return self.fadd(self.fmul(a, b), c)

    def larger(self, a: Vector, b: Vector) -> Vector:
        """a where a > b, else b: one instruction; a NaN in b stays."""
        return self.select(self.fcmp_ordered(">", a, b), a, b)

    def smaller(self, a: Vector, b: Vector) -> Vector:
        return self.select(self.fcmp_ordered("<", a, b), a, b)

    def parameter(self, place: int, low: int, high: int) -> Number:
        """One of an inner function's numbers, which ``run`` holds to that range."""
        self.ranges[place] = low, high
        return Index(self.numbers[place], low, high) if low < high else low

    def run(self, inner: Emitter, *arguments: tuple[Memory, Number], numbers: Sequence[Number] = ()) -> None:
        """Call an inner function; each of its memories begins at a place in ours, and must stay inside."""
        for place, (low, high) in inner.ranges.items():
            if lowest(numbers[place]) < low or highest(numbers[place]) > high:
                raise OutOfBoundsError(f"number {place} of {inner.function_.name} must be {low} to {high}")
        pointers = []
        for theirs, (memory, index) in zip(inner.memories, arguments, strict=True):
            memory.reach(lowest(index) + theirs.first, highest(index) + theirs.end)
            at = memory.pointer
            if not (isinstance(index, int) and index == 0):
                at = self.gep(at, [self.raw(index)], source_etype=memory.item)
            pointers.append(at)
        self.call(inner.function_, [*pointers, *(self.raw(number) for number in numbers)])
