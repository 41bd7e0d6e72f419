"""A tape drive: tapes that behave as LTFS was seen to are put in and taken out, or lose their power."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from muniment.testing.services import ServiceMissing, program

_PROCESS = Path(__file__).with_name("ltfs_process.py")
_COMMAND = Path(__file__).with_name("ltfs_command.py")
_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Cartridge:
    """A tape: the folder with its files, its name, and its bytes."""

    folder: Path
    name: str
    capacity: int = 64 << 20

    def label(self) -> None:
        """Write its indicator, as its keeper does before it is ever used."""
        data = self.folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        (data / f"{self.name}.indicator").touch()
        (self.folder / "index.json").write_text(
            f'{{"used": 0, "names": {{"{self.name}.indicator": 0}}, "generation": 1}}'
        )


class TapeDrive:
    """Mounts one tape at a time at `mount`; needs /dev/fuse and Debian's package fuse3."""

    def __init__(self, mount: Path) -> None:
        self.mount = mount
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """An empty drive.

        Raises:
            ServiceMissing: There is no FUSE here.
        """
        program("fusermount3")
        if not os.path.exists("/dev/fuse"):
            raise ServiceMissing("there is no /dev/fuse on this machine")
        self.mount.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the tape out."""
        self.eject()

    def insert(self, tape: Cartridge, *, read_only: bool = False) -> None:
        """Put a tape in; a volume that is too small for its reserve is mounted read-only, without an error.

        Raises:
            RuntimeError: It was not mounted.
        """
        self.eject()
        words = [str(tape.folder), str(self.mount), str(tape.capacity), tape.name]
        command = [sys.executable, str(_PROCESS), *words, *(["--read-only"] if read_only else [])]
        log = tape.folder / "log"
        tape.folder.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as said:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        until = time.monotonic() + _SECONDS
        while not os.path.ismount(self.mount):
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"the tape was not mounted: {log.read_text(errors='replace')[-1500:]}")
            time.sleep(0.02)

    def eject(self) -> None:
        """Unmount; LTFS writes its index."""
        if self._process is None:
            return
        self._unmount()
        self._process.wait(20)
        self._process = None

    def lose_power(self) -> None:
        """The drive goes off: what no index speaks of is lost."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait(20)
        self._unmount()
        self._process = None

    def _unmount(self) -> None:
        unmount(self.mount)


class TapeDeck:
    """A drive whose tape is mounted by command, as by the real `ltfs`, and not by itself."""

    def __init__(self, mount: Path, device: Path) -> None:
        self.mount, self.device = mount, device

    def __enter__(self) -> Self:
        """An empty drive.

        Raises:
            ServiceMissing: There is no FUSE here.
        """
        program("fusermount3")
        if not os.path.exists("/dev/fuse"):
            raise ServiceMissing("there is no /dev/fuse on this machine")
        self.mount.mkdir(parents=True, exist_ok=True)
        self.device.write_text("", "utf-8")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Unmount it."""
        unmount(self.mount)

    @property
    def mounting(self) -> tuple[str, ...]:
        """The command that mounts: as a settings file has it."""
        device = f"devname={self.device}"
        return (sys.executable, str(_COMMAND), "-o", device, "-o", "eject", str(self.mount))

    @property
    def unmounting(self) -> tuple[str, ...]:
        """The command that unmounts; the tape comes out by that."""
        return (program("fusermount3"), "-u", str(self.mount))

    @property
    def holds(self) -> str:
        """The name of the tape in the drive; '' for an empty one."""
        said = self.device.read_text("utf-8")
        return str(json.loads(said)["name"]) if said else ""

    def insert(self, tape: Cartridge) -> None:
        """Put a tape in; nothing mounts it."""
        said = {"folder": str(tape.folder), "capacity": str(tape.capacity), "name": tape.name}
        self.device.write_text(json.dumps(said), "utf-8")


def unmount(mount: Path) -> None:
    """Unmount whatever is there, also what its server has left.

    Raises:
        RuntimeError: It cannot be unmounted.
    """
    until = time.monotonic() + _SECONDS
    while os.path.ismount(mount) or _broken(mount):
        command = [program("fusermount3"), "-u", "-z", str(mount)]
        subprocess.run(command, check=False, capture_output=True)
        if time.monotonic() > until:
            raise RuntimeError(f"{mount} cannot be unmounted")
        time.sleep(0.02)


def _broken(mount: Path) -> bool:
    """Whether a mount without its server is left."""
    with contextlib.suppress(FileNotFoundError):
        try:
            mount.stat()
        except OSError:
            return True
    return False
