"""Fetching by a server: it is asked, does the work, and says how far it is."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from muniment.remote.connection import Server, segment


class RemoteFetches:
    """The fetches of the archive behind a server."""

    def __init__(self, url: str, *, key: str | None = None) -> None:
        """Remember where it is; nothing is sent yet.

        Raises:
            BadInput: The address is none, or holds credentials.
        """
        self._server = Server(url, key)

    def close(self) -> None:
        """End the connections."""
        self._server.close()

    def submit(self, sources: Sequence[Mapping[str, object]], **further: object) -> dict[str, Any]:
        """Ask for a fetch; `further` are the other fields of its document that are not None.

        Raises:
            MunimentError: What the server says, or that it cannot be reached.
        """
        given = {"sources": list(sources), **{name: value for name, value in further.items() if value is not None}}
        headers = {"Idempotency-Key": secrets.token_hex(16)}
        answer: dict[str, Any] = self._server.ask("POST", "/fetches", given=given, headers=headers).json()
        return answer

    def show(self, fetch: str) -> dict[str, object]:
        """How far a fetch is, or what came of it.

        Raises:
            MunimentError: What the server says, or that it cannot be reached.
        """
        answer: dict[str, object] = self._server.ask("GET", f"/fetches/{segment(fetch)}").json()
        return answer
