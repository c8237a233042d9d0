"""GoogLeNet and the Inceptions: the published tables, and auxiliary heads in and out of training."""

import pytest
import torch

from striate.layers import Scores, cross_entropy
from striate.models import create
from striate.models.googlenet import INCEPTIONS
from striate.models.probe import output_shape


def test_the_table_of_googlenet_joins_up():
    """Table 1 of the paper: what comes out of a module is what the next one takes."""
    given = {name: row[0] for name, row in INCEPTIONS.items()}
    out = {name: one + three + five + pool for name, (_, one, _, three, _, five, pool) in INCEPTIONS.items()}
    assert list(out.values())[:-1] == list(given.values())[1:]
    assert out == {
        "3a": 256, "3b": 480, "4a": 512, "4b": 512, "4c": 512, "4d": 528, "4e": 832, "5a": 832, "5b": 1024,
    }  # fmt: skip


def test_maps_of_the_published_googlenet_have_the_sizes_of_table_1():
    with torch.device("meta"):
        network = create("googlenet_2014").eval()
    shape, sizes = (2, 3, 224, 224), []
    for part in (network.stem, network.stage3, network.inception4a, network.inception4b_to_4d):
        shape = output_shape(part, shape)
        sizes.append(shape[1:])
    for part in (network.inception4e, network.stage5):
        shape = output_shape(part, shape)
        sizes.append(shape[1:])
    assert sizes == [(192, 28, 28), (480, 14, 14), (512, 14, 14), (528, 14, 14), (832, 7, 7), (1024, 7, 7)]


@pytest.mark.parametrize(
    ("name", "side", "heads", "weight"),
    [
        ("googlenet+aux", 32, 2, 0.3),
        pytest.param("googlenet_2014+aux", 79, 2, 0.3, marks=pytest.mark.long),
        pytest.param("inception_v3+aux", 299, 1, 0.4, marks=pytest.mark.long),
    ],
)
def test_heads_answer_and_learn_in_training_and_are_silent_otherwise(name, side, heads, weight):
    torch.manual_seed(0)
    network = create(name, classes=7, image_size=side).train()
    images, labels = torch.randn(4, 3, side, side), torch.tensor([0, 3, 6, 1])
    answer = network(images)
    assert isinstance(answer, Scores) and answer.weight == weight
    assert [tuple(scores.shape) for scores in (answer.logits, *answer.auxiliary)] == [(4, 7)] * (heads + 1)
    cross_entropy(answer, labels).backward()
    silent = [path for path, parameter in network.named_parameters() if parameter.grad is None]
    assert silent == []
    with torch.no_grad():
        assert network.eval()(images).shape == (4, 7)


@pytest.mark.parametrize("name", ["googlenet", "googlenet_2014", "inception_v3"])
def test_heads_are_all_that_aux_adds(name):
    with torch.device("meta"):
        with_heads, without = create(f"{name}+aux").state_dict(), create(name).state_dict()
    added = set(with_heads) - set(without)
    assert set(without) <= set(with_heads)
    assert added and all(path.startswith(("aux1.", "aux2.", "AuxLogits.")) for path in added)


def test_inception_v3_takes_small_images_with_the_same_weights():
    with torch.device("meta"):
        small, large = (
            create("inception_v3_cifar", classes=1000).state_dict(),
            create("inception_v3").state_dict(),
        )
    assert {path: tensor.shape for path, tensor in small.items()} == {
        path: tensor.shape for path, tensor in large.items()
    }
