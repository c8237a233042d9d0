"""RIVALS: the same network on whatever is installed, in turns, so that a busy machine disturbs all alike.

entry        what is run              contestant   who runs it; one adapter a file:
                                      ours, eager, compiled, onnx_runtime, open_vino
rounds       in turns, timed          agreement    who computes something else
footprint    install size, memory     standing     medians, ratios, shares of the peak
"""

from striate.race.agreement import ALLOWED, errors
from striate.race.contestant import CONTESTANTS, Answer, Contestant, Entry
from striate.race.footprint import installed_bytes, peak_memory
from striate.race.rounds import alternate
from striate.race.standing import Heat, Standing, standings

__all__ = [
    "ALLOWED",
    "CONTESTANTS",
    "Answer",
    "Contestant",
    "Entry",
    "Heat",
    "Standing",
    "alternate",
    "errors",
    "installed_bytes",
    "peak_memory",
    "standings",
]
