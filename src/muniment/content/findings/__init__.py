"""Findings: results of checks as data, each with a stable code from the one table of codes.

`FINDINGS` is that table. Its rows live in one module per family beside this one: Muniment's own
(`own`), OCFL's (`ocfl`, the specification's codes), BagIt's (`bagit`) and RO-Crate's (`crate`).
"""

from __future__ import annotations

from muniment.content.findings.bagit import BAGIT
from muniment.content.findings.crate import CRATE
from muniment.content.findings.model import Finding, Kind, Severity
from muniment.content.findings.ocfl import OCFL
from muniment.content.findings.own import OWN

FINDINGS: dict[str, Kind] = {kind.code: kind for family in (OWN, OCFL, BAGIT, CRATE) for kind in family}
"""Every kind of finding by its code."""

__all__ = ["FINDINGS", "Finding", "Kind", "Severity"]
