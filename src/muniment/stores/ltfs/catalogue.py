"""Which tape holds what: a list for each tape, kept on disk, for tapes that are on a shelf.

`<folder>/<tape>.jsonl` has a line for each key, added when the tape had written its index. The same lines lie on the
tape itself, so that the list can be had again from the tapes.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from muniment.errors.stores import StoreFailed

_SUFFIX = ".jsonl"
_TAPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,100}")


@dataclass(frozen=True, slots=True)
class Held:
    """One key on one tape; `name` is its path there, `at` when it was written (RFC 3339)."""

    key: str
    tape: str
    name: str
    size: int
    sha256: str
    md5: str = ""
    at: str = ""

    def as_line(self) -> bytes:
        """The line of a list."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True).encode() + b"\n"


def parse_line(line: bytes) -> Held:
    """What a line of a list says.

    Raises:
        ValueError: It is none.
    """
    try:
        return Held(**json.loads(line))
    except TypeError as error:
        raise ValueError(str(error)) from error


def is_tape(name: str) -> bool:
    """Whether a text can be a tape's name: it becomes a file's name here."""
    return _TAPE.fullmatch(name) is not None


class Catalogue:
    """The lists below one folder. Any number of processes may use it."""

    def __init__(self, folder: Path, store: str) -> None:
        """`store` is named in messages.

        Raises:
            StoreFailed: The folder cannot be made.
        """
        self._folder = folder
        self._store = store
        self._read: dict[str, tuple[int, dict[str, Held]]] = {}
        with self._trouble():
            folder.mkdir(parents=True, exist_ok=True)

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the drive: one writer at a time, in whatever process of this machine.

        Raises:
            StoreFailed: The folder refused.
        """
        with self._trouble():
            lock = (self._folder / "lock").open("w")
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def add(self, held: Iterable[Held]) -> None:
        """Note what lies on tapes; on return it is on stable storage.

        Raises:
            StoreFailed: The folder refused.
        """
        by_tape: dict[str, list[Held]] = {}
        for each in held:
            by_tape.setdefault(each.tape, []).append(each)
        with self._trouble():
            for tape, items in by_tape.items():
                with (self._folder / f"{tape}{_SUFFIX}").open("ab") as file:
                    file.write(b"".join(each.as_line() for each in items))
                    file.flush()
                    os.fsync(file.fileno())
            descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def find(self, key: str) -> Held | None:
        """Where a key lies, as far as is known.

        Raises:
            StoreFailed: A list cannot be read.
        """
        return next((held[key] for held in self._lists() if key in held), None)

    def all(self) -> dict[str, Held]:
        """Everything that is known, by key.

        Raises:
            StoreFailed: A list cannot be read.
        """
        return {key: held for each in self._lists() for key, held in each.items()}

    def files(self) -> list[Path]:
        """The lists, for whoever keeps copies of them."""
        return sorted(self._folder.glob(f"*{_SUFFIX}"))

    def _lists(self) -> Iterator[dict[str, Held]]:
        with self._trouble():
            for path in self.files():
                size = path.stat().st_size
                known = self._read.get(path.name)
                if known is None or known[0] != size:
                    known = (size, _parse(path))
                    self._read[path.name] = known
                yield known[1]

    @contextlib.contextmanager
    def _trouble(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = f"its catalogue {self._folder}: {error.strerror or error}"
            raise StoreFailed(store=self._store, key=".", reason=reason) from error


def _parse(path: Path) -> dict[str, Held]:
    found: dict[str, Held] = {}
    with path.open("rb") as file:
        for line in file:
            with contextlib.suppress(ValueError):  # a line that a crash cut short; the tape has it
                held = parse_line(line)
                found[held.key] = held
    return found
