"""LOOKING: what a trained network gets wrong, and what it has learned to see. Plain NumPy and Pillow.

    predictions   one split's answers, checked, keyed by file name    confusion    counts per pair of classes
    calibration   is it as right as it is sure?                       thumbnail    pixels as a data URI
    mistakes      -> insight/mistakes.json, insight/predictions.json  filters      -> insight/filters.json

It writes JSON into a run folder; the report reads it.
"""

from striate.insight.filters import first_filters, write_filters
from striate.insight.mistakes import write_mistakes
from striate.insight.predictions import Predictions

__all__ = ["Predictions", "first_filters", "write_filters", "write_mistakes"]
