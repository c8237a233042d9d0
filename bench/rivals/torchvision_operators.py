"""Lets torchvision be imported beside a torch that its compiled operators were not built for.

It registers them from a C++ library; the networks and data sets that benches use need none of them, but its Python
files expect two to be declared.
"""

import torch
from torch import library

_DECLARED = library.Library("torchvision", "FRAGMENT")  # holds the declarations as long as it lives


def declare() -> None:
    for operator in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, operator):
            _DECLARED.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
