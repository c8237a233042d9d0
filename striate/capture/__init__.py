"""READING: from a torch module to a graph of words.

    module         capture(), the way in           program      running torch.export
    chain          plain layers in a row, read without it
    reading        operation by operation          call         one operation as its reader sees it
    fixed          what is the same for every input
    registry       which function reads what       aliases      writes in place
    places         module paths, source lines

and one file of readers for each family: convolution, pooling, activation, normalisation, dense, join,
reshape, parts, resample, quantisation, passing.
"""

from striate.capture.module import capture
from striate.capture.program import StaticBatchWarning

__all__ = ["StaticBatchWarning", "capture"]
