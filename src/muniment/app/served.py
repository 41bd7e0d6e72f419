"""Archives behind a server: opened by its address."""

from __future__ import annotations

from collections.abc import Iterator

from muniment.content import Finding
from muniment.remote import RemoteArchive


class ServedArchive(RemoteArchive):
    """The archive behind a server, with what needs more than its client knows: the rules of OCFL."""

    def validate(self, id: str | None = None, project: str | None = None) -> Iterator[Finding]:
        """Judge all resources, or one, by the rules of OCFL; each is fetched for it.

        Raises:
            ResourceNotFound, AmbiguousId: As `get`.
            TransferCut: It was cut too often, or a file is damaged at the server.
        """
        from muniment.workflows.validate import validate_given_out  # noqa: PLC0415 - few programs need it

        return validate_given_out(self, id, project)
