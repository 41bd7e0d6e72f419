"""Archives in a bucket to break: prepared ones, changes to them, and what must be true of the raw keys."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path

from muniment.app.bucket import BucketArchive
from muniment.archive import Agent, ImportedFile, ImportedInstance
from muniment.archive.bucket.intake import LARGEST_SMALL, Intake, transactions
from muniment.content import Entry, LogicalPath
from muniment.errors.stores import KeyNotFound
from muniment.testing.keys import FolderKeys
from tests.crash.judging import State, assert_ocfl

LARGE = b"0123456789abcdef" * (LARGEST_SMALL // 16 + 1)
"""The least that is put under a key of its own."""
AGENT = Agent("Ann", "mailto:ann@example.org")
Change = Callable[[BucketArchive], object]


def opened(keys: FolderKeys, state: Path) -> BucketArchive:
    """The archive, opened by the machine whose state folder this is."""
    return BucketArchive(keys, state, agent=AGENT, workers=0)


def keys_in(folder: Path, mode: str) -> FolderKeys:
    """The keys of a bucket in a folder; in worm mode it keeps versions and locks."""
    return FolderKeys(folder / "bucket", versioned=mode == "worm")


def prepare(folder: Path, mode: str) -> None:
    """An archive with one resource of two instances."""
    keys, lock = keys_in(folder, mode), "compliance 10y" if mode == "worm" else ""
    with BucketArchive.make(keys, folder / "state", mode=mode, lock=lock, agent=AGENT, workers=0) as archive:
        with archive.new("one", message="first") as transaction:
            transaction.add(b"first\n", "a.txt")
            transaction.add(LARGE, "large.bin")
        with archive.get("one", "a", message="second") as transaction:
            transaction.add(b"second\n", "b.txt")


def make_new(archive: BucketArchive) -> None:
    """A new resource, with small files and a large one."""
    with archive.new("two", message="made") as transaction:
        transaction.add(b"two\n", "a.txt")
        transaction.add(b"", "empty")
        transaction.add(LARGE[::-1], "folder/large.bin")
        transaction.metadata["title"] = "Two"


def make_next(archive: BucketArchive) -> None:
    """The next instance of a resource."""
    with archive.get("one", "a", message="third") as transaction:
        transaction.delete("a.txt")
        transaction.add(b"third\n", "c.txt")
        transaction.add(LARGE + b"!", "larger.bin")


def _instance(number: int, of: str) -> ImportedInstance:
    files = {f"{number}.txt": f"{of} {number}\n".encode(), "same.txt": b"same\n", "large.bin": LARGE + b"?" * number}
    return ImportedInstance(
        [ImportedFile(Entry(LogicalPath(path), len(data)), partial(BytesIO, data)) for path, data in files.items()],
        message=f"{of}, {number}",
    )


def make_history(archive: BucketArchive) -> None:
    """A new resource that has three instances already."""
    archive.import_history("two", [_instance(number, "two") for number in (1, 2, 3)])


def make_histories(archive: BucketArchive) -> None:
    """Two new resources, which become visible together."""
    named = (("two", None, [_instance(1, "two"), _instance(2, "two")]), ("three", None, [_instance(1, "three")]))
    archive.import_histories(named)


def purge(archive: BucketArchive) -> None:
    """The end of a resource."""
    archive.purge("one", "it was made by mistake")


CHANGES: dict[str, tuple[str, Change]] = {
    "new": ("preservation", make_new),
    "next": ("preservation", make_next),
    "next-dynamic": ("dynamic", make_next),
    "history": ("preservation", make_history),
    "histories": ("preservation", make_histories),
    "history-worm": ("worm", make_history),
    "purge": ("dynamic", purge),
    "new-worm": ("worm", make_new),
}


def refuse_strangers(keys: FolderKeys) -> None:
    """Nothing lies under `objects/` that no committed inventory names, but for the files of an object's root."""
    named: set[str] = set()
    every = [each.key for each in keys.list("objects/")]
    purged = {json.loads(keys.open(each.key).read())["id"] for each in keys.list("tombstones/")}
    for key in every:
        place, _, rest = key.partition("/v")
        if key.endswith("/inventory.json") and rest.count("/") == 1:
            inventory = json.loads(keys.open(key).read())
            named |= {key, f"{key}.sha512", f"{place}/inventory.json", f"{place}/inventory.json.sha512"}
            named.add(f"{place}/0=ocfl_object_1.1")
            named |= {f"{place}/{path}" for paths in inventory["manifest"].values() for path in paths}
    root = {"objects/0=ocfl_1.1", "objects/ocfl_layout.json"}
    strange = [key for key in every if key not in named | root and not key.startswith("objects/extensions/")]
    assert [key for key in strange if not purged] == []


def refuse_unlocked(keys: FolderKeys) -> None:
    """In worm mode every key outside the intake has one version, no mark of a deletion, and a lock that is read back.

    Of a version that is not laid out whole yet, what is put is locked as it is put, or when the laying out ends.
    """
    found = [each for each in keys.versions() if not each.key.startswith("intake/")]
    assert [each for each in found if each.marker or not each.newest] == []
    assert [each.key for each in found if keys.locked(each.key) is None] == []


def refuse_lost_bytes(keys: FolderKeys) -> None:
    """Each file of each committed version can be read, in its place or where it is staged."""
    purged = any(True for _ in keys.list("tombstones/"))
    named: set[tuple[str, str]] = set()  # each once: the inventory of every version names them again
    for each in [] if purged else list(keys.list("objects/")):
        place, _, rest = each.key.partition("/v")
        if each.key.endswith("/inventory.json") and rest.count("/") == 1:
            inventory = json.loads(keys.open(each.key).read())
            named |= {(place, path) for paths in inventory["manifest"].values() for path in paths}
    for place, path in named:
        assert keys.stat(f"{place}/{path}") or _staged(keys, path), f"{path} of {place} is nowhere"


def _staged(keys: FolderKeys, path: str) -> bool:
    for transaction in transactions(keys):
        try:
            seal = Intake(keys, transaction).read_end()
        except KeyNotFound:
            continue
        for each in seal.objects if seal is not None else ():
            if path in each.files and keys.stat(each.files[path].key):
                return True
    return False


def judge_raw(keys: FolderKeys, folder: Path, judged: Path | None = None) -> None:
    """The objects as they lie in the bucket, copied key by key, are an OCFL storage root to others.

    Of a `judged` folder the objects were found to be that already: where these are the same to the byte, so are they.
    """
    if judged is not None and _is_alike(keys, judged):
        return
    for each in keys.list("objects/"):
        target = folder / each.key
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(keys.open(each.key).read())
    try:
        assert_ocfl(folder / "objects")
    finally:
        shutil.rmtree(folder)


def _is_alike(keys: FolderKeys, folder: Path) -> bool:
    lying = {str(each.relative_to(folder)) for each in (folder / "objects").rglob("*") if each.is_file()}
    listed = {each.key for each in keys.list("objects/")}
    return lying == listed and all(keys.open(each).read() == (folder / each).read_bytes() for each in lying)


def content_of(archive: BucketArchive) -> State:
    """Everything an archive holds, every byte of it read and checked."""
    return {
        id: [
            ({path: found.read(path) for path in found}, dict(found.metadata), found.message)
            for found in archive.history(id)
        ]
        for id in archive
    }
