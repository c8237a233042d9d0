"""The parts of LeNet-5 (1998): partial connections, subsampling, squashing, radial basis functions."""

import pytest
import torch
from torch.nn import functional as F

from striate.errors import ArgumentError
from striate.layers import RBF, ScaledTanh, Subsampling, TableConv2d
from striate.models.lenet import C3_TABLE


def dense_weight(layer, kernel_size):
    """The same layer as one full convolution: zeros where there is no connection."""
    weight = torch.zeros(len(layer.table), layer.in_channels, kernel_size, kernel_size)
    rows = iter(layer.table)
    for conv in layer.convs:
        for kernels in conv.weight:
            row = next(rows)
            output = layer.table.index(row)
            for kernel, channel in zip(kernels, row, strict=True):
                weight[output, channel] = kernel
    return weight, torch.cat([conv.bias for conv in layer.convs])


def test_partial_connections_are_a_convolution_with_a_masked_weight():
    layer = TableConv2d(6, C3_TABLE, 5)
    x = torch.randn(2, 6, 14, 14)
    weight, bias = dense_weight(layer, 5)
    assert torch.allclose(layer(x), F.conv2d(x, weight, bias), atol=1e-5)


def test_rows_of_mixed_lengths_keep_the_order_of_the_table():
    layer = TableConv2d(3, [(2,), (0, 1), (1,), (2, 0)], 1)
    x = torch.randn(1, 3, 4, 4)
    weight, bias = dense_weight(layer, 1)
    assert torch.allclose(layer(x), F.conv2d(x, weight, bias), atol=1e-6)


def test_partial_connections_have_no_weight_for_what_is_not_connected():
    assert sum(parameter.numel() for parameter in TableConv2d(6, C3_TABLE, 5).parameters()) == 1516


def test_table_one_of_the_paper():
    counts = [sum(channel in row for row in C3_TABLE) for channel in range(6)]
    assert counts == [10] * 6  # ten crosses in each row of the printed table
    assert [len(row) for row in C3_TABLE] == [3] * 6 + [4] * 9 + [6]
    assert len(set(C3_TABLE)) == 16
    neighbours = [{(first + step) % 6 for step in range(size)} for size in (3, 4) for first in range(6)]
    assert all(set(row) in neighbours for row in C3_TABLE[:12])
    assert not any(set(row) in neighbours for row in C3_TABLE[12:15])


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([], "table must have a row for each output map"),
        ([()], "different input maps from 0 to 5"),
        ([(0, 6)], "different input maps from 0 to 5"),
        ([(1, 1)], "different input maps from 0 to 5"),
        ([(-1,)], "table must be an integer of at least 0"),
    ],
)
def test_tables_that_name_nothing_are_refused(table, message):
    with pytest.raises(ArgumentError, match=message):
        TableConv2d(6, table, 5)


def test_subsampling_is_an_average_with_a_weight_and_a_bias_for_each_map():
    layer = Subsampling(2)
    assert sum(parameter.numel() for parameter in layer.parameters()) == 4
    x = torch.randn(3, 2, 6, 6)
    assert torch.equal(layer(x), F.avg_pool2d(x, 2))
    with torch.no_grad():
        layer.weight[:] = torch.tensor([2.0, -1.0]).view(2, 1, 1)
        layer.bias[:] = torch.tensor([0.5, 0.0]).view(2, 1, 1)
    expected = torch.stack([F.avg_pool2d(x, 2)[:, 0] * 2 + 0.5, -F.avg_pool2d(x, 2)[:, 1]], dim=1)
    assert torch.allclose(layer(x), expected)


def test_the_squashing_function_takes_one_to_one():
    points = torch.tensor([-1.0, 0.0, 1.0, 100.0])
    assert torch.allclose(ScaledTanh()(points), torch.tensor([-1.0, 0.0, 1.0, 1.7159]), atol=1e-4)


def test_distances_to_centres_are_squared_and_not_trained():
    centres = torch.tensor([[1.0, -1.0], [0.0, 0.0]])
    layer = RBF(centres)
    assert layer(torch.tensor([[1.0, 1.0], [3.0, 4.0]])).tolist() == [[4.0, 2.0], [29.0, 25.0]]
    assert list(layer.parameters()) == [] and list(layer.state_dict()) == ["centres"]


def test_centres_must_be_a_table():
    with pytest.raises(
        ArgumentError, match=r"centres must have the shape \(classes, features\), got \(84,\)"
    ):
        RBF(torch.zeros(84))
