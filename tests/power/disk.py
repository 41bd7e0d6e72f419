"""A filesystem of its own on a loop device, whose power can be cut and which can be put back as it was."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Self

SIZES = {"ext4": 64 << 20, "xfs": 320 << 20}
"""Bytes of a disk: enough for a few small archives, and what mkfs asks for at least."""


def why_not() -> str:
    """Why no power can be cut here, or nothing."""
    if os.geteuid() != 0:
        return "only root can mount a filesystem and shut it down: run `sudo make test-power`"
    if not os.path.exists("/dev/loop-control"):
        return "there are no loop devices here (a container?): load the module `loop`, or run it on a whole machine"
    return ""


class Disk:
    """An image with a filesystem; `place` is where it is mounted."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.place = folder / "mounted"
        self._image = folder / "image"
        self._kept = folder / "kept"
        self.place.mkdir()
        self._image.touch()
        os.truncate(self._image, SIZES[kind])
        quiet = ["-q", "-F"] if kind == "ext4" else ["-q"]
        _run(f"mkfs.{kind}", *quiet, str(self._image))
        self.mount()

    def mount(self) -> None:
        """Mount it; what a cut left in its journal is replayed."""
        _run("mount", "-o", "loop", str(self._image), str(self.place))

    def unmount(self) -> None:
        """Unmount it, as soon as the last process that was killed has let go of it."""
        until = time.monotonic() + 30
        while subprocess.run(["umount", str(self.place)], check=False, capture_output=True).returncode:
            if time.monotonic() > until:
                _run("umount", "--lazy", str(self.place))
                return
            time.sleep(0.02)

    def keep(self) -> None:
        """Remember what is on the disk now."""
        self.unmount()
        self._copy(self._image, self._kept)
        self.mount()

    def put_back(self) -> None:
        """Make the disk what it was when it was kept."""
        self.unmount()
        self._copy(self._kept, self._image)
        self.mount()

    def remount(self) -> None:
        """What switching the machine on again does."""
        self.unmount()
        self.mount()

    def drop_caches(self) -> None:
        """Let what was read be read from the disk again."""
        os.sync()
        Path("/proc/sys/vm/drop_caches").write_text("3\n", encoding="ascii")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            self.unmount()

    def _copy(self, source: Path, target: Path) -> None:
        target.unlink(missing_ok=True)
        _run("cp", "--sparse=always", "--reflink=auto", str(source), str(target))


def _run(*command: str) -> None:
    if shutil.which(command[0]) is None:
        message = f"{command[0]} is not installed: scripts/system.sh test brings it"
        raise RuntimeError(message)
    subprocess.run(command, check=True, capture_output=True)
