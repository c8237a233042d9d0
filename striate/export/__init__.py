"""LEAVING: a graph of words as a file that other programs read.

onnx         Graph -> ONNX             onnx_words   how each word is written; windows, layers, moves
"""

from striate.export.onnx import onnx_model, with_batch, write_onnx

__all__ = ["onnx_model", "with_batch", "write_onnx"]
