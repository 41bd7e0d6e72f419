"""The server: an archive over HTTP, for programs and for people."""

from __future__ import annotations

from muniment.server.application import create_app

__all__ = ["create_app"]
