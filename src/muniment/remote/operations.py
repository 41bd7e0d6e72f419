"""Operations of an archive's server: what its ledger and workers are doing, and taking jobs and limits in hand."""

from __future__ import annotations

import ssl
from typing import Any, Self

from muniment.remote.connection import Server, segment


class RemoteOperations:
    """What an operator sees and may do, asked of a server; its key needs the right to administer the archive."""

    def __init__(self, url: str, *, key: str | None = None, tls: ssl.SSLContext | None = None) -> None:
        """Remember where it is; nothing is sent yet.

        Raises:
            BadInput: The address is none, or holds credentials.
        """
        self._server = Server(url, key, tls=tls)

    def __enter__(self) -> Self:
        """Use it in a `with` block."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the connections."""
        self._server.close()

    def document(self) -> dict[str, Any]:
        """What is owed, held up, being done and failed, and what the archive holds.

        Raises:
            ServerUnreachable: It does not answer.
            Unauthenticated, Forbidden: The key may not see it.
        """
        return dict(self._server.ask("GET", "/operations").json())

    def act(self, action: str, id: str) -> dict[str, Any]:
        """Retry, cancel, pause or resume a job; the job as it is then.

        Raises:
            JobNotFound, NothingToRetry, CredentialsErased, SubjectTaken: It cannot be done.
            ServerUnreachable: It does not answer. A retry may have happened all the same.
        """
        place = f"/jobs/{segment(id)}/{segment(action)}"
        return dict(self._server.ask("POST", place, again=action != "retry").json())

    def limits(self) -> list[dict[str, Any]]:
        """The limits that are closed.

        Raises:
            ServerUnreachable: It does not answer.
        """
        return list(self._server.ask("GET", "/limits").json()["limits"])

    def lift(self, name: str) -> bool:
        """Open a closed limit; whether it was closed.

        Raises:
            ServerUnreachable: It does not answer.
        """
        return bool(self._server.ask("POST", "/limits/lift", given={"name": name}).json()["lifted"])
