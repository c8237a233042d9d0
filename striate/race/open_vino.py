"""OpenVINO on the CPU, asked for the latency of one request and for single precision."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from striate.race.contestant import Answer, Entry


def prepare(entry: Entry) -> Answer:
    import openvino

    settings = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": entry.threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "ENABLE_CPU_PINNING": False,
    }
    request = openvino.Core().compile_model(str(entry.onnx), "CPU", settings).create_infer_request()
    request.set_input_tensor(openvino.Tensor(entry.images))

    def answer() -> NDArray[np.float32]:
        request.infer()
        found: NDArray[np.float32] = request.get_output_tensor(0).data.copy()
        return found

    return answer
