"""A folder as timm publishes it, on this disk or on a hub: weights, preprocessing and classes together."""

import json

import huggingface_hub
import pytest
import torch
from safetensors.torch import save_file

from striate.data.imagenet import imagenet_classes
from striate.errors import ArgumentError, WeightsWarning
from striate.models import create, weights_source

CONFIG = {  # the entries that timm.models.push_to_hf_hub writes for resnet18.a1_in1k
    "architecture": "resnet18",
    "num_classes": 1000,
    "num_features": 512,
    "pretrained_cfg": {
        "tag": "a1_in1k",
        "custom_load": False,
        "input_size": [3, 224, 224],
        "test_input_size": [3, 288, 288],
        "fixed_input_size": False,
        "interpolation": "bicubic",
        "crop_pct": 0.95,
        "test_crop_pct": 1.0,
        "crop_mode": "center",
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
        "num_classes": 1000,
        "pool_size": [7, 7],
        "first_conv": "conv1",
        "classifier": "fc",
    },
}
SMALL = {
    "architecture": "shufflenet_v2_x0_5",
    "num_classes": 3,
    "label_names": ["n1", "n2", "n3"],
    "label_descriptions": {"n1": "cat", "n2": "dog", "n3": "owl"},
    "pretrained_cfg": CONFIG["pretrained_cfg"] | {"num_classes": 3},
}


@pytest.fixture(scope="module")
def state():
    return create("shufflenet_v2_x0_5", classes=3).state_dict()


def write(folder, config, state):
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    save_file(state, folder / "model.safetensors")
    return folder


def test_a_folder_says_how_images_are_prepared(tmp_path, state):
    source = weights_source("resnet18", write(tmp_path / "hub", CONFIG, state))
    assert source.path == tmp_path / "hub" / "model.safetensors"
    assert source.count == 1000 and source.classes == imagenet_classes()
    preparing = source.preprocessing
    assert (preparing.image_size, preparing.channels, preparing.crop) == ((224, 224), 3, 0.95)
    assert (preparing.resize, preparing.resample) == ("shorter_side_center_crop", "bicubic")
    assert preparing.mean == (0.485, 0.456, 0.406) and preparing.std == (0.229, 0.224, 0.225)


def test_older_folders_have_one_level(tmp_path, state):
    flat = {key: value for key, value in CONFIG.items() if key != "pretrained_cfg"} | CONFIG["pretrained_cfg"]
    assert weights_source("resnet18", write(tmp_path / "hub", flat, state)) == weights_source(
        "resnet18", write(tmp_path / "hub", CONFIG, state)
    )


def test_a_folder_and_its_classes_make_a_network(tmp_path, state):
    folder = write(tmp_path / "hub", SMALL, state)
    network = create("shufflenet_v2_x0_5", weights=folder)
    assert torch.equal(network.fc.weight, state["fc.weight"])
    assert weights_source("shufflenet_v2_x0_5", str(folder)).classes == ("cat", "dog", "owl")
    with pytest.warns(WeightsWarning, match="fc.weight, fc.bias start untrained"):
        assert create("shufflenet_v2_x0_5", weights=folder, classes=5).fc.out_features == 5


def test_the_hub_is_such_a_folder(tmp_path, state, monkeypatch):
    folder = write(tmp_path / "hub", SMALL, state)
    asked = []

    def snapshot(repository, *, revision, allow_patterns):
        asked.append((repository, revision, allow_patterns))
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    network = create("shufflenet_v2_x0_5", weights="hf-hub:someone/shuffled@v2")
    assert torch.equal(network.fc.weight, state["fc.weight"])
    assert asked == [("someone/shuffled", "v2", ["config.json", "model.safetensors"])]


def test_a_hub_without_safetensors_gives_its_other_file(tmp_path, state, monkeypatch):
    folder = write(tmp_path / "hub", SMALL, state)
    (folder / "model.safetensors").unlink()

    def snapshot(repository, *, revision, allow_patterns):
        if "pytorch_model.bin" in allow_patterns:
            torch.save(state, folder / "pytorch_model.bin")
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    network = create("shufflenet_v2_x0_5", weights="hf-hub:someone/shuffled")
    assert torch.equal(network.fc.weight, state["fc.weight"])


def test_a_hub_out_of_reach_is_a_sentence(monkeypatch):
    def snapshot(*_, **__):
        raise OSError("no route to host\nand much more")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    with pytest.raises(
        ArgumentError, match=r"got hf-hub:timm/x, at which OSError came: no route to host Check"
    ):
        create("resnet18", weights="hf-hub:timm/x")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"architecture": "resnet18d"}, "whose config.json says resnet18d: create that network"),
        ({"architecture": None}, "whose config.json says None"),
        (
            {"pretrained_cfg": {"crop_mode": "border"}},
            "crop_mode must be one of center, squash, got 'border'",
        ),
        ({"pretrained_cfg": {"interpolation": "lanczos"}}, "resample must be one of"),
        ({"pretrained_cfg": {"input_size": 3}}, r"entries cannot be read \(TypeError"),
        ({"pretrained_cfg": 7}, "entries cannot be read"),
        ({"num_classes": "many"}, "entries cannot be read"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(tmp_path, state, change, message):
    with pytest.raises(ArgumentError, match=message):
        weights_source("resnet18", write(tmp_path / "hub", CONFIG | change, state))


def test_networks_that_differ_in_padding_alone_are_told_apart(tmp_path, state):
    config = CONFIG | {"architecture": "tf_efficientnet_b0"}
    with pytest.raises(ArgumentError, match="says tf_efficientnet_b0"):
        weights_source("efficientnet_b0", write(tmp_path / "hub", config, state))


def test_timms_name_of_a_network_is_known(tmp_path, state):
    config = CONFIG | {"architecture": "mobilenetv2_100"}
    assert weights_source("mobilenet_v2", write(tmp_path / "hub", config, state)).count == 1000


def test_a_folder_without_its_files_is_refused(tmp_path, state):
    with pytest.raises(
        ArgumentError, match=r"a folder with config.json and model.safetensors, got .*not both"
    ):
        weights_source("resnet18", tmp_path)
    folder = write(tmp_path / "hub", CONFIG, state)
    (folder / "config.json").write_text("{")
    with pytest.raises(ArgumentError, match=r"must have a readable config\.json"):
        weights_source("resnet18", folder)
