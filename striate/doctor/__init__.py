"""DOCTOR: what is wrong with a network, and what would mend it.

examine   does an input come through the network, and what is the smallest that does?
"""

from striate.doctor.examine import NetworkFinding, NetworkReport, examine

__all__ = ["NetworkFinding", "NetworkReport", "examine"]
