"""A transaction's staging area: what is being built, its journal, and the lock of the process that holds it.

```
staging/open/<transaction>/
  lock               held as long as the transaction lives; released by the system when its process dies
  transaction.json   what is being built, on which instance
  journal.jsonl      one line for each thing done, so that a broken transaction can be replayed
  build/…/v<N>/      the version as it will be published
  seal.json          written when the version is complete; from then on recovery finishes it
  parity/            its parity, to be put in place after the commit
```
"""

from __future__ import annotations

import fcntl
import io
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from muniment.archive.disk.durable import (
    NEW_FILE,
    make_folder,
    remove_tree,
    rename,
    replace_file,
    sync_folder,
    write_all,
    write_file,
    writing,
)
from muniment.archive.disk.layout import ArchiveLayout, object_parts
from muniment.archive.disk.locks import try_exclusive
from muniment.content.identity import Agent, to_uri
from muniment.content.regular import is_regular, open_regular, read_regular
from muniment.content.times import from_ns, read_time
from muniment.errors.archive import DamagedRecord, LeftoverNotFound, TransactionBusy

INGESTION, IMPORT, DELETION, REPAIR = "ingestion", "import", "deletion", "repair"
"""What a transaction may be; written to disk."""
_EARLIER_NAMES = {"adoption": IMPORT}
"""What was written before."""


@dataclass(frozen=True, slots=True)
class TransactionRecord:
    """What a transaction set out to do; `base` is the instance it builds on, 0 for a new resource.

    `log` is the number of the newest event when it began: its own come later. `committed_by` is who commits it where
    that is not who began it.
    """

    transaction: str
    project: str
    id: str
    base: int
    started: str
    agent_name: str
    agent_address: str
    message: str = ""
    kind: str = INGESTION
    log: int = 0
    committed_by: str = ""

    @property
    def agent(self) -> Agent:
        """Who began it, and to whom it belongs."""
        return Agent(self.agent_name, self.agent_address)

    def as_bytes(self) -> bytes:
        """What `transaction.json` holds."""
        return _json({name: getattr(self, name) for name in self.__slots__})


class StagingArea:
    """The folder of one transaction, held by this process."""

    def __init__(self, folder: Path, record: TransactionRecord, lock: int | None) -> None:
        self.record = record
        self._lock = lock
        self._let_go = False
        """Whether the lock is open and not held: between two pieces of work on the transaction."""
        self.stays_open = False
        """Whether `pause` leaves open what it may: for who works on many by turns, and closes them by `release`."""
        self.held_since = time.monotonic()
        """When this process opened its lock, by a clock that only tells earlier from later."""
        self._journal: int | None = None
        self._settle(folder)

    def _settle(self, folder: Path) -> None:
        # Put together once: a commit asks for them a hundred times, which was a fifth of its processor time.
        self.folder = folder
        self.build = folder / "build"
        """Stands for the storage root while the version is being built."""
        self.object = self._object_in(self.build)
        """Stands for the object's root; a new object has its folders above it already, to be moved in one go."""
        self.version = self.object / f"v{self.record.base + 1}"
        """The version's folder as it is being built."""
        self.content = self.version / "content"
        """Where the version's files go."""
        self.seal = folder / "seal.json"
        """The record that the version is complete."""
        self.journal = folder / "journal.jsonl"
        """What was done, a line each."""

    def _object_in(self, build: Path) -> Path:
        record = self.record
        return build if record.base else build.joinpath(*object_parts(to_uri(record.project, record.id)))

    @classmethod
    def begin(cls, layout: ArchiveLayout, record: TransactionRecord, *, lasting: bool = False) -> Self:
        """Make the folder and take its lock.

        With `lasting` it is on stable storage on return, for what becomes visible before anything else of the
        transaction is synced: after a cut of power nobody could finish that without this record.

        Raises:
            DiskFull, WriteFailed: The storage refused.
        """
        # Begun elsewhere and moved in whole, so that recovery never sees one that nobody holds yet.
        fresh = layout.scratch / record.transaction
        folder = layout.transactions / record.transaction
        make_folder(fresh)
        lock = try_exclusive(fresh / "lock")
        area = cls(fresh, record, lock)
        try:
            write_file(fresh / "transaction.json", record.as_bytes(), sync=lasting)
            place = os.fspath(fresh)
            for name in area.content.parts[len(fresh.parts) :]:
                place = f"{place}/{name}"
                make_folder(place)
            make_folder(layout.transactions)
            if lasting:
                sync_folder(fresh)
            rename(fresh, folder)
        except BaseException:
            area.release()
            remove_tree(fresh)
            raise
        area._settle(folder)
        if lasting:
            try:
                sync_folder(layout.transactions)
            except BaseException:
                area.release()  # nothing has happened; recovery removes it
                raise
        return area

    @classmethod
    def take_over(cls, folder: Path) -> Self | None:
        """Hold a folder somebody left, or None when it is alive or already gone.

        Raises:
            DamagedRecord: What it set out to do cannot be read.
        """
        if not folder.is_dir():
            return None
        if os.path.lexists(folder / "lock") and not is_regular(folder / "lock"):
            raise DamagedRecord(path=folder / "lock", reason="it is no file")
        lock = try_exclusive(folder / "lock")
        if lock is None:
            return None
        try:
            return cls(folder, read_record(folder), lock)
        except LeftoverNotFound:
            # Killed before it had begun, or while it was being removed: nothing of value is in it.
            os.close(lock)
            remove_tree(folder)
            return None
        except BaseException:
            os.close(lock)
            raise

    @property
    def held(self) -> int | None:
        """The descriptor that has been open since this process took the folder, for `sync_tree`."""
        return self._lock

    @property
    def uploads(self) -> Path:
        """Where files lie that are on their way in and came only in part."""
        return self.folder / "uploads"

    @property
    def parity(self) -> Path:
        """Where the version's parity is made."""
        return self.folder / "parity"

    def restate(self, *, message: str | None = None, committed_by: str | None = None) -> None:
        """Change what the transaction says it is for, or who commits it.

        Raises:
            DiskFull, WriteFailed: The storage refused.
        """
        record = self.record
        self.record = replace(
            record,
            message=record.message if message is None else message,
            committed_by=record.committed_by if committed_by is None else committed_by,
        )
        replace_file(self.folder / "transaction.json", self.record.as_bytes(), scratch=self.folder)

    def note(self, *records: Mapping[str, Any]) -> None:
        """Write a line to the journal for each record.

        Raises:
            DiskFull, WriteFailed: The storage refused.
        """
        with writing(self.folder):
            if self._journal is None:
                flags = (NEW_FILE & ~os.O_EXCL) | os.O_APPEND
                self._journal = os.open(self.journal, flags, 0o644)
            write_all(self._journal, b"".join(_json(record) + b"\n" for record in records))

    def journal_size(self) -> int:
        """Bytes in the journal; a place to read on from."""
        if self._journal is not None:
            return os.fstat(self._journal).st_size
        try:
            return self.journal.stat().st_size
        except FileNotFoundError:
            return 0

    def notes(self, start: int = 0) -> Iterator[dict[str, Any]]:
        """The journal's whole lines from byte `start` on; what a crash left of a last one is passed over."""
        try:
            file = io.BufferedReader(open_regular(self.journal))
        except FileNotFoundError:
            return
        except OSError as error:
            raise DamagedRecord(path=self.journal, reason=error.strerror or str(error)) from error
        with file:
            file.seek(start)
            for line in file:
                if line.endswith(b"\n"):
                    try:
                        yield dict(json.loads(line))
                    except (ValueError, TypeError, RecursionError) as error:
                        raise DamagedRecord(path=self.journal, reason=str(error)) from error

    def write_lease(self, seconds: float) -> None:
        """Let the transaction count as alive for so long although nobody holds it.

        Raises:
            DiskFull, WriteFailed: The storage refused.
        """
        until = from_ns(time.time_ns() + int(seconds * 1e9)) or ""
        replace_file(self.folder / "lease", until.encode("ascii"), scratch=self.folder)

    def lease(self) -> str:
        """Until when it counts as alive; nothing where it has no lease, or one that cannot be read."""
        try:
            text = read_regular(self.folder / "lease").decode("ascii")
        except (OSError, UnicodeDecodeError):
            return ""
        return text if read_time(text) else ""

    def let_go(self) -> None:
        """Let others take the folder, and keep open what `retake` then need not open again.

        What is open is closed by `release`; until then it is two descriptors of this process.
        """
        if self._lock is not None and not self._let_go:
            fcntl.flock(self._lock, fcntl.LOCK_UN)
            self._let_go = True

    def pause(self) -> None:
        """Let others take the folder until `retake`."""
        self.let_go() if self.stays_open else self.release()

    def retake(self) -> None:
        """Take the lock of a folder this process let go of.

        Raises:
            TransactionBusy: Somebody else has it.
            LeftoverNotFound: The folder is gone.
        """
        if self._let_go and not self._locked_again():
            self.release()  # what is open is not what lies there now: it is looked at from the beginning
        if self._lock is not None:
            return
        name = self.record.transaction
        if not self.folder.is_dir():
            raise LeftoverNotFound(transaction=name)
        lock = try_exclusive(self.folder / "lock")
        if lock is None:
            raise TransactionBusy(transaction=name)
        if not (self.folder / "transaction.json").exists():
            os.close(lock)
            remove_tree(self.folder)
            raise LeftoverNotFound(transaction=name)
        self._lock = lock
        self.held_since = time.monotonic()

    def _locked_again(self) -> bool:
        """Whether the lock that is open is held now, and is still the lock of the transaction's folder."""
        assert self._lock is not None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TransactionBusy(transaction=self.record.transaction) from None
        # Only now: whoever removes the folder holds the lock until it has another name.
        place = os.fspath(self.folder)
        try:
            same = os.path.samestat(os.fstat(self._lock), os.stat(f"{place}/lock", follow_symlinks=False))
        except OSError:
            same = False
        self._let_go = not (same and os.access(f"{place}/transaction.json", os.F_OK))
        return not self._let_go

    def sealed(self) -> dict[str, Any] | None:
        """The seal's record, or None while the version is not complete."""
        try:
            record = json.loads(read_regular(self.seal))
        except (OSError, ValueError, RecursionError):
            return None
        return record if isinstance(record, dict) and isinstance(record.get("inventory"), str) else None

    def write_seal(self, record: Mapping[str, Any]) -> None:
        """Declare the version complete; durable with the next sync of the tree.

        Raises:
            DiskFull, WriteFailed: The storage refused.
        """
        write_file(self.seal, _json(record))

    def unseal(self) -> None:
        """Take the declaration back for good, and then what else sealing wrote: it may be sealed again.

        Raises:
            WriteFailed: The storage refused.
        """
        with writing(self.seal):
            if self.seal.exists():
                os.unlink(self.seal)
                sync_folder(self.folder)
            # The user's files lie deeper, below `data` and `again`.
            for folder in (self.object, self.version, self.content, self.content / "metadata"):
                for name in os.listdir(folder) if folder.is_dir() else ():
                    if not (folder / name).is_dir():
                        os.unlink(folder / name)

    def discard(self) -> None:
        """Remove the folder and let go of it; it vanishes at once, whatever happens during the removal.

        Raises:
            DiskFull, WriteFailed: Something could not be removed.
        """
        dead = self.folder.parent.parent / "scratch" / f"dead-{self.folder.name}"
        try:
            make_folder(dead.parent)
            rename(self.folder, dead)
        finally:
            # Also when it must stay: recovery sees to it then, in this process too.
            self.release()
        remove_tree(dead)

    def release(self) -> None:
        """Let go of the folder and leave it as it is."""
        if self._journal is not None:
            os.close(self._journal)
            self._journal = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
        self._let_go = False


def read_record(folder: Path) -> TransactionRecord:
    """What a transaction set out to do, whoever holds it.

    Raises:
        LeftoverNotFound: There is none in `folder`.
        DamagedRecord: It cannot be read.
    """
    path = folder / "transaction.json"
    try:
        record = TransactionRecord(**json.loads(read_regular(path)))
    except FileNotFoundError:
        raise LeftoverNotFound(transaction=folder.name) from None
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise DamagedRecord(path=path, reason=str(error)) from error
    return replace(record, kind=_EARLIER_NAMES.get(record.kind, record.kind))


def left_behind(layout: ArchiveLayout) -> list[Path]:
    """The folders of transactions, alive or not, oldest first."""
    try:
        names = sorted(os.listdir(layout.transactions))
    except FileNotFoundError:
        return []
    return [layout.transactions / name for name in names]


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _json(record: Mapping[str, object]) -> bytes:
    return _encode(record).encode("utf-8")
