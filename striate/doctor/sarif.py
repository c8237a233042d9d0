"""Findings as SARIF 2.1.0, the form in which code hosts take them (OASIS standard, March 2020)."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from striate.doctor.findings import NetworkFinding, NetworkReport
from striate.doctor.rule import RULES

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def sarif(report: NetworkReport) -> dict[str, Any]:
    """One run with its rules and results. A finding without a known line is placed at its layer alone."""
    names = list(dict.fromkeys(finding.rule for finding in report.findings))
    driver = {
        "name": "striate",
        "version": version("striate"),
        "rules": [_rule(name) for name in names],
    }
    results = [_result(finding, names.index(finding.rule)) for finding in report.findings]
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}


def _rule(name: str) -> dict[str, Any]:
    found = RULES.get(name)
    if found is None:
        return {"id": name}
    return {
        "id": name,
        "shortDescription": {"text": found.title},
        "fullDescription": {"text": found.reason},
        "help": {"text": f"{found.reason}\nSource: {found.source}"},
        "defaultConfiguration": {"level": found.severity},
        "properties": {"tags": [found.family]},
    }


def _result(finding: NetworkFinding, index: int) -> dict[str, Any]:
    text = " ".join(filter(None, (finding.message, finding.fix)))
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": finding.severity,
        "message": {"text": text},
    }
    location: dict[str, Any] = {}
    if finding.source is not None:
        file, _, line = finding.source.rpartition(":")
        uri = Path(file).as_uri() if Path(file).is_absolute() else quote(file)
        place = {"artifactLocation": {"uri": uri}, "region": {"startLine": int(line)}}
        location["physicalLocation"] = place
    if finding.place is not None:
        location["logicalLocations"] = [{"fullyQualifiedName": finding.place, "kind": "element"}]
    return result | ({"locations": [location]} if location else {})
