"""The CKAN door over HTTP: copies at `/archive/{time}/…`, records and reports below `/ckan/v1`."""

from __future__ import annotations

from muniment.doors.ckan.http.documents import SENT
from muniment.doors.ckan.http.routes import router

__all__ = ["SENT", "router"]
