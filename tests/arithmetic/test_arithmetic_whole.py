"""Whole networks: all shapes, the failing layer by name, the smallest input, parameters counted once."""

import re

import pytest
from arithmetic_networks import Writer, alexnet, chain, lenet5, resnet, vgg16

from striate import ops
from striate.arithmetic import cost, graph_fields, graph_parameters, graph_shapes, smallest_input
from striate.errors import ShapeError
from striate.graph import Graph, Node


def multiply_adds(graph):
    shapes = graph_shapes(graph)
    costs = [cost(node.op, [shapes[value] for value in node.inputs]) for node in graph]
    return sum(price.multiply_adds.result for price in costs), sum(price.bias_additions for price in costs)


@pytest.mark.parametrize(
    ("graph", "parameters", "count"),
    [
        (lenet5(), 61_706, 416_520),
        (alexnet(), 61_100_840, 714_188_480),
        (vgg16(), 138_357_544, 15_470_264_320),
        (resnet([2, 2, 2, 2], bottleneck=False), 11_689_512, 1_814_073_344),
        (resnet([3, 4, 6, 3], bottleneck=True), 25_557_032, 4_089_184_256),
    ],
    ids=["lenet5", "alexnet", "vgg16", "resnet18", "resnet50"],
)
def test_published_counts(graph, parameters, count):
    """Parameters as published; multiply-adds of convolution and linear layers, as torchvision counts them."""
    assert graph_parameters(graph).trainable == parameters
    assert multiply_adds(graph)[0] == count


def test_with_bias_additions_it_is_the_other_number_people_print():
    """AlexNet: 714,188,480 multiply-adds; a widely used counter prints 714,682,664, which includes biases."""
    assert sum(multiply_adds(alexnet())) == 714_682_664


def test_shapes_of_every_value():
    w = Writer("N", 1, 4, 4)
    pool = w.add(ops.MaxPool2d(2, return_indices=True), name="pool")
    w.add(ops.MaxUnpool2d(2), f"{pool}:0", f"{pool}:1", name="unpool")
    assert graph_shapes(w.graph()) == {
        "x": ("N", 1, 4, 4),
        "pool": ("N", 1, 2, 2),
        "pool:1": ("N", 1, 2, 2),
        "unpool": ("N", 1, 4, 4),
    }
    assert graph_fields(w.graph())["unpool"].jump == (1, 1)


def test_another_input_with_and_without_the_batch():
    graph = resnet([2, 2, 2, 2], bottleneck=False)
    for given in [(3, 64, 96), ("N", 3, 64, 96), {"x": ("N", 3, 64, 96)}]:
        assert graph_shapes(graph, given)["features"] == ("N", 512, 2, 3)
    assert graph_shapes(graph, (8, 3, 64, 96))["fc"] == (8, 1000)


def test_inputs_are_named_where_there_are_several():
    node = Node("sum", ops.Add(), ("a", "b"))
    graph = Graph({"a": (1, 2), "b": (1, 2)}, (node,), ("sum",))
    with pytest.raises(ShapeError, match="input_shape must be a mapping for the inputs a, b"):
        graph_shapes(graph, (1, 2))
    with pytest.raises(ShapeError, match="input_shape must name the inputs a, b, got a: give one shape"):
        graph_shapes(graph, {"a": (1, 2)})
    assert graph_shapes(graph, {"a": (1, 2), "b": (5, 1)})["sum"] == (5, 2)


def test_the_failing_layer_is_named_and_the_features_are_taken_apart():
    message = (
        "linear7 (Linear): in_features must equal the features that arrive, 256 in (N, 256), got 400: "
        "write in_features=256. flatten6 made 256 features of 16 x 4 x 4."
    )
    with pytest.raises(ShapeError, match=re.escape(message)) as refusal:
        graph_shapes(lenet5(), (1, 28, 28))
    assert refusal.value.layer == "linear7"


def test_the_flatten_is_found_behind_dropout_and_activation():
    graph = chain(("N", 2, 3, 3), ops.Flatten(), ops.Dropout(), ops.ReLU(), ops.Linear(9, 1))
    with pytest.raises(ShapeError, match="flatten0 made 18 features of 2 x 3 x 3"):
        graph_shapes(graph)
    bare = chain(("N", 18), ops.ReLU(), ops.Linear(9, 1))
    with pytest.raises(ShapeError, match=r"write in_features=18\.$"):
        graph_shapes(bare)


def test_the_smallest_input_and_what_vanishes_below_it():
    found = smallest_input(alexnet())
    assert found.size == (63, 63)
    assert found.below.layer == "maxpool2d12"
    assert "floor((2 - 3 + 2*0) / 2) + 1 = 0" in str(found.below)
    assert smallest_input(lenet5()).size == (32, 32)
    assert smallest_input(resnet([2, 2, 2, 2], bottleneck=False)).below is None
    with pytest.raises(ShapeError):
        graph_shapes(alexnet(), (3, 62, 62))


def test_a_network_that_fits_no_size_says_so():
    graph = chain(("N", 3, 8, 8), ops.Conv2d(4, 2, 3))
    with pytest.raises(ShapeError, match="in_channels must equal the channels that arrive"):
        smallest_input(graph)
    with pytest.raises(ShapeError, match=r"graph must have one input \(N, C, \*sizes\), got \(N, 8\)"):
        smallest_input(chain(("N", 8), ops.ReLU()))


def test_a_tied_tensor_is_counted_at_its_first_layer():
    w = Writer("N", 4, 8, 8)
    tied = {"weight": "w", "bias": "b"}
    w.add(ops.Conv2d(4, 4, 3, padding=1), name="first", tensors=tied)
    w.add(ops.Conv2d(4, 4, 3, padding=1), name="second", tensors=tied)
    counted = graph_parameters(w.graph())
    assert (counted.trainable, counted.by_node) == (148, {"first": 148, "second": 0})
    assert counted.shared == {"second": "first"}


def test_statistics_and_fixed_tensors_are_stored_not_learned():
    graph = chain(("N", 84), ops.BatchNorm(84), ops.RBF(84, 10))
    assert (graph_parameters(graph).trainable, graph_parameters(graph).stored) == (168 + 840, 168)
    learned = graph_parameters(graph, trainable={"batchnorm0.weight", "batchnorm0.bias"})
    assert (learned.trainable, learned.stored) == (168, 168 + 840)
