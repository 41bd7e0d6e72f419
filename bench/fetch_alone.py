"""Fetching as a worker does it, without ledger and registration: `python -m bench.fetch_alone URL ARCHIVE [WORD …]`.

Everything below the URL goes into one transaction of a new archive, with all its digests; with the word `sha256` with
that one alone. With `commit` it is then committed durably (parity is measured elsewhere), without it the transaction
is left as it is.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from muniment.archive import Archive
from muniment.jobs import Call, Json, StepRow
from muniment.sources import Guard, Session, SourceContext, open_source
from muniment.workflows.fetch.files import Fetch
from muniment.workflows.fetch.transactions import TransactionLease


class Alone:
    """A context for a step that no ledger knows."""

    job = key = "alone"
    attempt = 1
    secrets: Mapping[str, Json] = {}
    cancelled = stopping = False

    def check(self) -> None:
        """Nobody cancels it."""

    def progress(self, step: str, done: int, total: int | None, *, size: int = 0) -> None:
        """Nobody looks."""

    def spawn(self, *calls: Call) -> int:
        """It has no children.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError

    def children(self) -> Iterator[StepRow]:
        """None."""
        return iter(())


def fetch(url: str, place: Path, *, commit: bool, digests: tuple[str, ...] = ("sha512", "sha256")) -> None:
    """Fetch everything below `url` into a new archive.

    Raises:
        SystemExit: Something could not be had.
        MunimentError: As the parts raise it.
    """
    with (
        Archive.init(place, parity=False, digests=digests) as archive,
        Session(Guard(allow_private_addresses=True)) as session,
    ):
        transaction = archive.new("fetched")
        transaction.park(lease=3600)
        context = Alone()
        hold = TransactionLease(archive, "fetched", transaction.transaction, 3600, context.check)
        with tempfile.TemporaryDirectory() as scratch:
            source = open_source("http", {"url": url}, SourceContext(session, Path(scratch)))
            taken = Fetch(source, hold, "http", context, streams=8, last_time=lambda: True).run()
        if taken.failures:
            raise SystemExit(f"not fetched: {taken.failures[:3]}")
        if commit:
            hold.closing().commit()
        print(taken.files, taken.size)


if __name__ == "__main__":
    alone = {"digests": ("sha256",)} if "sha256" in sys.argv[3:] else {}
    fetch(sys.argv[1], Path(sys.argv[2]), commit="commit" in sys.argv[3:], **alone)
