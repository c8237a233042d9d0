"""DOCTOR: what is wrong with a network, and what would mend it.

    examine      the whole examination          findings   what it answers: text, JSON; sarif: for code hosts
    patient      the network as rules see it    rule       what a rule is, the registry
    rules_...    one family a file              lint       the rules applied, and chosen in pyproject.toml
    trial        running a module, watched      trace      what happened while it ran
    diagnosis    why it failed, the mended line remedy_... one family of failures a file
    building     modules that cannot be built
    constructor  the call that builds a layer   source     the line where it stands
    calls        functions as layers

Only ``trial`` knows torch; it is imported by whoever has a module to run.
"""

from striate.doctor.examine import examine
from striate.doctor.findings import NetworkFinding, NetworkReport
from striate.doctor.lint import Choice, configured, lint, page
from striate.doctor.patient import InputStatistics, Patient
from striate.doctor.rule import RULES, Rule

__all__ = [
    "RULES",
    "Choice",
    "InputStatistics",
    "NetworkFinding",
    "NetworkReport",
    "Patient",
    "Rule",
    "configured",
    "examine",
    "lint",
    "page",
]
