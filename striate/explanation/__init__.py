"""WHY: every number of a network with its derivation, as text, JSON and HTML.

    derive          a graph becomes an explanation       explanation   rows, totals, convention
    text            the table, one layer unfolded        page          the same as a fragment of HTML
    atlas           activations, named and compared      portrait      one of them measured
    atlas_figure    the atlas drawn                      operations    what a formula costs
    walk            one window, step by step; walk_text in the terminal, walk_page, walk_film (GIF)
    why             three ways to connect an image, counted
    reconciliation  what other counters print, and why   counters      their rules, over module_facts

Torch-free; it knows graphs, arithmetic and meanings.
"""

from striate.explanation.derive import call, explain_graph
from striate.explanation.explanation import Explanation, Row, Totals
from striate.explanation.module_facts import ModuleFacts
from striate.explanation.reconciliation import Count, Reconciliation, reconcile

__all__ = [
    "Count",
    "Explanation",
    "ModuleFacts",
    "Reconciliation",
    "Row",
    "Totals",
    "call",
    "explain_graph",
    "reconcile",
]
