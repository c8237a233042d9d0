"""Weights fit exactly, or nothing is loaded and the refusal says where."""

import pickle
import random

import pytest
import torch
from safetensors.torch import save_file

from striate.errors import ArgumentError
from striate.models import create, load_weights


@pytest.fixture
def trained():
    torch.manual_seed(1)
    return create("striate_tiny")


def same(first, second):
    return all(torch.equal(tensor, second[name]) for name, tensor in first.items())


@pytest.mark.parametrize("suffix", ["safetensors", "pth", "pt"])
def test_what_was_saved_is_loaded(tmp_path, trained, suffix):
    path = tmp_path / f"weights.{suffix}"
    save = save_file if suffix == "safetensors" else torch.save
    save(trained.state_dict(), path)
    assert same(trained.state_dict(), create("striate_tiny", weights=path).state_dict())
    assert same(trained.state_dict(), create("striate_tiny", weights=str(path)).state_dict())


def test_other_classes_are_refused_with_a_table_and_nothing_is_loaded(tmp_path, trained):
    path = tmp_path / "ten.safetensors"
    save_file(trained.state_dict(), path)
    network = create("striate_tiny", classes=7)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with pytest.raises(ArgumentError) as caught:
        load_weights(network, path)
    assert str(caught.value) == (
        f"weights must hold exactly this network's tensors, but 2 differ in {path}, and nothing was loaded:\n"
        "  tensor       network  file\n"
        "  head.weight  7x576    10x576\n"
        "  head.bias    7        10\n"
        "Create the network with the classes, in_channels and image_size that the file was made with."
    )
    assert same(before, network.state_dict())


def test_of_many_mismatches_the_first_are_shown(tmp_path, trained):
    path = tmp_path / "tiny.safetensors"
    save_file(trained.state_dict(), path)
    with pytest.raises(ArgumentError, match=r"stem.conv.weight .* 32x1x4x4 +16x1x4x4(.|\n)*and \d+ more"):
        create("striate_small", weights=path)


def test_a_name_too_many_or_too_few_is_refused(tmp_path, trained):
    state = trained.state_dict()
    state["extra"] = torch.zeros(())
    del state["head.bias"]
    save_file(state, tmp_path / "odd.safetensors")
    with pytest.raises(ArgumentError, match=r"head.bias +10 +absent\n +extra +absent +one number"):
        load_weights(trained, tmp_path / "odd.safetensors")


class Bomb:
    def __reduce__(self):
        return (open, ("exploded", "w"))


def test_a_pickle_that_asks_to_run_code_is_refused_unrun(tmp_path, trained, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"head.weight": Bomb()}, tmp_path / "bomb.pth")
    with pytest.raises(ArgumentError, match=r"damaged or asks to run code \(that was not done\)"):
        load_weights(trained, tmp_path / "bomb.pth")
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("short.safetensors", b"\x10", "weights must be a readable file"),
        ("text.safetensors", b"hello, I am no tensor", "weights must be a readable file"),
        (
            "text.pth",
            b"hello, I am no tensor",
            "weights must be a readable file",
        ),
        ("empty.pth", b"", "weights must be a readable file"),
        ("list.pth", None, "weights must map names to tensors, got .*, which holds a list"),
        ("weights.h5", b"", "weights must be a .safetensors, .pth or .pt file"),
    ],
)
def test_files_that_hold_no_weights_are_refused(tmp_path, trained, name, content, message):
    path = tmp_path / name
    if content is None:
        torch.save([1, 2], path)
    else:
        path.write_bytes(content)
    with pytest.raises(ArgumentError, match=message):
        load_weights(trained, path)


def test_a_file_cut_short_is_refused(tmp_path, trained):
    for save, name in ((save_file, "cut.safetensors"), (torch.save, "cut.pth")):
        path = tmp_path / name
        save(trained.state_dict(), path)
        path.write_bytes(path.read_bytes()[:-100])
        with pytest.raises(ArgumentError, match="weights must be a readable file"):
            load_weights(trained, path)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")  # some damage reads as another protocol
def test_damaged_bytes_are_refused_or_change_only_values(tmp_path, trained):
    rng, refused = random.Random(0), 0
    for save, name in ((save_file, "damaged.safetensors"), (torch.save, "damaged.pth")):
        path = tmp_path / name
        save(trained.state_dict(), path)
        whole = path.read_bytes()
        for _ in range(20):
            damaged = bytearray(whole)
            for _ in range(30):
                damaged[rng.randrange(2000)] = rng.randrange(256)
            path.write_bytes(damaged)
            try:
                load_weights(trained, path)
            except ArgumentError:
                refused += 1
    assert refused > 20


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda tensor: tensor * float("nan"), "got NaN or infinity in .* and [0-9]+ more tensors of"),
        (lambda tensor: tensor.double() * 1e300, "weights must be finite numbers"),  # no float32 holds it
        (lambda tensor: tensor.to_sparse(), "has the layout torch.sparse_coo: save dense tensors"),
        (lambda tensor: tensor.to("meta"), r"has no values \(it is on the meta device\)"),
        (lambda tensor: tensor.to(torch.int8), "weights must be torch.float32 for .*, got torch.int8"),
        (
            lambda tensor: tensor.to(torch.complex64),
            "weights must be torch.float32 for .*, got torch.complex64",
        ),
    ],
)
def test_tensors_that_are_no_weights_are_refused_and_nothing_is_loaded(tmp_path, trained, spoil, message):
    state = trained.state_dict()
    torch.save({name: spoil(tensor) if tensor.ndim > 1 else tensor for name, tensor in state.items()},
               tmp_path / "odd.pth")  # fmt: skip
    network = create("striate_tiny")
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with pytest.raises(ArgumentError, match=message):
        load_weights(network, tmp_path / "odd.pth")
    assert same(before, network.state_dict())


def test_half_precision_is_widened_exactly(tmp_path, trained):
    state = {name: t.bfloat16() if t.is_floating_point() else t for name, t in trained.state_dict().items()}
    save_file(state, tmp_path / "half.safetensors")
    loaded = create("striate_tiny", weights=tmp_path / "half.safetensors").state_dict()
    assert all(torch.equal(loaded[name], tensor.to(loaded[name].dtype)) for name, tensor in state.items())


def test_a_plain_pickle_is_refused(tmp_path, trained):
    path = tmp_path / "plain.pt"
    path.write_bytes(pickle.dumps(Bomb(), protocol=2))
    with pytest.raises(ArgumentError, match="damaged or asks to run code"):
        load_weights(trained, path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path, trained):
    for path in (tmp_path / "none.safetensors", tmp_path):
        with pytest.raises(ArgumentError, match="weights must be an existing file"):
            load_weights(trained, path)
