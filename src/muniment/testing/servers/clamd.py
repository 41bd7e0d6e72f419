"""A virus scanner: clamd itself with a signature of our own, and a look-alike with faults on request.

The look-alike speaks the part of clamd's protocol that is used (zPING, zVERSION, zINSTREAM; clamd(8)), finds the
EICAR test file alone, and holds to the same three limits in the same way.
"""

from __future__ import annotations

import contextlib
import shutil
import socketserver
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
"""The test file of the European Institute for Computer Antivirus Research, in two halves: else a scanner finds this."""
NAME = "Eicar-Test"

Fault = Literal["", "silent", "closing", "failing"]


@dataclass
class ScannerLimits:
    """What it scans: bytes of a stream, and of a file."""

    stream: int = 1 << 20
    file: int = 1 << 19
    alert: bool = True
    """Whether a file above the second is named (`AlertExceedsMax`), or called clean unlooked at."""


class LoopbackClamd(socketserver.ThreadingTCPServer):
    """A clamd on 127.0.0.1."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, limits: ScannerLimits | None = None, *, port: int = 0) -> None:
        self.limits = limits or ScannerLimits()
        self.fault: Fault = ""
        self.scanned = 0
        super().__init__(("127.0.0.1", port), _Conversation)

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.server_address[1]}"


class _Conversation(socketserver.StreamRequestHandler):
    server: LoopbackClamd

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            self._answer(self._command())

    def _command(self) -> bytes:
        said = b""
        while not said.endswith(b"\0"):
            byte = self.rfile.read(1)
            if not byte:
                return b""
            said += byte
        return said

    def _answer(self, command: bytes) -> None:
        if command == b"zPING\0":
            self.wfile.write(b"PONG\0")
        elif command == b"zVERSION\0":
            self.wfile.write(b"ClamAV 1.4.3/27400/Fri Nov 27 08:00:00 2026\0")
        elif command == b"zINSTREAM\0":
            self._scan()
        else:
            self.wfile.write(b"UNKNOWN COMMAND\0")

    def _scan(self) -> None:
        data = bytearray()
        limits = self.server.limits
        while True:
            (size,) = struct.unpack(">I", self.rfile.read(4))
            if not size:
                break
            data += self.rfile.read(size)
            if self.server.fault == "closing":
                return
            if len(data) > limits.stream:
                self.wfile.write(b"INSTREAM size limit exceeded. ERROR\0")
                return
        self.server.scanned += 1
        if self.server.fault == "silent":
            time.sleep(3600)
        if self.server.fault == "failing":
            self.wfile.write(b"stream: Can't allocate memory ERROR\0")
        elif len(data) > limits.file:
            found = b"Heuristics.Limits.Exceeded.MaxFileSize FOUND" if limits.alert else b"OK"
            self.wfile.write(b"stream: " + found + b"\0")
        elif EICAR in data:
            self.wfile.write(b"stream: " + NAME.encode() + b".UNOFFICIAL FOUND\0")
        else:
            self.wfile.write(b"stream: OK\0")


@contextlib.contextmanager
def loopback_clamd(limits: ScannerLimits | None = None) -> Iterator[LoopbackClamd]:
    """The look-alike, for the time of a `with` block."""
    with LoopbackClamd(limits) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def clamd(folder: Path, limits: ScannerLimits | None = None) -> Iterator[str]:
    """The address of a real clamd, whose files lie in `folder`.

    Raises:
        FileNotFoundError: It is not installed.
        RuntimeError: It does not start.
    """
    command = shutil.which("clamd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if command is None:
        message = "clamd is not installed (clamav-daemon)"
        raise FileNotFoundError(message)
    limits = limits or ScannerLimits()
    (folder / "signatures").mkdir(parents=True)
    (folder / "signatures/own.ndb").write_text(f"{NAME}:0:*:{EICAR.hex()}\n", "ascii")
    place = folder / "clamd.sock"
    settings = {
        "DatabaseDirectory": folder / "signatures",
        "LocalSocket": place,
        "Foreground": "yes",
        "StreamMaxLength": limits.stream,
        "MaxFileSize": limits.file,
        "AlertExceedsMax": "yes" if limits.alert else "no",
    }
    config = folder / "clamd.conf"
    config.write_text("".join(f"{name} {value}\n" for name, value in settings.items()), "utf-8")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([command, "-c", str(config)], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 60
        while not place.exists():
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError((folder / "log").read_text("utf-8", "replace"))
            time.sleep(0.02)
        yield str(place)
    finally:
        process.terminate()
        process.wait(20)
