"""The interfaces for programs: their routes, put into one server that describes them all."""

from __future__ import annotations

from fastapi import FastAPI

from muniment.doors.ckan import http as ckan
from muniment.doors.distillery import http as distillery
from muniment.doors.osf import http as osf
from muniment.http.names import PREFIX
from muniment.server import description, health, native

DESCRIPTION = f"{PREFIX}/openapi.json"
"""Where the description of all of them is."""


def install(server: FastAPI) -> None:
    """Serve them. Nexus is mounted beside them, and is in the description."""
    native.install(server)
    server.include_router(health.router)
    server.include_router(osf.router)
    server.include_router(ckan.router)
    server.include_router(distillery.router)
    description.install(server)
