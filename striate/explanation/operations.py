"""What a formula costs: the operations that a word's meaning does to one value, counted while it runs."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from striate.ops import Op
from striate.ops.weights import weight_shapes
from striate.reference import forward

COSTLY = ("exp", "expm1", "log", "tanh", "sqrt", "power", "divide", "true_divide")
"""Operations that take a processor many steps; the others take about one."""


class _Counted(np.ndarray[Any, Any]):
    """An array that writes down what is done to it, in a counter that all its results share."""

    done: Counter[str]

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = None, **kwargs: Any) -> Any:
        self.done[ufunc.__name__] += 1
        if out is not None:
            kwargs["out"] = tuple(map(_plain, out))
        return _counted(getattr(ufunc, method)(*map(_plain, inputs), **kwargs), self.done)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function is np.where or function is np.clip:
            self.done[function.__name__] += 1
        return _counted(function(*map(_plain, args), **kwargs), self.done)


def _plain(value: Any) -> Any:
    return np.asarray(value) if isinstance(value, _Counted) else value


def _counted(value: Any, done: Counter[str]) -> _Counted:
    array = np.asarray(value).view(_Counted)
    array.done = done
    return array


def operations(word: Op) -> dict[str, int]:
    """Operations on one value, by name, as the meaning of ``word`` is written; costly ones first.

    Comparisons and choices count like sums; operations on constants alone are not counted.
    """
    weights = {role: np.full(shape, 0.25) for role, shape in weight_shapes(word).items()}
    done: Counter[str] = Counter()
    forward(word, [_counted([0.5, -0.5], done)], weights)
    return dict(sorted(done.items(), key=lambda entry: (entry[0] not in COSTLY, -entry[1], entry[0])))


def costly(done: dict[str, int]) -> int:
    """How many of them are exponentials, roots, logarithms, powers and divisions."""
    return sum(count for name, count in done.items() if name in COSTLY)
