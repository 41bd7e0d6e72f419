"""The open transactions of a server: on disk between requests, held by one request at a time, expired when unused."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator

from muniment.archive import Agent, Archive, Transaction, Upload, begun_by, extend_lease
from muniment.errors.archive import LeftoverNotFound, TransactionBusy, TransactionClosed
from muniment.errors.base import MunimentError
from muniment.errors.remote import UploadNotFound

_MOST_KEPT = 256
_MOST_OPEN = 32
"""Transactions whose lock and journal stay open between two requests: two descriptors each."""
_MOST_UPLOADS = 4096
_WAIT = 20.0
_STEP = 0.02


class _Turns:
    """A lock, and how many hold it or wait for it."""

    __slots__ = ("lock", "wanted")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.wanted = 0


class OpenTransactions:
    """Knows the transactions this process has worked on; any other may go on with them.

    Between two requests a transaction is parked: its lock is free and a lease says how long it lives.
    What is kept in memory only saves reading its journal again.
    """

    def __init__(self, archive: Archive, lease: float) -> None:
        self.lease = lease
        self._archive = archive
        self._kept: OrderedDict[str, Transaction] = OrderedDict()
        self._open: OrderedDict[str, Transaction] = OrderedDict()
        """Of those that are parked, the ones that are still open."""
        self._leased: OrderedDict[str, float] = OrderedDict()
        self._begun: OrderedDict[str, tuple[Agent, str]] = OrderedDict()
        self._uploads: OrderedDict[str, Upload] = OrderedDict()
        self._locks: dict[str, _Turns] = {}
        self._guard = threading.Lock()

    def keep(self, transaction: Transaction) -> None:
        """Take a transaction that was begun just now.

        Raises:
            DiskFull, WriteFailed: The storage refused.
        """
        self._park(transaction)

    @contextlib.contextmanager
    def hold(self, name: str, archive: Archive, *, wait: float = _WAIT) -> Iterator[Transaction]:
        """Have a transaction alone for the length of a `with` block; `archive` is in the hands of who began it.

        Others that work on it are waited for, at most `wait` seconds.

        Raises:
            LeftoverNotFound: There is none such: it was closed, or it expired.
            TransactionBusy: Others work on it for longer than one wants to wait.
        """
        with self._alone(name, wait):
            transaction = self._take(name, archive, wait)
            try:
                yield transaction
            finally:
                self._park(transaction)

    def is_at_hand(self, name: str) -> bool:
        """Whether a transaction can be gone on with without reading its journal."""
        return name in self._kept

    def known_to_be_begun_by(self, name: str) -> tuple[Agent, str] | None:
        """As `begun_by` where that is known already, else None."""
        return self._begun.get(name)

    def begun_by(self, name: str) -> tuple[Agent, str]:
        """Who began a transaction and in which project, without taking it.

        Raises:
            LeftoverNotFound: There is none such.
        """
        with self._guard:
            known = self._begun.get(name)
        if known is None:
            known = begun_by(self._archive, name)
            with self._guard:
                self._begun[name] = known
                while len(self._begun) > _MOST_UPLOADS:
                    self._begun.popitem(last=False)
        return known

    def begin_upload(self, name: str, upload: Upload) -> None:
        """Remember an upload's state, so that its bytes need not be digested twice."""
        with self._guard:
            self._uploads[f"{name}/{upload.id}"] = upload
            while len(self._uploads) > _MOST_UPLOADS:
                self._uploads.popitem(last=False)

    def upload(self, name: str, id: str) -> Upload:
        """An upload of a transaction.

        Raises:
            UploadNotFound: There is none such.
        """
        with self._guard:
            known = self._uploads.get(f"{name}/{id}")
        if known is None:
            known = Upload.open(self._archive, name, id)
            self.begin_upload(name, known)
        return known

    def end_upload(self, name: str, id: str) -> None:
        """Forget an upload."""
        with self._guard:
            self._uploads.pop(f"{name}/{id}", None)

    def extend_lease(self, name: str) -> None:
        """Let a transaction live on while bytes for it are coming.

        Raises:
            UploadNotFound: It is gone.
        """
        if time.monotonic() - self._leased.get(name, -self.lease) < self.lease / 10:
            return
        try:
            extend_lease(self._archive, name, self.lease)
        except MunimentError as error:
            raise UploadNotFound(transaction=name, upload="") from error
        with self._guard:
            self._note_lease(name)

    @contextlib.contextmanager
    def _alone(self, name: str, wait: float) -> Iterator[None]:
        """Be the only one of this process at a name; when nobody is, nothing is remembered of it."""
        with self._guard:
            turns = self._locks.setdefault(name, _Turns())
            turns.wanted += 1
        try:
            if not turns.lock.acquire(timeout=wait):
                raise TransactionBusy(transaction=name)
            try:
                yield
            finally:
                turns.lock.release()
        finally:
            with self._guard:
                turns.wanted -= 1
                if not turns.wanted:
                    del self._locks[name]

    def _note_lease(self, name: str) -> None:
        self._leased[name] = time.monotonic()
        self._leased.move_to_end(name)
        # One that is forgotten is written once more than it had to be.
        while len(self._leased) > _MOST_UPLOADS:
            self._leased.popitem(last=False)

    def _take(self, name: str, archive: Archive, wait: float) -> Transaction:
        until = time.monotonic() + wait
        while True:
            try:
                return self._try(name, archive)
            except TransactionBusy:
                # Another process is at it, or the sweep looks at it for a moment.
                if time.monotonic() >= until:
                    raise
                time.sleep(_STEP)

    def _try(self, name: str, archive: Archive) -> Transaction:
        with self._guard:
            kept = self._kept.get(name)
            # From here on it is in use, and nobody closes it.
            self._open.pop(name, None)
        if kept is None:
            return archive.resume(name)
        try:
            kept.unpark()
        except TransactionBusy:
            with self._guard:
                self._keep_open(name, kept)
            raise
        except (LeftoverNotFound, TransactionClosed):
            self._drop(name)
            raise LeftoverNotFound(transaction=name) from None
        return kept

    def _park(self, transaction: Transaction) -> None:
        name = transaction.transaction
        fresh = time.monotonic() - self._leased.get(name, -self.lease) < self.lease / 10
        # A prepared one does not expire; without a lease whoever settles its group finds it at once.
        lease = 0.0 if transaction.prepared else None if fresh else self.lease
        try:
            transaction.area.stays_open = True
            transaction.park(lease=lease)
        except TransactionClosed:
            self._drop(name)
            return
        except MunimentError:
            # Nobody else could take it as long as this process runs.
            transaction.area.release()
            self._drop(name)
            raise
        with self._guard:
            if not fresh:
                self._note_lease(name)
            self._kept[name] = transaction
            self._kept.move_to_end(name)
            self._keep_open(name, transaction)
            while len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)

    def _keep_open(self, name: str, transaction: Transaction) -> None:
        """Note one that is parked and open, and close those that have been so for longest."""
        self._open[name] = transaction
        while len(self._open) > _MOST_OPEN:
            self._open.popitem(last=False)[1].area.release()

    def _drop(self, name: str) -> None:
        with self._guard:
            self._open.pop(name, None)
            self._kept.pop(name, None)
            self._begun.pop(name, None)
            self._leased.pop(name, None)
            for known in [key for key in self._uploads if key.startswith(f"{name}/")]:
                del self._uploads[known]
