"""Whole networks on CPU: ours beside torch (channels_last), ONNX Runtime and OpenVINO, whichever are installed.

    python bench/engine_networks.py resnet18 vgg16 --threads 1 --rounds 15

All run in one process, one image, one after the other in every round, so that a busy machine disturbs all
alike; a ratio is taken within its round, and the median over rounds is printed with the quartiles.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter, process_time

parser = argparse.ArgumentParser()
parser.add_argument("networks", nargs="+")
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--rounds", type=int, default=15)
parser.add_argument("--turns", type=int, default=3, help="calls in a round; the least time counts")
parser.add_argument("--cpu", action="store_true", help="count processor time: one thread on a busy machine")
arguments = parser.parse_args()
clock = process_time if arguments.cpu else perf_counter
os.environ["OMP_NUM_THREADS"] = str(arguments.threads)

import numpy as np  # noqa: E402  after the number of threads is set
import torch  # noqa: E402

from striate.capture import capture  # noqa: E402
from striate.engine.engine import Engine  # noqa: E402
from striate.graph.fold import fold_batch_norm  # noqa: E402
from striate.models import card, create  # noqa: E402

Answer = Callable[[], np.ndarray]


def lively(name: str) -> torch.nn.Module:
    """The network with norms that are not the identity, so that folding is tested too."""
    torch.manual_seed(0)
    module = create(name).eval()
    for part in module.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.1)
            part.running_var.uniform_(0.5, 1.5)
    return module


def contestants(module: torch.nn.Module, x: torch.Tensor, threads: int) -> dict[str, Answer]:
    graph, weights = fold_batch_norm(*capture(module, x))
    engine = Engine(graph, weights, threads=threads)
    array = x.numpy()
    found: dict[str, Answer] = {"striate": lambda: engine(array)}
    last = module.to(memory_format=torch.channels_last)
    image = x.contiguous(memory_format=torch.channels_last)
    found["torch"] = lambda: last(image).numpy()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "network.onnx"
        torch.onnx.export(module, (x,), path, dynamo=False, opset_version=17, input_names=["x"])
        if find_spec("onnxruntime"):
            found["onnxruntime"] = onnxruntime_session(path, array, threads)
        if find_spec("openvino"):
            found["openvino"] = openvino_request(path, array, threads)
    return found


def onnxruntime_session(path: Path, x: np.ndarray, threads: int) -> Answer:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"x": x})[0]


def openvino_request(path: Path, x: np.ndarray, threads: int) -> Answer:
    import openvino

    settings = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "ENABLE_CPU_PINNING": False,
    }
    request = openvino.Core().compile_model(str(path), "CPU", settings).create_infer_request()
    request.set_input_tensor(openvino.Tensor(x))

    def answer() -> np.ndarray:
        request.infer()
        return request.get_output_tensor(0).data

    return answer


def race(name: str, threads: int) -> None:
    torch.set_num_threads(threads)
    module = lively(name)
    x = torch.randn(1, card(name).channels, *card(name).image_size)
    answers = contestants(module, x, threads)
    with torch.inference_mode():
        expected = answers["torch"]().astype(np.float64)
        for who, answer in answers.items():
            error = np.linalg.norm(answer() - expected) / np.linalg.norm(expected)
            if not error < 1e-4:
                sys.exit(f"{name}: {who} differs from torch by {error:.1e}")
        times = {who: [] for who in answers}
        for _ in range(arguments.rounds):
            for who, answer in answers.items():
                answer()
                turns = []
                for _ in range(arguments.turns):
                    start = clock()
                    answer()
                    turns.append(clock() - start)
                times[who].append(min(turns))
    table = {who: np.array(each) * 1e3 for who, each in times.items()}
    rivals = [who for who in table if who != "striate"]
    best = min(rivals, key=lambda who: np.median(table[who]))
    low, ratio, high = np.percentile(table[best] / table["striate"], [25, 50, 75])
    shown = "  ".join(f"{who} {np.median(each):.2f}" for who, each in table.items())
    print(f"{name} threads={threads} n={arguments.rounds}: ms {shown}")
    print(f"  ratio to {best}: {ratio:.2f} (quartiles {low:.2f} to {high:.2f})", flush=True)


for network in arguments.networks:
    race(network, arguments.threads)
