"""``predict --model``: photographs, prepared as the weights' authors say, seen by other people's weights."""

import json

import PIL.Image
import pytest
import skimage.data
from safetensors.torch import save_file
from typer.testing import CliRunner

import striate
from striate.api.weights import usual_preparation
from striate.cli import app
from striate.errors import ArgumentError, WeightsWarning
from striate.models import card
from striate.models.pretrained import LITE0


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photographs")
    for name in ("chelsea", "coffee"):
        PIL.Image.fromarray(getattr(skimage.data, name)()).save(folder / f"{name}.png")
    return folder


def test_the_command_just_works(photographs):
    arguments = ["--model", "efficientnet_lite0", "--weights", LITE0.path(), photographs, "--json"]
    done = CliRunner().invoke(app, ["predict", *map(str, arguments)])
    assert done.exit_code == 0, done.output
    cat, coffee = json.loads(done.stdout)
    assert cat["label"] in ("tabby, tabby cat", "tiger cat", "Egyptian cat")
    assert coffee["label"] == "espresso" and coffee["probability"] > 0.9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--weights", "x.pth", "a.png"], "--weights must come with --model"),
        (["--model", "resnet18", "a.png"], "which is there for efficientnet_lite0"),
        (["--model", "resnet81", "a.png"], "resnet18"),
        (["--model", "efficientnet_lite0"], "Missing argument"),
    ],
)
def test_wrong_commands_are_answered(arguments, message):
    done = CliRunner().invoke(app, ["predict", *arguments])
    assert done.exit_code != 0 and message in f"{done.output} {done.exception}"


def folder_of(tmp_path, name="resnet20_cifar", **config):
    save_file(striate.create(name, classes=3).state_dict(), tmp_path / "model.safetensors")
    cfg = {"input_size": [3, 32, 32], "interpolation": "bilinear", "crop_pct": 1.0, "crop_mode": "squash"}
    config = {"architecture": name, "num_classes": 3, "pretrained_cfg": cfg} | config
    (tmp_path / "config.json").write_text(json.dumps(config))
    return tmp_path


def test_a_folder_of_timm_names_the_classes(tmp_path, photographs):
    folder = folder_of(tmp_path, label_names=["cat", "dog", "owl"])
    found = striate.predict("resnet20_cifar", [photographs], weights=folder, top=3)
    assert {label for label, _ in found[0].top} == {"cat", "dog", "owl"} and len(found) == 2
    with pytest.raises(ArgumentError, match=r"each of the network's 3 classes, got .*, which names 1"):
        striate.predict("resnet20_cifar", [photographs], weights=folder_of(tmp_path, label_names=["cat"]))


def test_a_mere_file_is_taken_as_usual_and_this_is_said(tmp_path, photographs):
    file = folder_of(tmp_path, "shufflenet_v2_x0_5") / "model.safetensors"
    with pytest.warns(
        WeightsWarning, match=r"87.5% of the shorter side are taken at 224x224, with mean \(0.485"
    ):
        (found,) = striate.predict("shufflenet_v2_x0_5", [photographs / "coffee.png"], weights=file)
    assert {label for label, _ in found.top} == {"class 0", "class 1", "class 2"}
    save_file(striate.create("lenet5").state_dict(), tmp_path / "lenet5.safetensors")
    with pytest.raises(ArgumentError, match="must say how images are prepared for lenet5"):
        striate.predict("lenet5", [photographs], weights=tmp_path / "lenet5.safetensors")


def test_inceptions_values_are_between_minus_one_and_one():
    for name in ("googlenet", "inception_v3+aux"):
        with pytest.warns(WeightsWarning, match=r"mean \(0.5, 0.5, 0.5\) and deviation \(0.5"):
            assert usual_preparation(card(name), "inception.pth").std == (0.5, 0.5, 0.5)
