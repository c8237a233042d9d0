"""Words that torch has no operation for, recognised in the steps it writes instead.

Each pattern looks at the *last* step and rewrites it in place; the steps before it stay for whoever else
reads them, and are dropped with all other dead nodes if nobody does. So a match never changes a result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from striate.sketch.channel_patterns import channel_shuffle, channels_first_norm
from striate.sketch.gate_patterns import gated, hard_gate
from striate.sketch.gelu import gelu
from striate.sketch.global_response import global_response
from striate.sketch.local_response import local_response
from striate.sketch.sketch import Draft, Sketch
from striate.sketch.weight_patterns import radial_basis, scale, scale_and_shift
from striate.sketch.window_patterns import minimum_pool, padded_convolution, unpool_1d

Pattern: TypeAlias = Callable[[Sketch, str, Draft], bool]

PATTERNS: tuple[Pattern, ...] = (
    minimum_pool,
    padded_convolution,
    unpool_1d,
    channel_shuffle,
    channels_first_norm,
    gated,
    hard_gate,
    gelu,
    scale,
    scale_and_shift,
    radial_basis,
    local_response,
    global_response,
)


def recognise(sketch: Sketch) -> None:
    """Apply all patterns, from the first node to the last: a pattern sees what earlier ones have found."""
    for key in list(sketch.drafts):
        for pattern in PATTERNS:
            if pattern(sketch, key, sketch.drafts[key]):
                break
