"""Mounting: puts the API into the server."""

from __future__ import annotations

from fastapi import FastAPI

from muniment.archive import Archive
from muniment.web.api.native.gate import Gate
from muniment.web.api.nexus.application import NexusApi
from muniment.workflows.nexus.nexus import Nexus, Options

PREFIX = "/v1"


def install(server: FastAPI, archive: Archive, gate: Gate, options: Options | None = None) -> NexusApi:
    """Serve the API below `/v1`; `archive` becomes its own, and makes no parity as it commits: that takes long.

    The base address is the options', or without one what the server listens on.
    """
    wanted = options or Options(base="")

    def make(base: str) -> Nexus:
        return Nexus(archive, wanted.at(base), control=archive.state / "control.db")

    api = NexusApi(make, gate, archive, base=wanted.base)
    server.mount(PREFIX, api)
    return api
