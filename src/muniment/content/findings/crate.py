"""Findings of RO-Crates that lie in a folder by themselves; the specification (RO-Crate 1.2) gives no codes."""

from __future__ import annotations

from muniment.content.findings.model import Kind, Severity

_FAULTS = (
    ("R001", "{where} is no description of a crate: {found}.", "A crate's document is JSON-LD with its descriptor."),
    ("R002", "{where}: {found}.", "The root data entity must be a Dataset with name, description, date and licence."),
    ("R003", "{where} is not there; {expected} lists it.", "A file or folder that a crate describes is in it."),
    ("R004", "{where}: {found} is not reached from the root.", "Data entities are linked by hasPart."),
    ("R005", "{where} is {found}, not a file or folder.", "A link, device or pipe lies in the crate."),
)

_UNJUDGED = (("R901", "{where} could not be read: {found}.", "The storage did not give it; it may be right or wrong."),)

CRATE: tuple[Kind, ...] = tuple(
    Kind(code, severity, template, arises)
    for severity, rows in ((Severity.ERROR, _FAULTS), (Severity.UNKNOWN, _UNJUDGED))
    for code, template, arises in rows
)
