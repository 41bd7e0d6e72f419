"""Makes an archive, or one object of it, again from copies: nothing counts as an archive until its settings are there.

```
restore.json     while it lasts: of which archive this is going to be
muniment.json    put last; from then on the folder is an archive
```

Files get their names when they are whole and have the digests they should have, so a run that was killed goes on where
it was: what is there is read again and kept.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from muniment.archive.disk.durable import make_folder, rename, sync_tree, write_file, writing
from muniment.archive.disk.layout import LAYOUT, SETTINGS, ArchiveLayout
from muniment.archive.disk.root_files import PLACES, RECORD
from muniment.archive.package.inventory import NAME, sidecar_of
from muniment.archive.package.objects import declare, versions_on_disk
from muniment.content import Hashers
from muniment.content.paths import LogicalPath
from muniment.content.regular import open_regular, read_regular
from muniment.errors.archive import DamagedFile, NotEmpty

_CHUNK = 1 << 20
_NOTE = "restore.json"
_BELOW = frozenset({"objects", "events", "tombstones"})
_FILES = frozenset({"README.txt", "muniment_exit.py", "bagit-profile.json", RECORD})


class RestoredFiles:
    """Files that are made again below `root`; `scratch` is on the same filesystem."""

    def __init__(self, root: Path, scratch: Path) -> None:
        self.root = root
        self._scratch = scratch
        make_folder(root)
        make_folder(scratch)

    def put(self, name: str, open_: Callable[[], BinaryIO], digests: Mapping[str, str]) -> int:
        """Let the bytes of `open_` be the file `name`, if they have all of `digests`; what is there and has them stays.

        Returns the bytes that were read from `open_`.

        Raises:
            UnsafePath: The name leads out of the folder.
            DamagedFile: The bytes are others; nothing was put.
            DiskFull, WriteFailed: The storage refused.
        """
        target = self.root / str(LogicalPath.parse(name))
        if _has(target, digests):
            return 0
        fresh = self._scratch / secrets.token_hex(12)
        hashers = Hashers(sorted(digests))
        with open_() as file:
            write_file(fresh, digested(hashers, file))
        found = hashers.values()
        for algorithm, value in digests.items():
            if found[algorithm] != value:
                with writing(fresh):
                    fresh.unlink()
                raise DamagedFile(path=Path(name), algorithm=algorithm, found=found[algorithm], expected=value)
        make_folder(target.parent)
        rename(fresh, target)
        return hashers.size

    def complete_object(self, folder: str, algorithm: str) -> int:
        """Give an object its declaration and, in its root, the inventory of its newest version, which is returned."""
        root = self.root / folder
        newest = max(versions_on_disk(root), default=0)
        if not newest:
            return 0
        path, data = declare(root)
        self._write(path, data)
        with open_regular(root / f"v{newest}" / NAME) as file:
            text = file.read()
        hashers = Hashers([algorithm])
        hashers.update(text)
        self._write(root / NAME, text)
        self._write(root / f"{NAME}.{algorithm}", sidecar_of(hashers.values()[algorithm]))
        return newest

    def _write(self, path: Path, data: bytes) -> None:
        fresh = self._scratch / secrets.token_hex(12)
        write_file(fresh, data)
        rename(fresh, path)


class RestoredArchive(RestoredFiles):
    """The folder in which a whole archive is made again."""

    def __init__(self, root: Path, archive: str) -> None:
        """Begin in a folder that is new or empty, or go on in one where the archive of that id is not complete yet.

        What is there and whole stays; nobody may be using the archive meanwhile.

        Raises:
            NotEmpty: There is something else.
            DiskFull, WriteFailed: The storage refused.
        """
        note = root / _NOTE
        self._layout = ArchiveLayout(root, root)
        self._incomplete = self._layout.staging / _NOTE
        begun = archive in {_noted(note), _noted(self._incomplete)}
        if root.exists() and os.listdir(root) and not begun:
            raise NotEmpty(path=root)
        super().__init__(root, self._layout.scratch)
        if not note.exists():
            write_file(note, json.dumps({"archive": archive}).encode() + b"\n", sync=True)

    def put(self, name: str, open_: Callable[[], BinaryIO], digests: Mapping[str, str]) -> int:
        """As of any restored files; only what an archive has of its own is taken.

        Raises:
            NotEmpty: It is none of these.
            MunimentError: As `RestoredFiles.put`.
        """
        if name.partition("/")[0] not in _BELOW and name not in _FILES:
            raise NotEmpty(path=self.root / name)
        return super().put(name, open_, digests)

    def finish(self, settings: bytes, objects: Iterable[tuple[str, str]]) -> None:
        """Complete the `objects` (folder and digest algorithm), bring all to stable storage, and make it an archive.

        Raises:
            DiskFull, WriteFailed: The storage refused: it is no archive yet.
        """
        for folder, algorithm in objects:
            self.complete_object(folder, algorithm)
        layout = self._layout
        for place in (layout.parity, layout.events, layout.tombstones, layout.objects / "extensions" / LAYOUT):
            make_folder(place)
        for place in (layout.transactions, layout.quarantine, layout.locks):
            make_folder(place)
        for path in sorted(layout.events.glob("*/*.jsonl")):  # the log's mirror is no copy in a store: it is made here
            mirror = layout.log_mirror / path.parent.name / path.name
            if not mirror.exists():
                make_folder(mirror.parent)
                with open_regular(path) as file:
                    write_file(mirror, iter(lambda: file.read(_CHUNK), b""))
        first, *others = (self.root / place for place in PLACES)
        for place in others if first.is_file() else ():
            self._write(place, first.read_bytes())
        fresh = layout.scratch / SETTINGS
        write_file(fresh, settings)
        sync_tree(self.root)
        rename(fresh, self.root / SETTINGS)
        rename(self.root / _NOTE, self._incomplete)
        sync_tree(self.root)

    def complete(self) -> None:
        """Nothing lacks: whoever restores to this place again is refused from here on.

        Raises:
            WriteFailed: The storage refused.
        """
        with writing(self._incomplete):
            self._incomplete.unlink()


def _noted(note: Path) -> str:
    try:
        return str(json.loads(read_regular(note))["archive"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _has(path: Path, digests: Mapping[str, str]) -> bool:
    hashers = Hashers(sorted(digests))
    try:
        with open_regular(path) as file:
            while piece := file.read(_CHUNK):
                hashers.update(piece)
    except OSError:
        return False
    return dict(hashers.values()) == dict(digests)


def digested(hashers: Hashers, file: BinaryIO) -> Iterator[bytes]:
    """The bytes of a file in pieces, each digested before it is given out."""
    while piece := file.read(_CHUNK):
        hashers.update(piece)
        yield piece
