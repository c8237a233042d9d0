"""What other counters print: held against what they printed when they were run on these networks.

torchinfo 1.8.0, fvcore 0.1.5, thop 0.1.1 and ptflops 0.7.5, batch 1, evaluation mode.
"""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from striate import ops
from striate.api import subject
from striate.api.inventory import module_facts
from striate.capture import capture
from striate.explanation import reconcile
from striate.graph import Graph, Node
from striate.models import card, create


class Functions(nn.Module):
    """No module at all: F.conv2d, F.relu, a mean and a product."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.zeros(16, 3, 3, 3))
        self.v = nn.Parameter(torch.zeros(16, 10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.conv2d(x, self.w, padding=1).mean((2, 3)) @ self.v


class Tied(nn.Module):
    """Two convolutions with one weight, one of them run twice."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 8, 1, bias=False)
        self.b = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.c = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.c.weight = self.b.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.b(self.c(self.b(self.a(x))))


PRINTED = {  # ours, then (multiply-adds, parameters) of torchinfo, fvcore, thop, ptflops
    "functions": ((442_528, 592), (0, 592), (442_528, 592), (0, 0), (0, 592)),
    "tied": ((1_794_048, 600), (1_794_048, 1_176), (1_794_048, 600), (1_794_048, 1_176), (1_794_048, 600)),
    "alexnet": (
        (714_188_480, 61_100_840),
        (714_682_664, 61_100_840),
        (714_197_696, 61_100_840),
        (714_206_912, 61_100_840),
        (716_441_128, 61_100_840),
    ),
    "resnet50": (
        (4_089_184_256, 25_557_032),
        (4_089_238_376, 25_557_032),
        (4_111_512_576, 25_557_032),
        (4_133_742_592, 25_557_032),
        (4_132_436_968, 25_557_032),
    ),
    "mobilenet_v3_large": (
        (216_589_760, 5_483_032),
        (216_621_520, 5_483_032),
        (226_033_824, 5_483_032),
        (234_838_456, 5_483_032),
        (231_316_416, 5_483_032),
    ),
    "googlenet+aux": (
        (1_498_376_192, 6_624_904),
        (1_498_391_752, 13_004_888),
        (1_504_878_688, 13_004_888),
        (1_511_332_032, 6_624_904),
        (1_517_133_608, 13_004_888),
    ),
    "convnext_atto": (
        (547_332_480, 3_695_520),
        (551_148_680, 3_695_520),
        (552_053_760, 3_695_520),
        (547_348_480, 3_688_720),
        (555_941_800, 3_695_520),
    ),
    "lenet5_1998": (
        (325_680, 60_000),
        (332_188, 60_000),
        (325_680, 60_000),
        (327_256, 59_956),
        (344_796, 60_000),
    ),
    "simple_complex_cells": (
        (8_487_584, 7_882),
        (7_882, 7_882),
        (8_489_152, 7_882),
        (11_760, 7_882),
        (134_858, 7_882),
    ),
    "alexnet_two_tower": (
        (724_406_816, 60_965_224),
        (725_066_088, 60_965_224),
        (724_406_816, 60_965_224),
        (724_406_816, 60_965_224),
        (729_346_320, 60_965_224),
    ),
}


def reconciled(name: str):
    if name in ("functions", "tied"):
        module, size = (Functions() if name == "functions" else Tied()), (3, 32, 32)
    else:
        with torch.device("meta"):
            module = create(name)
        size = (card(name).channels, *card(name).image_size)
    graph, _ = capture(module, (1, *size))
    facts = module_facts(module)
    return reconcile(graph, facts, trainable=facts.trainable)


@pytest.mark.parametrize("name", PRINTED)
def test_each_tool_prints_what_we_say(name: str) -> None:
    answer = reconciled(name)
    counted = [(count.multiply_adds, count.parameters) for count in (answer.ours, *answer.tools)]
    assert counted == list(PRINTED[name])
    assert [count.tool for count in answer.tools] == ["torchinfo", "fvcore", "thop", "ptflops"]
    for count in answer.tools:
        assert answer.ours.multiply_adds + sum(n for _, n in count.why) == count.multiply_adds
        assert answer.ours.parameters + sum(n for _, n in count.why_parameters) == count.parameters


def test_the_reasons_of_alexnet() -> None:
    answer = reconciled("alexnet")
    assert answer.of("torchinfo").why == (("additions of the bias", 494_184),)
    assert answer.of("fvcore").why == (("adaptive average pools, one for each value read", 9_216),)
    assert dict(answer.of("ptflops").why) == {
        "additions of the bias": 494_184,
        "activations, counted twice: as module and as function": 2 * 493_184,
        "pools, counted twice: as module and as function": 2 * (376_832 + 9_216),
    }
    text = answer.table()
    assert "torchinfo          714,682,664        +494,184      61,100,840             -" in text
    assert "+494,184  additions of the bias" in text
    assert "FILE.py:CLASS" not in text


def test_the_reasons_of_functions_and_tied_weights() -> None:
    seen = "calls of functions (F.conv2d, @) are not seen, only modules"
    assert reconciled("functions").of("ptflops").why == ((seen, -442_528),)
    tied = reconciled("tied").of("torchinfo")
    assert tied.why_parameters == (("tied tensors are counted in each module", 576),)


def test_a_graph_alone_says_what_it_assumed() -> None:
    nodes = (
        Node("up", ops.Upsample(scale_factor=2, mode="bilinear"), ("x",)),
        Node(
            "paint",
            ops.ConvTranspose2d(2, 4, 3, 2),
            ("up",),
            {"weight": "paint.weight", "bias": "paint.bias"},
        ),
        Node("slope", ops.PReLU(4), ("paint",), {"weight": "slope.weight"}),
        Node("mean", ops.AvgPool2d(3), ("slope",)),
        Node("classes", ops.Softmax(1), ("mean",)),
    )
    answer = reconcile(Graph({"x": ("N", 2, 4, 4)}, nodes, ("classes",)))
    # held against the tools' answers for nn.Sequential(nn.Upsample(...), ...): 21,968, 5,120, 23,747, 10,744
    painted, read = 8 * 8 * 9 * 2 * 4, 4 * 17 * 17
    assert answer.ours.multiply_adds == painted
    assert answer.of("fvcore").multiply_adds == painted + 4 * 2 * 8 * 8
    assert answer.of("thop").multiply_adds == read * 2 * 9 + 11 * 128 + read + 4 * 25 + 25 * 11
    assert answer.of("ptflops").multiply_adds == painted + 2 * 128 + read + 2 * read + 2 * read + 4 * 25
    assert answer.of("torchinfo").multiply_adds == (72 + 4) * 17 * 17 + 4
    assert answer.note.startswith("This graph does not say which layers are modules")
    assert answer.to_json()["tools"][1]["tool"] == "fvcore"


def test_a_bundle_has_no_modules_a_name_has() -> None:
    assert subject.subject("lenet5").module is not None
    graph = Graph({"x": ("N", 3)}, (Node("act", ops.ReLU(), ("x",)),), ("act",))
    assert subject.subject(graph).module is None
