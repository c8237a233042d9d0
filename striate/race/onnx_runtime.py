"""ONNX Runtime on the CPU, all graph optimisations on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from striate.race.contestant import Answer, Entry


def prepare(entry: Entry) -> Answer:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = entry.threads, 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(entry.onnx), options, providers=["CPUExecutionProvider"])
    feeds = {session.get_inputs()[0].name: entry.images}

    def answer() -> NDArray[np.float32]:
        found: NDArray[np.float32] = session.run(None, feeds)[0]
        return found

    return answer
