"""WHOLES: networks, one paper a file, and the registry that builds them by name."""

from striate.models import lenet, photo, resnet, small  # noqa: F401  importing a file enters its networks
from striate.models.auto import auto
from striate.models.card import Card
from striate.models.registry import MODELS, card, create, list_models, minimum_size, register
from striate.models.weights import load_weights

__all__ = [
    "MODELS",
    "Card",
    "auto",
    "card",
    "create",
    "list_models",
    "load_weights",
    "minimum_size",
    "register",
]
