"""How large things may be: a file that claims more is refused before memory is asked for.

The largest networks of the field stay far below all of these.
"""

MOST_FILE_BYTES = 2**31 - 1  # protobuf's own limit
MOST_TENSOR_BYTES = 2**31
MOST_WEIGHT_BYTES = 2**33  # of all tensors
MOST_WORDS = 20_000
MOST_VALUES = 2**28  # of one layer's result, padding included, for one image: 1 GiB in single precision
MOST_FOLDED = 2**22  # values of a constant that is larger than what it is computed from
MOST_GROWN = 2**24  # values of all such constants of a file
MOST_RUNS = 256  # of consecutive entries that one Gather picks
MOST_DEPTH = 8  # graphs in graphs
