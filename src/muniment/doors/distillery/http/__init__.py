"""The Distillery over HTTP: form, preview, run with its live log, audit; each page is also JSON at the same address."""

from __future__ import annotations

from muniment.doors.distillery.http.documents import SENT
from muniment.doors.distillery.http.routes import router

__all__ = ["SENT", "router"]
