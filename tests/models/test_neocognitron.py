"""The Neocognitron: its equations against loops that are read off the paper, its rule, and what it learns."""

import math

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from torch.nn import functional as F

from striate.capture import capture
from striate.errors import ArgumentError
from striate.layers import CCells, SCells
from striate.layers.s_cells import representatives
from striate.models import create
from striate.reference import run

R, Q, ALPHA = 2.5, 4.0, 0.5


@pytest.fixture
def inputs():
    return torch.rand(2, 3, 6, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def s_cells():
    """Three planes in, four out, windows of 5 with margin 1; they have learnt something."""
    torch.manual_seed(2)
    cells = SCells(3, 4, 5, 1, r=R, q=Q).double()
    cells.learn(torch.rand(3, 3, 6, 7, dtype=torch.float64))
    return cells


def window_at(padded, row, column, stride=1, size=5):
    return padded[:, row * stride : row * stride + size, column * stride : column * stride + size]


def test_s_cells_answer_as_the_paper_says(s_cells, inputs):
    answers = s_cells(inputs).detach()
    assert answers.shape == (2, 4, 4, 5) and answers.max() > 0 and answers.min() == 0
    for image in range(2):
        padded = F.pad(inputs[image], (1, 1, 1, 1))
        for k in range(4):
            for row in range(4):
                for column in range(5):
                    u = window_at(padded, row, column)
                    v = math.sqrt((s_cells.window[0] * u * u).sum())
                    e = float((s_cells.a[k] * u).sum().detach())
                    h = 2 * R / (1 + R) * float(s_cells.b[k].detach()) * v
                    expected = R * max(0.0, (1 + e) / (1 + h) - 1)
                    assert float(answers[image, k, row, column]) == pytest.approx(expected, abs=1e-9)


def test_c_cells_answer_as_the_paper_says(inputs):
    cells = CCells(3, 5, 2, 4).double()
    answers = cells(inputs)
    assert answers.shape == (2, 3, 5, 6) and 0 < answers.max() < 1
    d = cells.window[0, 0]
    for image in range(2):
        padded = F.pad(inputs[image], (4, 4, 4, 4))
        for row in range(5):
            for column in range(6):
                gathered = [float((d * plane).sum()) for plane in window_at(padded, row, column, stride=2)]
                v = sum(gathered) / 3
                for k in range(3):
                    x = max(0.0, (1 + gathered[k]) / (1 + v) - 1)
                    assert float(answers[image, k, row, column]) == pytest.approx(x / (ALPHA + x), abs=1e-12)


def test_fixed_weights_fall_with_distance(s_cells):
    for window in (s_cells.window[0, 0], CCells(1, 5).window[0, 0]):
        ring = [float(window[2, 2]), float(window[2, 3]), float(window[3, 3]), float(window[2, 4])]
        assert ring == sorted(ring, reverse=True) and len(set(ring)) == 4
        assert torch.equal(window, window.flip(0)) and torch.equal(window, window.T)
    assert 3 * float(s_cells.window.sum()) == pytest.approx(1), "sum c = 1 over all planes"


def slow_representatives(answers):
    """Column by column, as the paper tells it."""
    planes, height, width = answers.shape
    candidates = set()
    for row in range(height):
        for column in range(width):
            cells = [
                (float(answers[k, y, x]), k, y, x)
                for k in range(planes)
                for y in range(max(0, row - 2), min(height, row + 3))
                for x in range(max(0, column - 2), min(width, column + 3))
            ]
            if max(cells)[0] > 0:
                candidates.add(max(cells))
    chosen = {}
    for value, k, y, x in candidates:
        chosen[k] = max(chosen.get(k, (0.0, 0)), (value, y * width + x))
    return {k: position for k, (_, position) in chosen.items()}


@pytest.mark.parametrize("planes", [1, 3, 12])
def test_each_plane_has_the_strongest_of_its_candidates(planes):
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        answers = F.relu(torch.randn(planes, 8, 9, generator=generator) - 1)
        winners, positions = representatives(answers)
        assert dict(zip(winners.tolist(), positions.tolist(), strict=True)) == slow_representatives(answers)


def test_a_silent_layer_has_no_representative():
    assert len(representatives(torch.zeros(4, 5, 5))[0]) == 0


def test_the_winners_learn_what_they_see_and_nobody_else_does(s_cells, inputs):
    a, b = s_cells.a.detach().clone(), s_cells.b.detach().clone()
    winners, positions = representatives(s_cells(inputs[:1])[0].detach())
    assert 0 < len(winners) < 4
    for k, position in zip(winners.tolist(), positions.tolist(), strict=True):
        u = window_at(F.pad(inputs[0], (1, 1, 1, 1)), position // 5, position % 5)
        a[k] += Q * s_cells.window[0] * u
        b[k] += Q / 2 * math.sqrt((s_cells.window[0] * u * u).sum())
    s_cells.learn(inputs[:1])
    assert torch.allclose(s_cells.a, a, atol=1e-12) and torch.allclose(s_cells.b, b, atol=1e-12)


def test_learning_makes_a_cell_answer_to_its_pattern_and_to_no_other():
    torch.manual_seed(0)
    cells = SCells(1, 1, 5, r=4, q=1)
    bar, other = torch.zeros(1, 1, 5, 5), torch.zeros(1, 1, 5, 5)
    bar[..., 2] = 1
    other[..., 2, :] = 1
    before = float(cells(bar).detach())
    heard = []
    for _ in range(4):
        cells.learn(bar.repeat(50, 1, 1, 1))
        heard.append(float(cells(bar).detach()))
    assert [before, *heard] == sorted([before, *heard]) and before < 0.01
    assert heard[-1] == pytest.approx(1, abs=0.05), "r times (r+1)/r - 1"
    assert float(cells(other).detach()) == 0
    assert float(cells(3 * bar).detach()) == pytest.approx(1, abs=0.05), "contrast does not matter"


def test_strict_learning_keeps_features_apart():
    """Two patterns with a cosine of 0.6: one plane for both, or a plane for each."""
    first, second = torch.zeros(1, 1, 1, 2), torch.zeros(1, 1, 1, 2)
    first[..., 0], second[..., 0], second[..., 1] = 1, 0.6, 0.8
    seen = torch.cat([first, second]).view(2, 2, 1, 1).repeat(20, 1, 1, 1)
    learnt = {}
    for r in (1.0, 8.0):
        torch.manual_seed(0)
        cells = SCells(2, 2, 1, r=1.0, q=16, r_learning=r)
        cells.learn(seen)
        learnt[r] = int((cells.b > 0).sum())
    assert learnt == {1.0: 1, 8.0: 2}


# --- the network --------------------------------------------------------------------------------------------


def digits():
    """1,797 handwritten digits, enlarged smoothly to 12x12 in the middle of 16x16, in random order."""
    pixels, labels = load_digits(return_X_y=True)
    images = torch.tensor(pixels / 16, dtype=torch.float32).view(-1, 1, 8, 8)
    images = F.pad(F.interpolate(images, size=(12, 12), mode="bicubic").clamp(0, 1), (2, 2, 2, 2))
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    return images[order], torch.tensor(labels)[order]


@pytest.fixture(scope="module")
def learnt():
    """(network, images and labels that it knows, others). In inference mode a gradient would be an error."""
    images, labels = digits()
    torch.manual_seed(0)
    network = create("neocognitron").eval()
    with torch.inference_mode():
        network.learn(images[:600].clone(), labels[:600].clone(), passes=1)
    return network, (images[:600], labels[:600]), (images[600:1000], labels[600:1000])


def right(guesses, labels):
    return float((guesses == labels).float().mean())


@torch.no_grad()
def test_it_reads_handwritten_digits_wherever_they_stand(learnt):
    network, (known, classes), (images, labels) = learnt
    linear = LogisticRegression(max_iter=300).fit(known.flatten(1).numpy(), classes.numpy())
    assert right(network(images).argmax(1), labels) >= 0.87
    for far, gain in ((1, 0.08), (2, 0.3), (3, 0.3)):
        moved = F.pad(images, (far, 0, 0, 0))[..., :16]
        pixels = torch.from_numpy(linear.predict(moved.flatten(1).numpy()))
        assert right(network(moved).argmax(1), labels) >= right(pixels, labels) + gain, far


@torch.no_grad()
def test_the_captured_graph_answers_as_the_network_does(learnt):
    network, _, (images, _) = learnt
    graph, weights = capture(network, (1, 1, 16, 16))
    found = run(graph, weights, images[:20].numpy())
    assert np.abs(found - network.double()(images[:20].double()).numpy()).max() < 1e-5
    network.float()


def test_labels_decide_the_readout_alone():
    images, labels = digits()
    states = []
    for classes in (labels[:60], labels[:60].flip(0)):
        torch.manual_seed(0)
        network = create("neocognitron")
        network.learn(images[:60], classes, passes=1)
        states.append(network.state_dict())
    same = {name: torch.equal(states[0][name], states[1][name]) for name in states[0]}
    assert same.pop("readout.weight") is False
    same.pop("readout.bias")  # the shares of the classes, which did not change
    assert all(same.values())


def test_how_images_are_normalised_does_not_matter():
    images, labels = digits()
    answers = []
    for scale, offset in ((1.0, 0.0), (3.0, -1.2)):
        torch.manual_seed(0)
        network = create("neocognitron")
        seen = images[:60] * scale + offset
        network.learn(seen, labels[:60], passes=1)
        answers.append(network(seen).detach())
    assert torch.allclose(*answers, atol=1e-2)


def test_progress_counts_every_look():
    images, labels = digits()
    told = []
    create("neocognitron").learn(
        images[:10], labels[:10], passes=2, on_progress=lambda *looks: told.append(looks)
    )
    assert told == [(looks, 60) for looks in (10, 20, 30, 40, 50, 60)]


@pytest.mark.parametrize(("images", "labels"), [(3, 2), (0, 0)])
def test_images_without_labels_are_refused(images, labels):
    with pytest.raises(ArgumentError, match=f"one for each image, at least one, got {labels} for {images}"):
        create("neocognitron").learn(torch.zeros(images, 1, 16, 16), torch.zeros(labels, dtype=torch.int64))


def test_images_of_one_shade_teach_nothing_and_break_nothing():
    network = create("neocognitron")
    network.learn(torch.full((4, 1, 16, 16), 0.3), torch.tensor([0, 1, 1, 1]))
    scores = network(torch.full((1, 1, 16, 16), 0.3))
    assert scores.isfinite().all() and int(scores.argmax()) == 1
