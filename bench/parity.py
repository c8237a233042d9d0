"""Do our networks compute what torchvision's and timm's compute? Random weights moved over, answers compared.

For every network that one of the two libraries also has: theirs is filled with random weights, batch norm's
statistics included; its state dict is saved as safetensors and loaded by ``striate.create``; both answer the
same random images in float64, at two sizes. The largest difference, divided by the largest answer, must stay
below 1e-10. Run it with both libraries installed beside striate, without what they would pull in:

    pip install --no-deps torchvision==0.28.0 timm==1.0.31 huggingface_hub pyyaml
    python bench/parity.py [NAME ...]

The table goes to bench/results/parity.md when no names are given.
"""

import argparse
import gc
import platform
import sys
import tempfile
import warnings
from datetime import UTC, datetime
from pathlib import Path

import torch
from rivals import torchvision_operators
from safetensors.torch import save_file
from torch import nn

LIMIT = 1e-10
RESULT = Path(__file__).parent / "results" / "parity.md"
LARGE = 30_000_000  # parameters from which the images are small

torchvision_operators.declare()

import timm  # noqa: E402
import torchvision  # noqa: E402

import striate  # noqa: E402
from striate.errors import WeightsWarning  # noqa: E402
from striate.models import card, create, list_models  # noqa: E402
from striate.models.weights_source import TIMM  # noqa: E402


def rivals(name: str) -> list[tuple[str, nn.Module]]:
    """(library, network) of each library that has it, with fresh weights."""
    found = []
    base, _, auxiliary = name.partition("+")
    if hasattr(torchvision.models, base):
        heads = {"aux_logits": bool(auxiliary), "init_weights": False}
        options = heads if base in ("googlenet", "inception_v3") else {}
        found.append(("torchvision", getattr(torchvision.models, base)(weights=None, **options)))
    if timm.is_model(TIMM.get(name, name)):
        found.append(("timm", timm.create_model(TIMM.get(name, name))))
    if name.startswith("mobilenet_v1_0"):  # timm names only the whole width, and has the others
        build = timm.models.efficientnet._gen_mobilenet_v1
        found.append(("timm", build("mobilenetv1_100", int(name[-3:]) / 100)))
    return found


def fill(network: nn.Module) -> None:
    """Random numbers of a size at which answers neither vanish nor overflow."""
    for name, tensor in network.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 1.5)
        elif tensor.is_floating_point() and tensor.ndim > 1:
            tensor.normal_(0, (2 / max(1, tensor[0].numel())) ** 0.5)
        elif tensor.is_floating_point():
            tensor.normal_(1.0 if name.endswith("weight") else 0.0, 0.1)


def sizes(name: str) -> tuple[int, int]:
    side = card(name).image_size[0]
    least = 129 if name.startswith("inception") else 64
    first = min(side, max(least, 96 if card(name).parameters > LARGE else 160))
    return first, first + 31


@torch.no_grad()
def compare(name: str, theirs: nn.Module) -> tuple[list[float], str]:
    """Relative differences at each size, and whose names theirs has."""
    torch.manual_seed(0)
    fill(theirs)
    errors = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.safetensors"
        save_file({key: tensor.contiguous() for key, tensor in theirs.state_dict().items()}, path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", WeightsWarning)
            ours = create(name, weights=path)
    ours, theirs = ours.double().eval(), theirs.double().eval()
    same = {key for key, _ in ours.named_parameters()} == {key for key, _ in theirs.named_parameters()}
    for side in sizes(name):
        x = torch.randn(2, card(name).channels, side, side, dtype=torch.float64)
        a, b = ours(x), theirs(x)
        if not (torch.isfinite(b).all() and b.std() > 0):
            raise SystemExit(f"{name}: theirs gives no useful answer at {side}")
        errors.append(float((a - b).abs().max() / b.abs().max()))
    return errors, "ours" if same else "other"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*")
    asked = parser.parse_args().names
    lines: list[str] = []
    failed = []
    for name in asked or list_models():
        for library, theirs in rivals(name):
            errors, how = compare(name, theirs)
            if max(errors) >= LIMIT:
                failed.append(f"{name} ({library})")
            sides = ", ".join(map(str, sizes(name)))
            line = f"| {name} | {library} | {how} | {sides} | {errors[0]:.1e} | {errors[1]:.1e} |"
            lines.append(line)
            print(line, flush=True)
            del theirs
            gc.collect()
    print(f"{len(lines)} comparisons, {len(failed)} above {LIMIT:g}: {', '.join(failed) or 'none'}")
    if not asked:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text("\n".join([*heading(len(lines), len(failed)), *lines]) + "\n", encoding="utf-8")
    sys.exit(1 if failed else 0)


def heading(count: int, failed: int) -> list[str]:
    versions = ", ".join(
        f"{module.__name__} {module.__version__}" for module in (striate, torch, torchvision, timm)
    )
    return [
        "# Parity with torchvision and timm",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, {versions}, Python {platform.python_version()}, "
        f"{platform.machine()}. Made by `python bench/parity.py`.",
        "",
        "Their network is filled with random weights, batch norm's statistics included; its state dict is saved "
        "and loaded by `striate.create(name, weights=...)`; both answer two random images of each size in float64. "
        "The numbers are the largest difference divided by the largest answer. "
        f"{count} comparisons, {failed} above {LIMIT:g}.",
        "",
        "| network | library | names of its tensors | sides | at the first | at the second |",
        "|---|---|---|---|---|---|",
    ]


if __name__ == "__main__":
    main()
