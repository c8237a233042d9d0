"""All recipes: importing this file enters them."""

from striate.engine import recipe_convolution, recipe_pair, recipe_pointwise, recipe_pool

__all__ = ["recipe_convolution", "recipe_pair", "recipe_pointwise", "recipe_pool"]
