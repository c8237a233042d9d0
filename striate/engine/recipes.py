"""All recipes: importing this file enters them."""

from striate.engine import recipe_convolution

__all__ = ["recipe_convolution"]
