"""Checking the files of a registration store, and mending them from the parity beside them."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from muniment.archive import repair_copy
from muniment.errors.base import MunimentError
from muniment.errors.stores import BadStore
from muniment.layouts import registration as layout
from muniment.stores import Receipt, Store, read_bytes
from muniment.stores.folder import FolderStore

_DOCUMENT = 1 << 20


@dataclass(frozen=True, slots=True)
class Damage:
    """A file that is not what is recorded of it, or could not be read."""

    sha256: str
    reason: str


def damages(store: Store) -> Iterator[Damage]:
    """Every file of a store that does not read back as recorded; each is read whole.

    Raises:
        StoreFailed, StoreUnreachable, StoreRefused: The store cannot be listed.
    """
    for each in store.list(f"{layout.METADATA}/"):
        if each.key.endswith(".par2.json"):
            continue
        sha256 = each.key.removeprefix(f"{layout.METADATA}/").removesuffix(".json")
        try:
            size = int(json.loads(read_bytes(store, each.key, _DOCUMENT))["size"])
            store.check(Receipt(layout.file_key(sha256), size, {"sha256": sha256}))
        except MunimentError as error:
            yield Damage(sha256, error.message)
        except (ValueError, KeyError, TypeError):
            yield Damage(sha256, f"its record {each.key} cannot be read")


def repair(store: Store, sha256: str, scratch: Path) -> Path:
    """Mend a file from its parity; where its damaged bytes are kept.

    Raises:
        BadStore: The store is no folder: get the file and its parity, mend it with par2, and put it back.
        CannotRepair: There is no parity, or more is lost than it can stand in for; nothing was changed.
        MunimentError: par2 or the storage failed; nothing was changed.
    """
    if not isinstance(store, FolderStore):
        raise BadStore(store=store.container, reason="files are mended in folders only")
    work = Path(tempfile.mkdtemp(dir=scratch))
    try:
        (work / "par2").mkdir()
        for parity in (store.root / layout.PARITIES).glob(f"{sha256}.*par2"):
            shutil.copy(parity, work / "par2")
        mended = repair_copy(
            store.root / layout.file_key(sha256), sha256, work / "par2", work, work / f"mended-{sha256}"
        )
        return store.replace_damaged(layout.file_key(sha256), mended)
    finally:
        shutil.rmtree(work, ignore_errors=True)
