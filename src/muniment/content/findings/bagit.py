"""BagIt's findings; the specification gives no codes, so these are ours."""

from __future__ import annotations

from muniment.content.findings.model import Kind

BAGIT: tuple[Kind, ...] = ()
