"""SKETCH: a graph while it is being read, whatever it is read from: a torch module or an ONNX file.

    sketch     drafts without names, the shape of each value, the tensors they use
    patterns   words made of several steps: window_patterns, channel_patterns, gate_patterns, weight_patterns,
               gelu, local_response, global_response
    names      names of nodes and tensors; from a sketch to a graph

It knows words and graphs and nothing else; no torch.
"""

from striate.sketch.names import named_graph, word_name
from striate.sketch.patterns import recognise
from striate.sketch.sketch import Draft, Place, Sketch, Weight

__all__ = ["Draft", "Place", "Sketch", "Weight", "named_graph", "recognise", "word_name"]
