"""The virus scanner: files are streamed to clamd (INSTREAM), and what it did not look at is never called clean."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from muniment.errors.base import BadSetting
from muniment.errors.checks import ScannerUnavailable

_CHUNK = 1 << 18
_LONGEST_ANSWER = 4096
_LIMITS = "Heuristics.Limits.Exceeded"
"""What clamd calls a file of which it looked at a part only, with `AlertExceedsMax` in its configuration."""
_TOO_LARGE = "size limit exceeded"


class Verdict(StrEnum):
    """What is known of a file."""

    CLEAN = "clean"
    INFECTED = "infected"
    NOT_SCANNED = "not scanned"


@dataclass(frozen=True, slots=True)
class Scanned:
    """A file's verdict: the name of what was found in it, or why it was not scanned."""

    verdict: Verdict
    reason: str = ""


class Clamd:
    """A clamd at `unix:/path/of/socket`, `/path/of/socket` or `host:port`."""

    def __init__(
        self,
        address: str,
        *,
        largest: int,
        patience: float = 60.0,
        timeout: float = 300.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Remember where it is.

        `largest` is the number of bytes up to which it scans a file whole: no more than the MaxFileSize,
        MaxScanSize and StreamMaxLength of its configuration, which it does not tell. It is waited for as many
        seconds as `patience` says when it is away, and `timeout` seconds for its answer to a file.

        Raises:
            BadSetting: The address is none.
        """
        self.address = address
        self._place = _place_of(address)
        self._largest = largest
        self._patience = patience
        self._timeout = timeout
        self._sleep = sleep

    def version(self) -> str:
        """Its own version and that of its signatures, as it says them: `ClamAV 1.4.3/27400/Fri Nov 27 …`.

        Raises:
            ScannerUnavailable: It is away, and stayed away.
        """
        return self._patiently(lambda: self._told(b"zVERSION\0"))

    def scan(self, path: str, size: int) -> Scanned:
        """Have one file scanned.

        Raises:
            ScannerUnavailable: It is away, and stayed away, or it failed.
            OSError: The file cannot be read.
        """
        if size > self._largest:
            return Scanned(Verdict.NOT_SCANNED, f"it has {size} bytes, and {self._largest} are scanned at most")
        answer = self._patiently(lambda: self._stream(path))
        if answer.endswith("OK"):
            return Scanned(Verdict.CLEAN)
        if answer.endswith(" FOUND"):
            found = answer.removesuffix(" FOUND").removeprefix("stream: ")
            if found.startswith(_LIMITS):
                return Scanned(Verdict.NOT_SCANNED, f"it exceeds a limit of the scanner ({found})")
            return Scanned(Verdict.INFECTED, found)
        if _TOO_LARGE in answer:
            return Scanned(Verdict.NOT_SCANNED, "it exceeds the scanner's limit for streams")
        raise ScannerUnavailable(address=self.address, reason=f"it answered {answer[:200]!r}")

    def _patiently(self, work: Callable[[], str]) -> str:
        until = time.monotonic() + self._patience
        pause = 0.1
        while True:
            try:
                return work()
            except _Away as error:
                if time.monotonic() + pause > until:
                    raise ScannerUnavailable(address=self.address, reason=str(error)) from error
            self._sleep(pause)
            pause = min(pause * 2, 5.0)

    def _told(self, command: bytes) -> str:
        with self._connected() as connection:
            try:
                connection.sendall(command)
                return _answer(connection)
            except OSError as error:
                raise _Away(_reason(error)) from error

    def _stream(self, path: str) -> str:
        with open(path, "rb", buffering=0) as file, self._connected() as connection:  # noqa: PTH123 - a place in the archive
            try:
                connection.sendall(b"zINSTREAM\0")
            except OSError as error:
                raise _Away(_reason(error)) from error
            # Read first: an error of the file is not one of the connection.
            while chunk := file.read(_CHUNK):
                try:
                    connection.sendall(struct.pack(">I", len(chunk)) + chunk)
                except OSError as error:
                    # Past its limit it answers and closes; what it said may be waiting.
                    return _said_before(connection, error)
            try:
                connection.sendall(struct.pack(">I", 0))
            except OSError as error:
                return _said_before(connection, error)
            try:
                return _answer(connection)
            except OSError as error:
                raise _Away(_reason(error)) from error

    def _connected(self) -> socket.socket:
        try:
            if not isinstance(self._place, str):
                return socket.create_connection(self._place, self._timeout)
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connection.settimeout(self._timeout)
                connection.connect(self._place)
            except BaseException:
                connection.close()
                raise
        except OSError as error:
            raise _Away(_reason(error)) from error
        return connection


class _Away(Exception):
    """It cannot be reached, or went away."""


def _place_of(address: str) -> str | tuple[str, int]:
    path = address.removeprefix("unix:")
    if path.startswith("/"):
        return path
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:  # noqa: PLR2004 - ports
        raise BadSetting(
            reason=f"{address!r} is no address of clamd: name its socket (/run/clamav/clamd.ctl) or host:port"
        )
    return host.strip("[]"), int(port)


def _answer(connection: socket.socket) -> str:
    """What it says, up to the NUL.

    Raises:
        OSError: It went away.
    """
    said = b""
    while not said.endswith(b"\0") and len(said) < _LONGEST_ANSWER:
        piece = connection.recv(_LONGEST_ANSWER)
        if not piece:
            break
        said += piece
    if not said:
        message = "it closed the connection without an answer"
        raise ConnectionError(message)
    return said.rstrip(b"\0\n").decode("utf-8", "replace")


def _said_before(connection: socket.socket, broken: OSError) -> str:
    try:
        return _answer(connection)
    except OSError:
        raise _Away(_reason(broken)) from broken


def _reason(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "it takes too long"
    return error.strerror or str(error) or type(error).__name__
