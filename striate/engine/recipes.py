"""All recipes: importing this file enters them."""

from striate.engine import (
    recipe_channels,
    recipe_convolution,
    recipe_gated,
    recipe_opening,
    recipe_pair,
    recipe_pick,
    recipe_pointwise,
    recipe_pool,
    recipe_pooled,
    recipe_resample,
    recipe_transpose,
)

__all__ = [
    "recipe_channels",
    "recipe_convolution",
    "recipe_gated",
    "recipe_opening",
    "recipe_pair",
    "recipe_pick",
    "recipe_pointwise",
    "recipe_pool",
    "recipe_pooled",
    "recipe_resample",
    "recipe_transpose",
]
