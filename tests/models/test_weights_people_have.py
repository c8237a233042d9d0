"""Other names, other numbers of classes, checkpoints: what fits is loaded, and what does not is said."""

import subprocess
import sys
import warnings

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from striate.errors import ArgumentError, WeightsWarning
from striate.models import create, load_weights
from striate.models.weights_names import origin_of, reading_order


@pytest.fixture
def state():
    torch.manual_seed(1)
    return create("resnet20_cifar").state_dict()


def loaded(path, name="resnet20_cifar", **options):
    """The network; a warning fails the test."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", WeightsWarning)
        return create(name, weights=path, **options)


def same(first, second):
    return first.keys() == second.keys() and all(
        torch.equal(tensor, second[name]) for name, tensor in first.items()
    )


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: {"state_dict": state, "epoch": 3},
        lambda state: {"model": state, "optimizer": {"lr": 0.1}},
        lambda state: {f"module.{name}": tensor for name, tensor in state.items()},
        lambda state: {"model": {f"module._orig_mod.{name}": tensor for name, tensor in state.items()}},
        lambda state: dict(reversed(state.items())),
    ],
    ids=["state_dict", "model", "DistributedDataParallel", "compiled", "reversed"],
)
def test_checkpoints_of_training_scripts_are_read(tmp_path, state, wrap):
    torch.save(wrap(state), tmp_path / "checkpoint.pth")
    assert same(loaded(tmp_path / "checkpoint.pth").state_dict(), state)


def test_counters_of_steps_may_be_missing_and_are_kept_where_they_are(tmp_path, state):
    counted = {name: tensor + 7 if "num_batches" in name else tensor for name, tensor in state.items()}
    save_file(counted, tmp_path / "counted.safetensors")
    assert int(loaded(tmp_path / "counted.safetensors").bn1.num_batches_tracked) == 7
    save_file({k: v for k, v in state.items() if "num_batches" not in k}, tmp_path / "bare.safetensors")
    assert same(loaded(tmp_path / "bare.safetensors").state_dict(), state)


def test_another_number_of_classes_replaces_the_head_and_says_so(tmp_path, state):
    path = tmp_path / "ten.safetensors"
    save_file(state, path)
    with pytest.warns(WeightsWarning) as caught:
        network = create("resnet20_cifar", weights=path, classes=7)
    assert [str(warning.message) for warning in caught] == [
        f"{path} knows 10 classes and this network another number: linear.weight, linear.bias start "
        "untrained, all other tensors were loaded."
    ]
    found = network.state_dict()
    assert found["linear.weight"].shape == (7, 64)
    assert all(
        torch.equal(found[name], tensor) for name, tensor in state.items() if not name.startswith("linear")
    )


def test_without_a_wish_the_file_says_how_many_classes_there_are(tmp_path):
    network = create("resnet20_cifar", classes=7)
    save_file(network.state_dict(), tmp_path / "seven.safetensors")
    assert same(loaded(tmp_path / "seven.safetensors").state_dict(), network.state_dict())


def test_another_number_of_classes_under_other_names(tmp_path, state):
    renamed = {
        name.replace("linear", "head").replace("layer", "stage"): tensor for name, tensor in state.items()
    }
    save_file(renamed, tmp_path / "other.safetensors")
    with pytest.warns(WeightsWarning, match="structure told what each is"):
        ten = create("resnet20_cifar", weights=tmp_path / "other.safetensors")
    assert same(ten.state_dict(), state)
    with pytest.warns(WeightsWarning, match="linear.weight, linear.bias start untrained"):
        seven = create("resnet20_cifar", weights=tmp_path / "other.safetensors", classes=7)
    assert torch.equal(seven.layer3[2].conv2.weight, state["layer3.2.conv2.weight"])


def test_a_difference_elsewhere_is_no_other_number_of_classes(tmp_path, state):
    for name in ("layer3.2.bn2.weight", "linear.weight"):
        odd = state | {name: torch.zeros(state[name].shape[0] + 1, *state[name].shape[1:])}
        odd |= {"conv1.weight": torch.zeros(16, 1, 3, 3)}
        save_file(odd, tmp_path / "odd.safetensors")
        with pytest.raises(ArgumentError, match=r"but 2 differ(.|\n)*conv1.weight +16x3x3x3 +16x1x3x3"):
            loaded(tmp_path / "odd.safetensors")


def test_the_tensors_of_another_network_are_recognised(tmp_path):
    save_file(create("resnet32_cifar").state_dict(), tmp_path / "deeper.safetensors")
    with pytest.raises(ArgumentError, match="They are the tensors of resnet32_cifar: create that network"):
        loaded(tmp_path / "deeper.safetensors")


def test_quantised_tensors_are_refused_and_halves_are_read(tmp_path, state):
    save_file(state | {"linear.weight": state["linear.weight"].to(torch.int8)}, tmp_path / "int8.safetensors")
    with pytest.raises(ArgumentError, match=r"must be torch.float32 for linear.weight, got torch.int8"):
        loaded(tmp_path / "int8.safetensors")
    half = {name: t.half() if t.is_floating_point() else t for name, t in state.items()}
    save_file(half, tmp_path / "half.safetensors")
    found = loaded(tmp_path / "half.safetensors")
    assert found.linear.weight.dtype == torch.float32
    torch.testing.assert_close(found.linear.weight, state["linear.weight"], atol=1e-3, rtol=1e-3)


def test_auxiliary_heads_in_the_file_are_left_out_and_said(tmp_path):
    with_heads = create("googlenet+aux", classes=5)
    save_file(with_heads.state_dict(), tmp_path / "aux.safetensors")
    with pytest.warns(WeightsWarning, match=r"has 1\d tensors more than this network: aux1.conv"):
        network = create("googlenet", weights=tmp_path / "aux.safetensors")
    assert torch.equal(network.fc.weight, with_heads.fc.weight)


BLOCKS = (1, 2, 3, 4, 3, 3, 1)  # inverted residuals of each stage of MobileNet v2


def timm_names(names):
    """MobileNet v2's tensors, from torchvision's names to timm's."""
    stages = [(stage, block) for stage, count in enumerate(BLOCKS) for block in range(count)]
    ends = {"features.0.0": "conv_stem", "features.0.1": "bn1", "features.18.0": "conv_head"}
    ends |= {"features.18.1": "bn2", "classifier.1": "classifier"}
    first = {"conv.0.0": "conv_dw", "conv.0.1": "bn1", "conv.1": "conv_pw", "conv.2": "bn2"}
    others = {"conv.0.0": "conv_pw", "conv.0.1": "bn1", "conv.1.0": "conv_dw", "conv.1.1": "bn2"}
    others |= {"conv.2": "conv_pwl", "conv.3": "bn3"}
    found = {}
    for name in names:
        path, _, role = name.rpartition(".")
        if path in ends:
            found[name] = f"{ends[path]}.{role}"
        else:
            _, number, inside = path.split(".", 2)
            stage, block = stages[int(number) - 1]
            found[name] = f"blocks.{stage}.{block}.{(first if number == '1' else others)[inside]}.{role}"
    return found


def test_timms_names_and_epsilon_are_understood(tmp_path):
    ours = create("mobilenet_v2", classes=3)
    for norm in ours.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)
    names = timm_names(ours.state_dict())
    save_file({names[name]: t for name, t in ours.state_dict().items()}, tmp_path / "timm.safetensors")
    with pytest.warns(
        WeightsWarning, match="has the names of timm: timm's networks whose names begin with tf_"
    ):
        found = create("mobilenet_v2", weights=tmp_path / "timm.safetensors")
    assert same(found.state_dict(), ours.state_dict())


def test_timms_epsilon_comes_with_its_names(tmp_path):
    ours = create("mobilenet_v3_small", classes=3)
    assert {layer.eps for layer in ours.modules() if isinstance(layer, nn.BatchNorm2d)} == {1e-3}
    state = ours.state_dict()
    expected = iter(state.items())
    timm = {}

    def take(path, roles):
        for role in roles:
            _, tensor = next(expected)
            timm[f"{path}.{role}"] = tensor

    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    both = ("weight", "bias")
    take("conv_stem", ["weight"]), take("bn1", norm)
    # (stage, block), whether it expands, whether it squeezes: table 2 of the paper
    blocks = [((0, 0), False, True), ((1, 0), True, False), ((1, 1), True, False)]
    blocks += [((2, index), True, True) for index in range(3)] + [
        ((3, index), True, True) for index in range(2)
    ]
    blocks += [((4, index), True, True) for index in range(3)]
    for (stage, block), expands, squeezes in blocks:
        place = f"blocks.{stage}.{block}"
        rows = [("conv_pw", "bn1"), ("conv_dw", "bn2")] if expands else [("conv_dw", "bn1")]
        for convolution, after in rows:
            take(f"{place}.{convolution}", ["weight"]), take(f"{place}.{after}", norm)
        if squeezes:
            take(f"{place}.se.conv_reduce", both), take(f"{place}.se.conv_expand", both)
        last = ("conv_pwl", "bn3") if expands else ("conv_pw", "bn2")
        take(f"{place}.{last[0]}", ["weight"]), take(f"{place}.{last[1]}", norm)
    take("blocks.5.0.conv", ["weight"]), take("blocks.5.0.bn1", norm)
    take("conv_head", both), take("classifier", both)
    timm["conv_head.weight"] = timm["conv_head.weight"][:, :, None, None]  # a convolution, there
    save_file({name: tensor.contiguous() for name, tensor in timm.items()}, tmp_path / "timm.safetensors")
    with pytest.warns(WeightsWarning):
        found = create("mobilenet_v3_small", weights=tmp_path / "timm.safetensors")
    assert same(found.state_dict(), state)
    assert {layer.eps for layer in found.modules() if isinstance(layer, nn.BatchNorm2d)} == {1e-5}


def test_words_that_stand_in_no_table_have_no_reading_order():
    assert reading_order(["conv_stem.weight", "bn1.weight", "blocks.0.x.weight"]) is None
    assert reading_order(["10.weight", "9.weight"]) == ["9.weight", "10.weight"]
    assert origin_of(["fc.weight"]) is None


def test_create_leaves_torchs_compiler_alone():
    """torch._dynamo takes seconds to import; a pass over meta tensors would import it."""
    code = (
        "import sys, torch\nfrom striate.models import create\ncreate('striate_tiny')\n"
        "sys.exit('torch._dynamo' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_load_weights_replaces_no_head(tmp_path, state):
    save_file(state, tmp_path / "ten.safetensors")
    with pytest.raises(ArgumentError, match=r"linear.weight +7x64 +10x64"):
        load_weights(create("resnet20_cifar", classes=7), tmp_path / "ten.safetensors")
