"""What an audit of a bucket finds beside the objects: the archive's own files, tombstones, and what nothing records."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from muniment.archive.bucket.keys import Keys
from muniment.archive.bucket.layout import EVENTS, INTAKE, OBJECTS, QUARANTINE, TOMBSTONES, is_log_key, tombstone_key
from muniment.archive.bucket.log_audit import LoggedInBucket
from muniment.archive.config import config_bytes
from muniment.archive.create import archive_files
from muniment.archive.disk.layout import SETTINGS, TUPLES
from muniment.archive.disk.root_files import RECORD, ROOT_FILES, RootFiles
from muniment.content import FINDINGS, Finding
from muniment.content.archive import Repair
from muniment.content.config import ArchiveConfig
from muniment.errors.stores import KeyNotFound

if TYPE_CHECKING:
    from muniment.archive.bucket.home import BucketHome

_FOLDERS = (EVENTS, INTAKE, OBJECTS, QUARANTINE, TOMBSTONES)
_LAST = "\U0010ffff"
"""Behind whatever a key can go on with."""


def check_root_files(home: BucketHome) -> Iterator[Finding]:
    """Findings for files of the archive's own that are not as they were when it was made.

    Raises:
        StoreUnreachable, StoreFailed, StoreRefused: They could not be had.
    """
    record = _record(home.keys)
    if record is None:
        yield Finding(FINDINGS["M101" if home.keys.stat(RECORD) else "M102"], RECORD, "what `init` put", "another")
    for place, content in sorted(record.contents.items()) if record else ():
        found = _read(home.keys, place)
        if found != content:
            code = "M102" if found is None else "M101"
            yield Finding(FINDINGS[code], place, _digest(content), "" if found is None else _digest(found))


def repair_root_files(home: BucketHome, config: ArchiveConfig) -> Iterator[Repair]:
    """Put the archive's own files anew from their record, and the record where this version would write the same.

    In worm mode only what is lost is put: of a second version on top `repair_worm` speaks.

    Raises:
        StoreUnreachable, StoreFailed, StoreRefused: Not all was done.
    """
    record = _record(home.keys)
    if record is None:
        known = RootFiles({**archive_files(), SETTINGS: config_bytes(config)})
        there = {place: found for place in ROOT_FILES if (found := _read(home.keys, place)) is not None}
        if there != known.contents or (home.worm and home.keys.stat(RECORD) is not None):
            how = "nothing says any more what was in it: another version of Muniment made these files, or they changed"
            yield Repair(RECORD, repaired=False, how=how)
            return
        home.keys.put(RECORD, known.as_bytes())
        yield Repair(RECORD, repaired=_record(home.keys) is not None, how="put anew, as the files are that it is about")
        return
    for place, content in sorted(record.contents.items()):
        found = _read(home.keys, place)
        if found is None or (found != content and not home.worm):
            home.keys.put(place, content)
            yield Repair(place, repaired=_read(home.keys, place) == content, how=f"put anew from {RECORD}")


def check_tombstones(home: BucketHome, logged: LoggedInBucket) -> Iterator[Finding]:
    """Findings for tombstones that are not as the events of the purges tell, that are lost, or that none tells of.

    Raises:
        StoreUnreachable, StoreFailed, StoreRefused: They could not be had.
    """
    there = {each.key for each in home.keys.list(TOMBSTONES)}
    logged.catch_up()
    known = {tombstone_key(event.project, event.resource): event for event in logged.purges}
    for key, event in known.items():
        told, found = str(event.detail.get("tombstone", "")), _read(home.keys, key)
        about = event.resource, "", event.project
        if found is None:
            yield Finding(FINDINGS["M102"], key, told, "", *about)
        elif told and _digest(found) != told:
            yield Finding(FINDINGS["M101"], key, told, _digest(found), *about)
    yield from (Finding(FINDINGS["M105"], key) for key in sorted(there - set(known)))


def check_strays(keys: Keys) -> Iterator[Finding]:
    """Findings for keys in the root, between the objects and in the log that nothing records.

    Raises:
        StoreUnreachable, StoreFailed, StoreRefused: It could not be told.
    """
    for key in (*_in_the_root(keys), *_between_objects(keys)):
        if key not in {*ROOT_FILES, RECORD, SETTINGS}:
            yield Finding(FINDINGS["M105"], key)
    for each in keys.list(EVENTS):
        if not is_log_key(each.key):
            yield Finding(FINDINGS["M105"], each.key)


def _in_the_root(keys: Keys) -> Iterator[str]:
    """Every key but those in the archive's own folders, which are passed over without listing them."""
    after: str | None = ""
    while after is not None:
        begun, after = after, None
        for each in keys.list("", begun):
            folder = next((name for name in _FOLDERS if each.key.startswith(name)), None)
            if folder is not None:
                after = folder + _LAST
                break
            yield each.key


def _between_objects(keys: Keys) -> Iterator[str]:
    for each in keys.list(OBJECTS):
        parts = each.key.split("/")
        if parts[1] == "extensions" or len(parts) <= TUPLES + 2:
            yield each.key


def _record(keys: Keys) -> RootFiles | None:
    found = _read(keys, RECORD)
    try:
        return None if found is None else RootFiles.parse(found)
    except ValueError:
        return None


def _read(keys: Keys, key: str) -> bytes | None:
    try:
        with keys.open(key) as stream:
            return stream.read()
    except KeyNotFound:
        return None


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
