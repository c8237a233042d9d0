"""Every network of the catalogue, read as words: what is derived is what torch and its card say.

On meta tensors, so that nothing is computed; `make test` takes the smallest network of each paper.
"""

import warnings
from typing import NamedTuple

import pytest
import torch
from families import LONGEST, long_except, smallest_of_each_family
from torch import Tensor, nn

from striate.arithmetic import graph_fields, graph_shapes
from striate.capture import StaticBatchWarning, capture
from striate.doctor import Patient, lint
from striate.explanation import explain_graph
from striate.graph import Graph
from striate.models import Card, card, outline


class Read(NamedTuple):
    about: Card
    module: nn.Module
    size: tuple[int, ...]
    graph: Graph


@pytest.fixture(scope="module", params=long_except(set(smallest_of_each_family(both_forms=False)) - LONGEST))
def read(request):
    """A network and its graph, captured once for all tests here."""
    about = card(request.param)
    size = (2, about.channels, *about.image_size)
    module = outline(about.name)
    with warnings.catch_warnings():
        warnings.simplefilter("error", StaticBatchWarning)
        graph, _ = capture(module, torch.empty(size, device="meta"))
    return Read(about, module.eval(), size, graph)


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


def test_derived_sizes_are_the_actual_ones_in_every_layer(read):
    actual = actual_shapes(read.module, torch.empty(read.size, device="meta"))
    derived = graph_shapes(read.graph, read.size)
    compared = 0
    for node in read.graph:
        path, _, call = node.name.partition("#")
        if path in actual and len(actual[path]) >= int(call or 1):
            assert derived[node.name] == actual[path][int(call or 1) - 1], node.name
            compared += 1
    assert compared > 0
    assert derived[read.graph.outputs[0]] == (2, read.about.classes)


def test_counts_are_those_of_the_card(read):
    trainable = frozenset(path for path, tensor in read.module.named_parameters() if tensor.requires_grad)
    totals = explain_graph(read.graph, trainable=trainable).totals
    assert totals.multiply_adds == read.about.multiply_adds
    assert totals.parameters == read.about.parameters or "+aux" in read.about.name, "unused in evaluation"


def test_the_field_of_the_last_map_is_the_published_one(read):
    if read.about.receptive_field is not None:
        fields = graph_fields(read.graph, read.size).values()
        last = [field for field in fields if None not in field.jump][-1]
        assert last.size == (read.about.receptive_field, read.about.receptive_field)


def test_the_linter_finds_what_the_card_calls_deliberate_and_nothing_else(read):
    names = frozenset(path for path, _ in read.module.named_parameters())
    found = lint(Patient(read.graph, trainable=names, parameters=names))
    grave = {one.rule: one.message for one in found if one.severity != "note"}
    deliberate = dict(read.about.deliberate)
    assert {rule: why for rule, why in grave.items() if rule not in deliberate} == {}, "say why on the card"
    assert {rule: why for rule, why in deliberate.items() if rule not in grave} == {}, "no longer found"
