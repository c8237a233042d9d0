"""Networks of equally many weights, trained alike: how the experiment is made, on a few of its images."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from striate.data.catalogue import open_dataset
from striate.errors import ArgumentError
from striate.insight.weight_sharing import CONTENDERS, shifted, weight_sharing


@pytest.fixture(scope="module")
def few():
    dataset = open_dataset(None)

    def first(images, count):
        return replace(
            images, keys=images.keys[:count], labels=images.labels[:count], images=images.images[:count]
        )

    return replace(dataset, train=first(dataset.train, 1280), test=first(dataset.test, 200), val=None)


def test_all_have_about_equally_many_weights() -> None:
    counts = [sum(tensor.numel() for tensor in build().parameters()) for build in CONTENDERS.values()]
    assert all(19_000 < count < 21_500 for count in counts)


def test_the_answer(few) -> None:
    heard = []
    found = weight_sharing(
        few, epochs=1, shifts=(0, 4), on_progress=lambda done, total: heard.append((done, total))
    )
    assert heard == [(done, 5) for done in range(6)]
    dense, local, *_ = found.contenders
    assert dense.multiply_adds == 784 * 25 + 25 * 10
    assert local.multiply_adds == 14 * 14 * 25 * 3 + 588 * 10
    assert dense.accuracy[0] > 0.5 > dense.accuracy[1], "it has learned, and does not know moved images"
    assert found.text().splitlines()[3].startswith("fully connected        19,885         19,850")
    assert json.loads(json.dumps(found.to_json()))["contenders"][0]["weights"] == 19_885
    again = weight_sharing(few, epochs=1, shifts=(0, 4))
    assert again == found


def test_shifted() -> None:
    image = np.arange(1, 10, dtype=np.uint8).reshape(1, 3, 3, 1)
    assert shifted(image, 1, 0)[0, :, :, 0].tolist() == [[0, 0, 0], [1, 2, 3], [4, 5, 6]]
    assert shifted(image, 0, -2)[0, :, :, 0].tolist() == [[3, 0, 0], [6, 0, 0], [9, 0, 0]]
    assert (shifted(image, 0, 0) == image).all()


def test_refusals(few) -> None:
    with pytest.raises(ArgumentError, match="28x28 grey images in 10 classes"):
        weight_sharing(replace(few, classes=few.classes[:9]))
    with pytest.raises(ArgumentError, match="shifts must lie between 0 and 27"):
        weight_sharing(few, shifts=(28,))
