"""A tape as LTFS shows it, by FUSE: what was seen of the real one, and no more.

    python ltfs_process.py FOLDER MOUNTPOINT CAPACITY NAME [--read-only]

The files lie in FOLDER. Full is ENOSPC, and what is removed gives no room back; hard links are refused, symbolic ones
are not; modes stay 777; names come back composed (NFC), have at most 255 characters, and some characters are refused;
the volume has extended attributes. What was written is found at the next mount only if the index was written since:
when it is asked for (`user.ltfs.sync`), or when the tape is unmounted.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import re
import signal
import stat
import sys
import unicodedata
from pathlib import Path
from typing import Any

import mfusepy as fuse

_BLOCK = 4096
_REFUSED = re.compile("[\x1f\ud800-\udfff\ufffe\uffff]")
_LONGEST = 255
_PDEATHSIG = 1


class Tape(fuse.Operations):  # type: ignore[misc]  # its base class has no types
    """The calls of a filesystem."""

    use_ns = True

    def __init__(self, folder: Path, capacity: int, name: str) -> None:
        """Put the tape in: what no index speaks of is lost."""
        self._data = folder / "data"
        self._index = folder / "index.json"
        self._capacity, self._name = capacity, name
        self._data.mkdir(parents=True, exist_ok=True)
        found: Any = (
            json.loads(self._index.read_text()) if self._index.exists() else {"used": 0, "names": {}, "generation": 0}
        )
        self._used: int = found["used"]
        self._generation: int = found["generation"]
        for folder_name, _, names in os.walk(self._data):
            for each in names:
                path = Path(folder_name, each)
                inside = str(path.relative_to(self._data))
                if inside not in found["names"]:
                    path.unlink()
                elif not path.is_symlink():
                    os.truncate(path, found["names"][inside])

    def destroy(self, path: str) -> None:
        """Write the index when the tape is taken out."""
        self.write_index()

    def write_index(self) -> None:
        """Write down what is on the tape; it takes some room itself."""
        names = {
            str(Path(folder, each).relative_to(self._data)): Path(folder, each).lstat().st_size
            for folder, _, files in os.walk(self._data)
            for each in files
        }
        self._generation += 1
        fresh = self._index.with_suffix(".new")
        fresh.write_text(json.dumps({"used": self._used, "names": names, "generation": self._generation}))
        fresh.replace(self._index)

    def _at(self, path: str) -> str:
        for segment in path.split("/"):
            if len(unicodedata.normalize("NFC", segment)) > _LONGEST:
                raise fuse.FuseOSError(errno.ENAMETOOLONG)
            if _REFUSED.search(segment):
                raise fuse.FuseOSError(errno.EINVAL)
        return str(self._data) + unicodedata.normalize("NFC", path)

    def getattr(self, path: str, fh: int | None = None) -> dict[str, object]:
        """As the file's, but its mode is 777."""
        found = os.lstat(self._at(path))
        facts = {name: getattr(found, name) for name in ("st_nlink", "st_size", "st_uid", "st_gid")}
        times = {name: getattr(found, f"{name}_ns") for name in ("st_atime", "st_mtime", "st_ctime")}
        return {**facts, **times, "st_mode": stat.S_IFMT(found.st_mode) | 0o777}

    def readdir(self, path: str, fh: int) -> list[str]:
        """Names, composed."""
        return [".", "..", *os.listdir(self._at(path))]

    def mkdir(self, path: str, mode: int) -> int:
        """Make a folder."""
        os.mkdir(self._at(path))
        return 0

    def rmdir(self, path: str) -> int:
        """Remove a folder."""
        os.rmdir(self._at(path))
        return 0

    def create(self, path: str, mode: int, fi: object = None) -> int:
        """Begin a file."""
        if self._used + _BLOCK > self._capacity:
            raise fuse.FuseOSError(errno.ENOSPC)
        return os.open(self._at(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)

    def open(self, path: str, flags: int) -> int:
        """Open a file."""
        writes = flags & (os.O_WRONLY | os.O_RDWR)
        return os.open(self._at(path), os.O_RDWR if writes else os.O_RDONLY)

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        """Read."""
        return os.pread(fh, size, offset)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        """Write on: every byte takes room for ever."""
        if self._used + len(data) > self._capacity:
            raise fuse.FuseOSError(errno.ENOSPC)
        self._used += len(data)
        return os.pwrite(fh, data, offset)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        """Cut."""
        os.truncate(self._at(path), length)
        return 0

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        """On the tape, though in no index yet."""
        return 0

    def release(self, path: str, fh: int) -> int:
        """Close."""
        os.close(fh)
        return 0

    def unlink(self, path: str) -> int:
        """Remove a name: the room does not come back."""
        os.unlink(self._at(path))
        return 0

    def rename(self, old: str, new: str) -> int:
        """Another name."""
        os.rename(self._at(old), self._at(new))
        return 0

    def symlink(self, target: str, source: str) -> int:
        """A symbolic link."""
        os.symlink(source, self._at(target))
        return 0

    def readlink(self, path: str) -> str:
        """Where one points."""
        return os.readlink(self._at(path))

    def link(self, target: str, source: str) -> int:
        """There are none."""
        raise fuse.FuseOSError(errno.EPERM)

    def chmod(self, path: str, mode: int) -> int:
        """Accepted, and nothing changes."""
        return 0

    def chown(self, path: str, uid: int, gid: int) -> int:
        """Accepted, and nothing changes."""
        return 0

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        """Times."""
        os.utime(self._at(path), ns=times) if times else os.utime(self._at(path))
        return 0

    def getxattr(self, path: str, name: str, position: int = 0) -> bytes:
        """What LTFS says of a volume and its files."""
        facts = {
            "volumeUUID": f"00000000-0000-4000-8000-{self._name:0>12.12}",
            "volumeName": self._name,
            "volumeSerial": self._name[:6],
            "indexGeneration": str(self._generation),
            "partition": "b",
            "startblock": "42",
        }
        try:
            return facts[name.removeprefix("user.ltfs.")].encode()
        except KeyError:
            raise fuse.FuseOSError(errno.ENODATA) from None

    def listxattr(self, path: str) -> list[str]:
        """None that tools would copy."""
        return []

    def setxattr(self, path: str, name: str, value: bytes, options: int, position: int = 0) -> int:
        """`user.ltfs.sync` writes the index."""
        if name != "user.ltfs.sync":
            raise fuse.FuseOSError(errno.ENOTSUP)
        self.write_index()
        return 0

    def statfs(self, path: str) -> dict[str, int]:
        """Room, as far as it goes."""
        free = max(0, self._capacity - self._used) // _BLOCK
        return {
            "f_bsize": _BLOCK,
            "f_frsize": _BLOCK,
            "f_blocks": self._capacity // _BLOCK,
            "f_bavail": free,
            "f_bfree": free,
            "f_namemax": _LONGEST,
        }


def main(folder: str, mountpoint: str, capacity: str, name: str, *options: str) -> None:
    """Serve until it is unmounted, or whoever started it is gone."""
    ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGTERM)
    tape = Tape(Path(folder), int(capacity), name)
    more = {"ro": True} if "--read-only" in options else {}
    fuse.FUSE(tape, mountpoint, foreground=True, nothreads=True, fsname="ltfs:/dev/nst0", **more)


if __name__ == "__main__":
    main(*sys.argv[1:])
