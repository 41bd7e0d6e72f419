"""Programs that tell formats: fido in a process of its own, and Siegfried where it is installed."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from muniment.content.checks import CheckedFile, Format
from muniment.content.extras import need
from muniment.errors.checks import FormatToolFailed

_SECONDS = 120.0
_LONGEST_LINE = 1 << 20
_AT_ONCE = 200

Answer = tuple[tuple[Format, ...], str]
"""The formats of a file, and why they could not be told."""


class FormatTool(Protocol):
    """A program that tells the formats of files."""

    tool: str
    """Its name and version; known once it has answered."""
    signatures: str
    """Which signatures it used."""

    def start(self) -> None:
        """See that it works, and learn its versions.

        Raises:
            ExtraMissing, FormatToolFailed: It does not.
        """

    def identify(self, files: Iterable[CheckedFile]) -> Iterator[tuple[CheckedFile, Answer]]:
        """Tell of each file what it is, in the order given.

        Raises:
            FormatToolFailed: It does not work any more.
        """

    def close(self) -> None:
        """End it."""


class Fido:
    """The Open Preservation Foundation's fido, which is the extra `formats`."""

    def __init__(self, *, seconds: float = _SECONDS) -> None:
        """One file may take so many seconds."""
        self.tool = self.signatures = ""
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def start(self) -> None:
        """Start its process.

        Raises:
            ExtraMissing: It is not installed.
            FormatToolFailed: It does not start.
        """
        if self._process is not None and self._owner == os.getpid():
            return
        self._owner = os.getpid()  # after a fork the process is the parent's
        need("formats", "Identifying formats")
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-m", "muniment.workflows.checks.fido_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # Nothing of this process's environment is needed there, and none of its secrets.
            env={"LC_ALL": "C.UTF-8"},
            start_new_session=True,
        )
        said = self._line()
        if said is None or "tool" not in said:
            self.close()
            raise FormatToolFailed(tool="fido", reason="its process does not start")
        self.tool, self.signatures = str(said["tool"]), str(said["signatures"])

    def identify(self, files: Iterable[CheckedFile]) -> Iterator[tuple[CheckedFile, Answer]]:
        """Tell of each file what it is; one that ends or stalls the process is told as not identified.

        Raises:
            FormatToolFailed: The process does not start again.
        """
        for file in files:
            self.start()
            yield file, self._identify(file)

    def close(self) -> None:
        """End its process."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        process.wait()

    def _identify(self, file: CheckedFile) -> Answer:
        assert self._process is not None
        assert self._process.stdin is not None
        asked = {"place": file.location, "name": file.path, "size": file.size}
        try:
            self._process.stdin.write(json.dumps(asked).encode("ascii") + b"\n")
            self._process.stdin.flush()
        except OSError:
            said = None
        else:
            said = self._line()
        if said is None:
            self.close()
            return (), "the tool ended, or took too long"
        if "failed" in said:
            return (), str(said["failed"])
        return tuple(Format(**each) for each in said["formats"]), ""

    def _line(self) -> dict[str, Any] | None:
        """The next line it writes; None where none comes in time."""
        assert self._process is not None
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(self._seconds):
                return None
        line = self._process.stdout.readline(_LONGEST_LINE)
        return dict(json.loads(line)) if line.endswith(b"\n") else None


class Siegfried:
    """Richard Lehane's Siegfried: the command `sf`."""

    def __init__(self, command: str = "sf", *, seconds: float = _SECONDS) -> None:
        """`command` is its name or place; a file may take so many seconds."""
        self.tool = self.signatures = ""
        self._command = command
        self._seconds = seconds

    @staticmethod
    def installed() -> bool:
        """Whether the command is there."""
        return shutil.which("sf") is not None

    def start(self) -> None:
        """Have it look at an empty file, and learn its versions.

        Raises:
            FormatToolFailed: It is not there, or does not work.
        """
        if not self.tool:
            self._run([os.devnull])

    def identify(self, files: Iterable[CheckedFile]) -> Iterator[tuple[CheckedFile, Answer]]:
        """Tell of each file what it is, many at a time.

        Raises:
            FormatToolFailed: It does not work.
        """
        batch: list[CheckedFile] = []
        for file in files:
            batch.append(file)
            if len(batch) == _AT_ONCE:
                yield from self._batch(batch)
                batch.clear()
        yield from self._batch(batch)

    def close(self) -> None:
        """Nothing runs between two looks."""

    def _batch(self, files: Sequence[CheckedFile]) -> Iterator[tuple[CheckedFile, Answer]]:
        if not files:
            return
        told = {str(each.get("filename")): each for each in self._run([file.location for file in files])}
        for file in files:
            found = told.get(file.location)
            if found is None:
                yield file, ((), "the tool said nothing of it")
                continue
            matches = (each for each in found.get("matches") or () if each.get("ns") == "pronom")
            formats = tuple(_format(each) for each in matches if each.get("id") not in {"", None, "UNKNOWN"})
            yield file, (formats, "" if formats else str(found.get("errors") or ""))

    def _run(self, places: Sequence[str]) -> list[Mapping[str, Any]]:
        try:
            done = subprocess.run(
                [self._command, "-json", *places],
                check=False,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=self._seconds * max(1, len(places)),
            )
            said = json.loads(done.stdout)
            identifiers = said["identifiers"]
            files: list[Mapping[str, object]] = said["files"]
        except FileNotFoundError:
            reason = f"there is no command {self._command!r}: install it, or choose another MUNIMENT_FORMAT_TOOL"
            raise FormatToolFailed(tool="Siegfried", reason=reason) from None
        except (OSError, subprocess.TimeoutExpired) as error:
            raise FormatToolFailed(tool="Siegfried", reason=str(error)) from error
        except (ValueError, KeyError, TypeError) as error:
            told = done.stderr.decode("utf-8", "replace").strip()[:300]
            raise FormatToolFailed(tool="Siegfried", reason=told or "its answer cannot be read") from error
        self.tool = f"siegfried {said.get('siegfried', '')}".strip()
        self.signatures = "; ".join(str(each.get("details", "")) for each in identifiers)
        return files


def _format(match: Mapping[str, object]) -> Format:
    basis = str(match.get("basis", ""))
    told = "container" if "container" in basis else "signature" if "byte match" in basis else "extension"
    fields = {name: str(match.get(key, "")) for name, key in _FIELDS.items()}
    return Format(**fields, basis=told)


_FIELDS = {"puid": "id", "name": "format", "version": "version", "mime": "mime"}
