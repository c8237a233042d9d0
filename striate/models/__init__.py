"""WHOLES: networks, one paper a file, and the registry that builds them by name."""

from striate.models import (  # noqa: F401  importing a file enters its networks
    alexnet,
    alexnet_2014,
    convnext,
    convnext_v2,
    densenet,
    efficientnet,
    efficientnet_lite,
    efficientnet_v2,
    efficientnet_v2_base,
    ghostnet,
    googlenet,
    googlenet_2014,
    googlenet_cifar,
    inception_v3,
    inception_v4,
    lenet,
    lenet1,
    lenet4,
    mnasnet,
    mobilenet_v1,
    mobilenet_v2,
    mobilenet_v3,
    mobilenet_v4,
    neocognitron,
    photo,
    preact_resnet,
    resnet,
    resnet_d,
    resnext,
    senet,
    shufflenet_v1,
    shufflenet_v2,
    simple_complex,
    small,
    squeezenet,
    squeezenet_cifar,
    vgg,
    vgg_cifar,
    wide_resnet,
)
from striate.models.activation import known_activation, replace_activations
from striate.models.auto import auto
from striate.models.card import Card
from striate.models.pretrained import Pretrained, pretrained
from striate.models.registry import (
    MODELS,
    card,
    create,
    form_of,
    list_models,
    minimum_size,
    outline,
    register,
)
from striate.models.weights import load_weights
from striate.models.weights_source import WeightsSource, weights_source

__all__ = [
    "MODELS",
    "Card",
    "Pretrained",
    "WeightsSource",
    "auto",
    "card",
    "create",
    "form_of",
    "known_activation",
    "list_models",
    "load_weights",
    "minimum_size",
    "outline",
    "pretrained",
    "register",
    "replace_activations",
    "weights_source",
]
