"""The audit: everything recorded is there and right, and everything that is there is recorded."""

from __future__ import annotations

from muniment.archive.fixity.audit.record import AuditResult, recorded_audit
from muniment.archive.fixity.audit.run import audit

__all__ = ["AuditResult", "audit", "recorded_audit"]
