"""LOOKING: what a trained network gets wrong, and what it has learned to see. NumPy and Pillow.

    predictions   one split's answers, checked, keyed by file name    confusion    counts per pair of classes
    calibration   is it as right as it is sure?                       thumbnail    pixels as a data URI
    mistakes      -> insight/mistakes.json, insight/predictions.json  filters      -> insight/filters.json
    orientation   gratings shown to a first layer                     tuning       what they say of its cells
    answers       (torch) a module as a function of arrays
    weight_sharing  (torch) networks of equally many weights, trained alike, asked about shifted images

It writes JSON into a run folder; the report reads it.
"""

from striate.insight.filters import first_filters, write_filters
from striate.insight.mistakes import write_mistakes
from striate.insight.orientation import orientation_tuning
from striate.insight.predictions import Predictions
from striate.insight.tuning import Tuning

__all__ = ["Predictions", "Tuning", "first_filters", "orientation_tuning", "write_filters", "write_mistakes"]
