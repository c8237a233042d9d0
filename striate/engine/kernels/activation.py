"""Activations on vectors, built from multiply-adds: e^x, tanh and erf are polynomials after range reduction.

Errors, measured against float64 over all magnitudes: e^x and tanh 3e-7 relative, sigmoid and SiLU 1.4e-7
relative above 0 and 2e-7 + 5e-8 |x| below (AVX-512: 3e-7 + 5e-8 |x|), erf 3e-7 absolute. NaN in, NaN out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import pi, sqrt
from typing import Any

from llvmlite import ir

from striate import ops
from striate.engine.emit import I32, Emitter, Vector
from striate.engine.stage import Affine, Raised

_ROUND = 1.5 * 2.0**23  # adding it leaves no room for a fraction: the sum's last bits are the nearest integer
_LOG2_E = 1.4426950408889634
_LN2_HIGH, _LN2_LOW = 0.693359375, -2.12194440e-4  # their sum is ln 2; the first has few bits
# (e^r - 1) / r on |r| <= ln 2 / 2, fitted to the least maximal error of e^r: 9.3e-8
_GROWTH = (1.0, 0.4999913275241852, 0.16666358709335327, 0.04189950227737427, 0.008379393257200718)
# (2^f - 1) / f on |f| <= 1/2, likewise: 9.1e-8
_POWER_OF_TWO = (
    0.6931469775987174,
    0.24022242084634735,
    0.05550733743573935,
    0.009671512688172137,
    0.0013264727247311835,
)
# 2^f on 0 <= f < 1, likewise: 7.5e-8
_POWER_OF_TWO_ABOVE = (
    0.9999999250911056,
    0.6931530727153739,
    0.2401536192381786,
    0.05582631448365697,
    0.008989342024639795,
    0.0018775766194927114,
)
# (ln(1 + t) - t) / t^2 for 1 + t from sqrt(1/2) to sqrt(2); error of the logarithm 4e-9 t
_LOGARITHM = (
    -0.49999988079071045,
    0.3333330750465393,
    -0.2500152289867401,
    0.2000301480293274,
    -0.16611149907112122,
    0.1416347175836563,
    -0.1320880502462387,
    0.13004818558692932,
    -0.07823338359594345,
)
_TANH = (-3.33332819422e-1, 1.33314422036e-1, -5.37397155531e-2, 2.06390887954e-2, -5.70498872745e-3)
# erf(x) = x p(x^2) / q(x^2) on [-4, 4]: the rational minimax fit used by Eigen and XLA
_ERF_P = (
    -1.60960333262415e-02,
    -2.95459980854025e-03,
    -7.34990630326855e-04,
    -5.69250639462346e-05,
    -2.10102402082508e-06,
    2.77068142495902e-08,
    -2.72614225801306e-10,
)
_ERF_Q = (
    -1.42647390514189e-02,
    -7.37332916720468e-03,
    -1.68282697438203e-03,
    -2.13374055278905e-04,
    -1.45660718464996e-05,
)
_SELU_SCALE, _SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717


def bounded(to: Emitter, x: Vector, low: float | None, high: float | None) -> Vector:
    """min(max(x, low), high), NaN kept."""
    if low is not None:
        x = to.larger(to.constant(low), x)
    return x if high is None else to.smaller(to.constant(high), x)


def polynomial(
    to: Emitter, x: Vector, coefficients: Sequence[float], number: Callable[[float], Vector] | None = None
) -> Vector:
    """c0 + c1 x + c2 x^2 + ..., by Horner's rule. ``number``: writes a coefficient; None: a constant."""
    number = number or to.constant
    result = number(coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        result = to.multiply_add(result, x, number(coefficient))
    return result


def _parts(to: Emitter, x: Vector) -> tuple[Vector, Vector, Vector]:
    """x = n ln 2 + r: 2^n, r, and (e^r - 1) / r."""
    x = bounded(to, x, -87.3, 88.7)
    sum_ = to.multiply_add(x, to.constant(_LOG2_E), to.constant(_ROUND))
    n = to.fsub(sum_, to.constant(_ROUND))
    r = to.multiply_add(n, to.constant(-_LN2_HIGH), x)
    r = to.multiply_add(n, to.constant(-_LN2_LOW), r)
    integers = ir.VectorType(I32, to.lanes)

    def same(number: int) -> Any:
        return ir.Constant(integers, [ir.Constant(I32, number)] * to.lanes)

    bits = to.add(to.shl(to.bitcast(sum_, integers), same(23)), same(127 << 23))
    growth = polynomial(to, r, _GROWTH)
    return to.bitcast(bits, to.vector), r, growth


def exponential(to: Emitter, x: Vector) -> Vector:
    """e^x; infinite above 88.7, 1e-38 below -87.3."""
    power, r, growth = _parts(to, x)
    return to.fmul(to.multiply_add(r, growth, to.constant(1)), power)


def exponential_minus_one(to: Emitter, x: Vector) -> Vector:
    """e^x - 1, exact near 0: 2^n (e^r - 1) + (2^n - 1)."""
    power, r, growth = _parts(to, x)
    return to.multiply_add(power, to.fmul(r, growth), to.fsub(power, to.constant(1)))


def sigmoid(to: Emitter, x: Vector) -> Vector:
    """1 / (1 + e^-x)."""
    return _over_one_plus_exponential(to, to.constant(1), x)


def _over_one_plus_exponential(to: Emitter, y: Vector, x: Vector) -> Vector:
    """y / (1 + e^-x): with y = 1 the sigmoid, with y = x SiLU. Its cost is the number of its instructions."""
    t = to.fmul(x, to.distant(-_LOG2_E))
    power = _two_to_scaled(to, t) if to.target.name == "avx512" else _two_to(to, t)
    return to.fdiv(y, to.fadd(to.constant(1), power))


def _two_to(to: Emitter, t: Vector) -> Vector:
    """2^t with t = n + f. The last bits of t + _ROUND are n, which is added to the exponent of 2^f.

    At the upper bound f is 0, and what comes out is infinity.
    """
    t = bounded(to, t, -126, 128)
    sum_ = to.fadd(t, to.distant(_ROUND))
    f = to.fsub(t, to.fsub(sum_, to.distant(_ROUND)))
    fraction = polynomial(to, f, _POWER_OF_TWO, to.distant)
    fraction = to.multiply_add(fraction, f, to.constant(1))
    integers = ir.VectorType(I32, to.lanes)
    n = to.shl(to.bitcast(sum_, integers), ir.Constant(integers, [ir.Constant(I32, 23)] * to.lanes))
    return to.bitcast(to.add(to.bitcast(fraction, integers), n), to.vector)


def _two_to_scaled(to: Emitter, t: Vector) -> Vector:
    """2^t in seven instructions of AVX-512: one takes the next lower integer off (and 0 is left of infinity),
    one scales by two to that integer, up to infinity and down to 0."""
    f = _masked(to, "reduce", t, ir.Constant(I32, 1))
    return _masked(to, "scalef", polynomial(to, f, _POWER_OF_TWO_ABOVE, to.distant), t)


def _masked(to: Emitter, name: str, *operands: Any) -> Vector:
    """An instruction of AVX-512, on all lanes, with the rounding that is set."""
    how = to.constant(0), ir.Constant(ir.IntType(16), -1), ir.Constant(I32, 4)
    return to.named(f"llvm.x86.avx512.mask.{name}.ps.512", to.vector, *operands, *how)


def tanh(to: Emitter, x: Vector) -> Vector:
    """An odd polynomial up to 0.625, 1 - 2 / (e^2x + 1) beyond."""
    square = to.fmul(x, x)
    small = to.multiply_add(to.fmul(x, square), polynomial(to, square, _TANH), x)
    grown = to.fadd(exponential(to, to.fadd(x, x)), to.constant(1))
    large = to.fsub(to.constant(1), to.fdiv(to.constant(2), grown))
    return to.select(to.fcmp_ordered("<", square, to.constant(0.625**2)), small, large)


def erf(to: Emitter, x: Vector) -> Vector:
    x = bounded(to, x, -4, 4)
    square = to.fmul(x, x)
    return to.fdiv(to.fmul(x, polynomial(to, square, _ERF_P)), polynomial(to, square, _ERF_Q))


def logarithm(to: Emitter, x: Vector) -> Vector:
    """The natural logarithm of normal numbers; -infinity of 0, not a number below."""
    integers = ir.VectorType(I32, to.lanes)

    def same(number: int) -> Any:
        return ir.Constant(integers, [ir.Constant(I32, number)] * to.lanes)

    bits = to.sub(to.bitcast(x, integers), same(0x3F3504F3))  # of sqrt(1/2): x = 2^n m, m from there on
    n = to.sitofp(to.ashr(bits, same(23)), to.vector)
    m = to.bitcast(to.add(to.and_(bits, same(0x7FFFFF)), same(0x3F3504F3)), to.vector)
    t = to.fsub(m, to.constant(1))
    curved = to.multiply_add(to.fmul(t, t), polynomial(to, t, _LOGARITHM), to.fmul(n, to.constant(_LN2_LOW)))
    result = to.multiply_add(n, to.constant(_LN2_HIGH), to.fadd(t, curved))
    zero = to.constant(0)
    result = to.select(to.fcmp_ordered("==", x, zero), to.constant(float("-inf")), result)
    result = to.select(to.fcmp_unordered("<", x, zero), to.constant(float("nan")), result)
    return to.select(to.fcmp_ordered("==", x, to.constant(float("inf"))), x, result)


def power(to: Emitter, x: Vector, exponent: float) -> Vector:
    """x ** exponent: products and roots for multiples of a quarter up to 8, else e^(exponent ln x)."""
    quarters = abs(exponent) * 4
    if quarters != int(quarters) or quarters > 32:
        return exponential(to, to.fmul(to.constant(exponent), logarithm(to, x)))
    whole, rest = divmod(int(quarters), 4)
    factors = [x] * whole
    if rest & 2 or rest & 1:
        root = to.intrinsic("llvm.sqrt", x)
        factors += [root] if rest & 2 else []
        factors += [to.intrinsic("llvm.sqrt", root)] if rest & 1 else []
    result = factors[0] if factors else to.constant(1)
    for factor in factors[1:]:
        result = to.fmul(result, factor)
    return to.fdiv(to.constant(1), result) if exponent < 0 else result


def negative(to: Emitter, x: Vector) -> Vector:
    return to.fneg(x)


def _gelu(to: Emitter, op: ops.GELU, x: Vector) -> Vector:
    if op.approximate == "sigmoid":
        return to.fmul(x, sigmoid(to, to.fmul(x, to.constant(1.702))))
    if op.approximate == "tanh":
        cubic = to.multiply_add(to.fmul(x, x), to.constant(0.044715), to.constant(1))
        inner = tanh(to, to.fmul(to.fmul(x, cubic), to.constant(sqrt(2 / pi))))
    else:
        inner = erf(to, to.fmul(x, to.constant(sqrt(0.5))))
    half = to.fmul(x, to.constant(0.5))
    return to.multiply_add(half, inner, half)


def _hard_sigmoid(to: Emitter, x: Vector) -> Vector:
    return to.fmul(bounded(to, to.fadd(x, to.constant(3)), 0, 6), to.constant(1 / 6))


def _elu(to: Emitter, x: Vector, alpha: float, scale: float = 1.0) -> Vector:
    below = to.fmul(exponential_minus_one(to, x), to.constant(alpha * scale))
    above = x if scale == 1 else to.fmul(x, to.constant(scale))
    return to.select(to.fcmp_ordered(">", x, to.constant(0)), above, below)


def _leaky(to: Emitter, x: Vector, slope: Vector) -> Vector:
    return to.select(to.fcmp_ordered("<", x, to.constant(0)), to.fmul(x, slope), x)


_RULES: dict[type[ops.Op], Callable[[Emitter, Any, Vector], Vector]] = {
    ops.ReLU: lambda to, op, x: bounded(to, x, 0, None),
    ops.ReLU6: lambda to, op, x: bounded(to, x, 0, 6),
    ops.Clamp: lambda to, op, x: bounded(to, x, op.min_val, op.max_val),
    ops.LeakyReLU: lambda to, op, x: _leaky(to, x, to.constant(op.negative_slope)),
    ops.Sigmoid: lambda to, op, x: sigmoid(to, x),
    ops.SiLU: lambda to, op, x: _over_one_plus_exponential(to, x, x),
    ops.Tanh: lambda to, op, x: tanh(to, x),
    ops.GELU: _gelu,
    ops.ELU: lambda to, op, x: _elu(to, x, op.alpha),
    ops.SELU: lambda to, op, x: _elu(to, x, _SELU_ALPHA, _SELU_SCALE),
    ops.HardSigmoid: lambda to, op, x: _hard_sigmoid(to, x),
    ops.HardSwish: lambda to, op, x: to.fmul(x, _hard_sigmoid(to, x)),
    ops.Negate: lambda to, op, x: negative(to, x),
    ops.Absolute: lambda to, op, x: to.intrinsic("llvm.fabs", x),
    ops.Exponential: lambda to, op, x: exponential(to, x),
    ops.Logarithm: lambda to, op, x: logarithm(to, x),
    Affine: lambda to, op, x: to.multiply_add(x, to.constant(op.factor), to.constant(op.shift)),
    Raised: lambda to, op, x: power(to, x, op.exponent),
    ops.SquareRoot: lambda to, op, x: to.intrinsic("llvm.sqrt", x),
}
POINTWISE = tuple(_RULES)  # words that need nothing but the value


def activate(to: Emitter, op: ops.Op, x: Vector) -> Vector:
    return _RULES[type(op)](to, op, x)
