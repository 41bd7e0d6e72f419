"""The foreman's interface, below `/api/v1`: containers are submitted, followed, and handed out as registrations."""

from __future__ import annotations

from muniment.doors.osf.http.documents import SENT
from muniment.doors.osf.http.routes import PREFIX, router

__all__ = ["PREFIX", "SENT", "router"]
