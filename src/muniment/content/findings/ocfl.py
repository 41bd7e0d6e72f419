"""OCFL's findings, under the specification's own codes (OCFL 1.1 validation codes)."""

from __future__ import annotations

from muniment.content.findings.model import Kind

OCFL: tuple[Kind, ...] = ()
