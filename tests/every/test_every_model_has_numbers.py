"""Every network of the catalogue, read as words: the sizes derived are the sizes that torch computes.

On meta tensors, so that nothing is computed; `make test` takes the smallest network of each paper and form.
"""

import pytest
import torch
from torch import Tensor

from striate.arithmetic import graph_shapes
from striate.capture import capture
from striate.explanation import explain_graph
from striate.models import MODELS, card, list_models

SMALL_IMAGES = 64  # pixels; up to this a network is a form for small images


def smallest():
    families = {}
    for name in list_models():
        about = card(name)
        families.setdefault((about.paper, max(about.image_size) <= SMALL_IMAGES), []).append(about)
    return {min(cards, key=lambda about: about.multiply_adds).name for cards in families.values()}


SMALLEST = smallest()
EVERY = [name if name in SMALLEST else pytest.param(name, marks=pytest.mark.long) for name in list_models()]


def actual_shapes(module, example):
    """Shapes of what each module without children gives, in the order of its calls."""
    found = {}

    def note(path):
        def hook(_module, _inputs, output):
            if isinstance(output, Tensor):
                found.setdefault(path, []).append(tuple(output.shape))

        return hook

    handles = [part.register_forward_hook(note(path)) for path, part in module.named_modules() if path]
    with torch.no_grad():
        module(example)
    for handle in handles:
        handle.remove()
    return found


@pytest.mark.parametrize("name", EVERY)
def test_derived_sizes_are_the_actual_ones_in_every_layer(name):
    about = card(name)
    size = (2, about.channels, *about.image_size)
    with torch.device("meta"):
        module = (
            MODELS[name]
            .build(classes=about.classes, in_channels=about.channels, image_size=about.image_size)
            .eval()
        )
    actual = actual_shapes(module, torch.empty(size, device="meta"))
    graph, _ = capture(module, torch.empty(size, device="meta"))
    derived = graph_shapes(graph, size)
    compared = 0
    for node in graph:
        path, _, call = node.name.partition("#")
        if path in actual and len(actual[path]) >= int(call or 1):
            assert derived[node.name] == actual[path][int(call or 1) - 1], node.name
            compared += 1
    assert compared > 0
    assert derived[graph.outputs[0]] == (2, about.classes)
    trainable = frozenset(path for path, tensor in module.named_parameters() if tensor.requires_grad)
    totals = explain_graph(graph, trainable=trainable).totals
    assert totals.parameters == about.parameters or "+aux" in name, "auxiliary heads are not used here"
    assert totals.multiply_adds == about.multiply_adds
