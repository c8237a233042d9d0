"""WHY: every number of a network with its derivation, as text, JSON and HTML.

    derive        a graph becomes an explanation       explanation   rows, totals, convention
    text          the table, one layer unfolded        page          the same as a fragment of HTML

Torch-free; it knows graphs and arithmetic.
"""

from striate.explanation.derive import call, explain_graph
from striate.explanation.explanation import Explanation, Row, Totals

__all__ = ["Explanation", "Row", "Totals", "call", "explain_graph"]
