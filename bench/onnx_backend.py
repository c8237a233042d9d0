"""The ONNX backend's own node tests, read by striate and run by its definitions: passed, refused, failed.

Each test is a graph of one operator (or of what one is defined by) with inputs and outputs. It passes if the words
that striate reads give these outputs, it is refused if striate says which operator, attribute or shape it has no
words for, and it fails otherwise. What the test feeds as an input and striate takes as a weight (a kernel, axes,
a shape) is put into the file as a constant. The first axis of an input is the batch: tests that reduce, pad or
transpose it are refused.

    python bench/onnx_backend.py        writes bench/results/onnx_backend.md
"""

from __future__ import annotations

import datetime
import platform
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, numpy_helper
from onnx.backend.test.loader import load_model_tests

from striate.errors import StriateError
from striate.graph import Graph
from striate.onnx.file import parse_model
from striate.onnx.network import words_of
from striate.onnx.registry import READERS
from striate.reference import run

RESULTS = Path(__file__).parent / "results" / "onnx_backend.md"


def cases() -> Iterator[Any]:
    """All node tests of operators without training."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield from load_model_tests(kind="node")


def operators(case: Any) -> set[str]:
    return {node.op_type for node in case.model.graph.node}


def outcome(case: Any) -> tuple[str, str]:
    """ "passed", "refused" or "failed", and why."""
    reasons = []
    for constants in (0, 1):
        try:
            return _outcome(case, constants)
        except StriateError as refusal:
            reasons.append(str(refusal))
    return "refused", reasons[-1]


def _outcome(case: Any, constants: int) -> tuple[str, str]:
    """With all inputs as inputs, or (``constants``) all but the first as constants."""
    for inputs, outputs in case.data_sets:
        model, fed = _with_constants(case.model, [_array(x) for x in inputs], constants)
        graph, weights = words_of(parse_model(model.SerializeToString(), Path(f"{case.name}.onnx")))
        found = _run(graph, weights, fed)
        for index, (result, expected) in enumerate(zip(found, outputs, strict=True)):
            expected = np.asarray(_array(expected))
            if expected.dtype.kind not in "f":
                expected = expected.astype(np.float64)
            close = result.shape == expected.shape and np.allclose(
                result, expected.astype(np.float64), case.rtol or 1e-3, case.atol or 1e-7, equal_nan=True
            )
            if not close:
                return "failed", f"output {index}: {_difference(result, expected)}"
    return "passed", ""


def _difference(result: np.ndarray, expected: np.ndarray) -> str:
    if result.shape != expected.shape:
        return f"shape {result.shape}, expected {expected.shape}"
    return f"largest difference {np.abs(result - expected).max()}"


def _array(value: Any) -> Any:
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def _with_constants(case: ModelProto, values: list[Any], constants: int) -> tuple[ModelProto, list[Any]]:
    model = ModelProto()
    model.CopyFrom(case)
    if constants:
        for info, value in zip(list(model.graph.input)[1:], values[1:], strict=True):
            if isinstance(value, (np.ndarray, np.generic)):
                model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), info.name))
        values = values[:1]
    return model, values


def _run(graph: Graph, weights: dict[str, np.ndarray], values: list[Any]) -> tuple[np.ndarray, ...]:
    named = {name: np.asarray(value, np.float64) for name, value in zip(graph.inputs, values, strict=True)}
    found = run(graph, weights, named)
    return found if isinstance(found, tuple) else (found,)


def main() -> None:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    failures = []
    total: Counter[str] = Counter()
    for case in cases():
        result, reason = outcome(case)
        total[result] += 1
        accepted = operators(case) <= set(READERS) | {"Constant"}
        for operator in operators(case) if accepted else {"(others)"}:
            counts[operator][result] += 1
        if result == "failed":
            failures.append(f"{case.name}: {reason}")
    lines = [
        "# The ONNX backend's node tests",
        "",
        f"{datetime.date.today()}, onnx {onnx.__version__}, Python {platform.python_version()}; "
        f"`python bench/onnx_backend.py`. In all: {total['passed']} passed, {total['refused']} refused with a "
        f"reason, {total['failed']} failed. Values are those of `striate.reference` in float64, compared with the "
        "tests' own tolerances.",
        "",
        'Refused are operators without words (the line "others"), tests that mix the first axis, which is the '
        "batch, and integer, string or half-precision-only forms.",
        "",
        "| operator | passed | refused | failed |",
        "|---|---|---|---|",
        *(
            f"| {name} | {c['passed']} | {c['refused']} | {c['failed']} |"
            for name, c in sorted(counts.items())
        ),
        *(["", "Failed:", ""] if failures else []),
        *(f"- {failure}" for failure in failures),
    ]
    RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(dict(total), *failures, sep="\n")


if __name__ == "__main__":
    main()
