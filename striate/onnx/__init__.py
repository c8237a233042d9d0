"""ONNX: from an ONNX file to a graph of words; no torch, no ONNX Runtime.

    file           the file, its opset              tensor       a tensor in it, or beside it
    limits         what is too large                path         the name of a node as a path of modules
    reading        the graph, node by node          registry     which function reads what
    call           one node as its reader sees it; attributes; value: what its inputs can be
    batch          the number of images, unknown    sizes, folding, folding_move     constants computed
    tidy           what exporters took apart        network      read_onnx(), the way in

and one file of ``readers`` for each family: convolution, pooling, activation, normalisation, dense, join,
reduction, move, part, resampling, quantisation, passing.
"""

from striate.onnx.network import read_onnx

__all__ = ["read_onnx"]
