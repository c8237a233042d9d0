"""The first expectation: a folder with twenty photographs a class, and no option, must give a good network.

The photographs are tiles of pictures that scikit-image and scikit-learn ship: no two share a pixel, and those
that are tested are not among those that are learned.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import sklearn.datasets
from journey_world import answer, within
from PIL import Image

ROWS, COLUMNS = 4, 7
LEARNED, TESTED = 20, 8  # of the 28 tiles of each picture
SIDE = 96
SUBJECTS = (3, pytest.param(7, marks=pytest.mark.long))


def pictures() -> dict[str, np.ndarray]:
    found = {name: getattr(skimage.data, name)() for name in ("chelsea", "coffee", "rocket")}
    found |= {
        "motorcycle": skimage.data.stereo_motorcycle()[0],
        "tissue": skimage.data.immunohistochemistry(),
    }
    return found | {name: sklearn.datasets.load_sample_image(f"{name}.jpg") for name in ("china", "flower")}


@pytest.fixture(params=SUBJECTS)
def photographs(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """photographs/{train,test}/<class>/*.png, 96x96."""
    root = tmp_path / "photographs"
    draw = np.random.default_rng(0)
    for name, pixels in list(pictures().items())[: request.param]:
        picture = Image.fromarray(pixels).convert("RGB")
        width, height = picture.width // COLUMNS, picture.height // ROWS
        for number, place in enumerate(draw.permutation(ROWS * COLUMNS)):
            left, top = int(place % COLUMNS) * width, int(place // COLUMNS) * height
            tile = picture.resize(
                (SIDE, SIDE), Image.Resampling.BICUBIC, (left, top, left + width, top + height)
            )
            folder = root / ("train" if number < LEARNED else "test") / name
            folder.mkdir(parents=True, exist_ok=True)
            tile.save(folder / f"{number:02d}.png")
    return root


def test_twenty_photographs_a_class_are_enough(photographs: Path) -> None:
    run = photographs.parent / "run"
    done = within("train", photographs, "--run", "run", cwd=photographs.parent)
    assert done.returncode == 0, done.stderr.decode()
    assert b"Fine-tunes efficientnet_lite0 from the weights that it learned on ImageNet" in done.stderr
    result, settings = (json.loads((run / name).read_text()) for name in ("result.json", "settings.json"))
    assert result["split"] == "test" and result["images"] == settings["model"]["classes"] * TESTED
    assert result["accuracy"] > 0.95
    assert settings["model"]["weights"] == "pretrained" and settings["settings"]["head_epochs"] > 0
    measured = answer(within("evaluate", "run", photographs, "--json", cwd=photographs.parent))
    assert isinstance(measured, dict) and measured["accuracy"] == result["accuracy"]
