"""What is asked of a bucket before an archive is opened or made in it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from muniment.archive.bucket.keys import Keys
from muniment.archive.config import parse_config
from muniment.archive.disk.layout import SETTINGS
from muniment.content.config import ArchiveConfig
from muniment.content.identity import new_uuid
from muniment.errors.archive import NotAnArchive
from muniment.errors.base import RemoteError, StorageError
from muniment.errors.stores import ConditionsIgnored, KeyNotFound, StoreRefused


def read_settings(keys: Keys) -> tuple[ArchiveConfig, bytes]:
    """The settings of the archive below `keys`, read and as they lie there.

    Raises:
        NotAnArchive: There is none, or its settings cannot be read.
        NewerFormat: It was made by a later Muniment.
        StoreUnreachable, StoreFailed, StoreRefused: The bucket cannot be had.
    """
    try:
        with keys.open(SETTINGS) as stream:
            data = stream.read()
    except KeyNotFound:
        raise NotAnArchive(path=str(keys), reason=f"it holds no {SETTINGS}") from None
    return parse_config(data, str(keys)), data


def why_read_only(keys: Keys, settings: bytes) -> StorageError | RemoteError | ConditionsIgnored | None:
    """Why nothing can be written: the store would not refuse the second of two writers, or refuses us."""
    try:
        if keys.refuses_twice(SETTINGS, settings):
            return None
    except StoreRefused as error:
        return error
    return ConditionsIgnored(store=str(keys), key=SETTINGS)


def refuse_without_conditions(keys: Keys) -> None:
    """Race the store with itself: of sixteen writers of one key exactly one may be told that it was first.

    Raises:
        ConditionsIgnored: Another number was.
    """
    for _ in range(3):
        key = f"intake/probe-{new_uuid()}"
        try:
            with ThreadPoolExecutor(16, thread_name_prefix="probe") as pool:
                told = list(pool.map(lambda number: keys.put_once(key, f"writer {number}".encode()), range(16)))  # noqa: B023
        finally:
            keys.remove([key])
        if told.count(True) != 1:
            raise ConditionsIgnored(store=str(keys), key=key)
