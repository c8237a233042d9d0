"""Under other names, each tensor goes where it belongs, or nothing goes anywhere."""

import random
import string

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from striate.errors import ArgumentError, WeightsWarning
from striate.models import create, load_weights
from striate.models.registry import MODELS
from striate.models.weights import shapes_of
from striate.models.weights_alignment import align

SMALL = (
    "striate_tiny",
    "lenet5",
    "lenet5_1998",
    "resnet20_cifar",
    "googlenet",
    "inception_v3",
    "mobilenet_v1",
)


def sketch(name):
    known = MODELS[name].card
    with torch.device("meta"):
        module = MODELS[name].build(
            classes=known.classes, in_channels=known.channels, image_size=known.image_size
        )
    return shapes_of(module)


SHAPES = {name: sketch(name) for name in SMALL}


def renamed(shapes, rename):
    """The same tensors with every word of a module, but not of a tensor, replaced by ``rename(word)``."""
    return {name: ".".join([*map(rename, name.split(".")[:-1]), name.split(".")[-1]]) for name in shapes}


def moved(shapes, names, order):
    """Their shapes, in another order of entries."""
    return {names[name]: shapes[name] for name in order}


def modules(names):
    return {name.rpartition(".")[0] for name in names}


def right_or_refused(shapes, names, theirs, ordered):
    alignment = align(shapes, theirs, ordered=ordered)
    assert alignment.problem or alignment.names == names
    return not alignment.problem


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(SMALL), st.integers(0, 2**32), st.booleans(), st.booleans(), st.booleans())
@example("lenet5_1998", 10, False, False, False)  # two modules under one name, with other tensors each
def test_random_words_are_understood_or_refused(name, seed, consistent, numbered, ordered):
    """A word is renamed everywhere alike, or each time anew; the new words may end in numbers."""
    shapes, rng = SHAPES[name], random.Random(seed)

    def fresh():
        letters = "".join(rng.choices(string.ascii_lowercase, k=rng.choice((1, 6))))
        return letters + (str(rng.randrange(30)) if numbered else "")

    places = {}
    by_place = {}
    for path in shapes:
        words = path.split(".")[:-1]
        new = [
            places.setdefault(word if consistent else tuple(words[: depth + 1]), fresh())
            for depth, word in enumerate(words)
        ]
        by_place[path] = ".".join([*new, path.split(".")[-1]])
    if len(set(by_place.values())) < len(shapes) or len(modules(by_place.values())) < len(modules(shapes)):
        return  # two places got one name
    order = list(shapes)
    if not ordered:
        rng.shuffle(order)
    right_or_refused(shapes, by_place, moved(shapes, by_place, order), ordered)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(SMALL), st.integers(0, 2**32), st.booleans())
def test_numbers_that_do_not_count_layers_are_refused(name, seed, consistent):
    """All words become one letter with a random number: an order that says nothing."""
    shapes, rng = SHAPES[name], random.Random(seed)
    numbers = list(range(100))
    rng.shuffle(numbers)
    places = {}
    names = {}
    for path in shapes:
        words = path.split(".")[:-1]
        keys = words if consistent else [tuple(words[: depth + 1]) for depth in range(len(words))]
        new = [places.setdefault(key, f"m{numbers[len(places) % 100]}") for key in keys]
        names[path] = ".".join([*new, path.split(".")[-1]])
    if len(set(names.values())) == len(shapes):
        right_or_refused(shapes, names, moved(shapes, names, sorted(shapes)), ordered=False)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("ordered", [False, True])
def test_the_order_of_entries_decides_nothing_where_names_do(name, ordered):
    shapes = SHAPES[name]
    names = {path: path for path in shapes}
    order = random.Random(1).sample(list(shapes), len(shapes))
    assert align(shapes, moved(shapes, names, order), ordered=ordered).names == names


def test_lists_are_read_in_natural_order():
    ours = {f"layers.{number}.weight": (4, 4) for number in range(12)}
    theirs = {f"trunk.{2 * number}.weight": (4, 4) for number in range(12)}
    expected = {f"layers.{number}.weight": f"trunk.{2 * number}.weight" for number in range(12)}
    by_letters = {name: theirs[name] for name in sorted(theirs)}
    assert list(by_letters)[1] == "trunk.10.weight"
    assert align(ours, by_letters, ordered=False).names == expected


def test_wrappers_and_words_for_layers_are_understood():
    ours = {"layer1.0.conv1.weight": (8, 8, 3, 3), "layer1.0.bn1.weight": (8,)}
    ours |= {"layer1.0.conv2.weight": (8, 8, 3, 3), "layer1.0.bn2.weight": (8,), "fc.weight": (2, 8)}
    theirs = {
        name.replace("layer1", "net.stage").replace("bn", "norm").replace("fc", "head.linear"): shape
        for name, shape in ours.items()
    }
    names = align(ours, dict(sorted(theirs.items())), ordered=False).names
    assert names["layer1.0.bn2.weight"] == "net.stage.0.norm2.weight" and len(names) == 5


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("branch1x1", "branch_pool"),
        ("branch_1", "branch_2"),  # side by side: numbers are no order
        ("left", "right"),
        ("k7", "k3"),
        ("7", "30"),  # no list begins at 7
    ],
)
def test_twins_that_nothing_tells_apart_are_listed(first, second):
    ours = {"conv1.weight": (3, 3), "conv2.weight": (3, 3), "fc.weight": (2, 3)}
    theirs = {f"{first}.weight": (3, 3), f"{second}.weight": (3, 3), "fc.weight": (2, 3)}
    problem = align(ours, theirs, ordered=False).problem
    assert "do not say which is which" in problem
    assert f"  conv1, conv2  or  {first}, {second}" in problem


def test_an_order_of_definition_that_contradicts_the_numbers_is_refused():
    ours = {"a.0.weight": (3, 3), "a.1.weight": (3, 3)}
    back = {"b.2.weight": (3, 3), "b.0.weight": (3, 3)}
    assert align(ours, back, ordered=False).names["a.0.weight"] == "b.0.weight"
    assert align(ours, back, ordered=True).problem


def test_a_list_in_which_other_layers_come_first_is_refused():
    ours = {"0.weight": (3, 3), "1.weight": (3,), "2.weight": (3, 3), "3.weight": (3,)}
    theirs = {"m.0.weight": (3,), "m.1.weight": (3,), "m.2.weight": (3, 3), "m.3.weight": (3, 3)}
    assert align(ours, theirs, ordered=False).problem


def test_a_flat_network_is_known_by_its_shapes(tmp_path):
    lenet = create("lenet5")
    names = [name for name in lenet.state_dict() if name.endswith("weight")]
    flat = {name: f"my_{index}.weight" for index, name in enumerate(names)}
    flat |= {name.replace("weight", "bias"): new.replace("weight", "bias") for name, new in flat.items()}
    save_file(
        {f"deep.er.{flat[name]}": tensor for name, tensor in lenet.state_dict().items()},
        tmp_path / "flat.safetensors",
    )
    with pytest.warns(WeightsWarning, match="other names than this network; structure told"):
        loaded = create("lenet5", weights=tmp_path / "flat.safetensors")
    assert all(torch.equal(t, loaded.state_dict()[name]) for name, t in lenet.state_dict().items())


def test_doubt_is_an_error_that_loads_nothing(tmp_path):
    network = create("resnet20_cifar")
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    words = {"conv1": "first", "conv2": "second"}
    state = {
        ".".join(words.get(word, word) if "layer" in name else word for word in name.split(".")): tensor + 1
        for name, tensor in before.items()
    }
    save_file(state, tmp_path / "doubt.safetensors")
    with pytest.raises(ArgumentError, match=r"conv1, layer1\.0\.conv2  or  layer1\.0\.first"):
        load_weights(network, tmp_path / "doubt.safetensors")
    assert all(torch.equal(t, before[name]) for name, t in network.state_dict().items())
