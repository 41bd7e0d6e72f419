"""A mirror: a bare repository with every ref of another, made once and read as often as wanted."""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import subprocess
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from muniment.content.trees import files_below
from muniment.errors.sources import FileUnavailable, ProgramFailed
from muniment.sources.git_mirror.command import GitCommand

_WHOLE = 1024 * 1024
_DONE = "muniment-mirror.json"
_SHA256 = 64


@dataclass(frozen=True, slots=True)
class Node:
    """One line of a tree: `mode` and `oid` as git has them, `size` None for what is no file, the path in bytes."""

    mode: str
    oid: str
    size: int | None
    path: bytes


class Mirror:
    """The mirror of `url` in `folder`. Safe to read from many threads once it was fetched."""

    def __init__(self, git: GitCommand, url: str, folder: Path) -> None:
        self._git = git
        self._url = url
        self._folder = folder
        self._batch: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def fetch(self) -> dict[str, object]:
        """Fetch everything, unless that was done already; the branch and commit that files are taken from.

        Both are None where there is none; `chosen` says by what they were found: HEAD, newest branch, newest tag.

        A fetch that was broken off goes on with the objects it has.

        Raises:
            CredentialRefused, AddressRefused: The submission has to change.
            ProgramFailed: git failed.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._alone() as held:
            done = self._folder / _DONE
            if done.exists():
                return cast("dict[str, object]", json.loads(done.read_text()))
            for place in files_below(self._folder):
                if place.endswith(".lock"):  # of a git that was killed; nobody else works here
                    Path(place).unlink()
            said = self._git.run("ls-remote", "--symref", self._url, network=True).decode("utf-8", "backslashreplace")
            init = ("init", "--quiet", "--bare", "--template=", "--initial-branch=main")
            self._git.run(*init, f"--object-format={_object_format(said)}", held=held)
            if said:
                fetch = ("fetch", "--quiet", "--prune", "--no-write-fetch-head")
                self._git.run(*fetch, self._url, "+refs/*:refs/*", network=True, held=held)
            head = self._point_head(said)
            written = done.with_suffix(".new")
            written.write_text(json.dumps(head))
            written.rename(done)
            return head

    def refs(self) -> dict[str, str]:
        """Every ref and the object it names."""
        text = self._git.run("for-each-ref", "--format=%(objectname) %(refname)").decode("utf-8", "backslashreplace")
        return {name: oid for oid, _, name in (line.partition(" ") for line in text.splitlines())}

    def has(self, oid: str) -> bool:
        """Whether the mirror holds this object."""
        return self._header(oid) is not None

    def commit_time(self, commit: str) -> str:
        """When a commit was made, in RFC 3339."""
        return self._git.run("show", "--no-patch", "--format=%cI", commit).decode().strip()

    def tree(self, commit: str) -> Iterator[Node]:
        """Every file, link and submodule of a commit.

        Raises:
            ProgramFailed: The tree cannot be read.
        """
        listing = self._git.start("ls-tree", "-r", "-z", "-l", "--full-tree", commit)
        assert listing.stdout is not None
        try:
            for line in _nul_separated(cast("io.BufferedReader", listing.stdout)):
                facts, _, path = line.partition(b"\t")
                mode, _, oid, size = facts.decode().split()
                yield Node(mode, oid, int(size) if size.isdigit() else None, path)
        finally:
            _end(listing)

    def bundle(self) -> Path:
        """Every ref and all history in one file that `git clone` reads; made once.

        Raises:
            ProgramFailed: git failed, also where there is nothing to bundle.
        """
        path = self._folder / "history.bundle"
        with self._alone() as held:
            if not path.exists():
                fresh = path.with_suffix(".new")
                self._git.run("bundle", "create", "--quiet", str(fresh), "--all", held=held)
                fresh.rename(path)
        return path

    def small(self, oid: str) -> bytes | None:
        """The bytes of a small file; None if there is no such object.

        Raises:
            ValueError: It is larger than a MiB.
        """
        with self._lock:
            header = self._ask(oid)
            if header is None:
                return None
            size = int(header[2])
            if size > _WHOLE:
                self._stop_batch()
                raise ValueError("it is not small")
            assert self._batch is not None
            assert self._batch.stdout is not None
            return self._batch.stdout.read(size + 1)[:-1]

    def open(self, oid: str, size: int | None, path: str, service: str) -> BinaryIO:
        """The bytes of a file.

        Raises:
            FileUnavailable: There is no such object.
        """
        if size is not None and size <= _WHOLE:
            data = self.small(oid)
            if data is None:
                raise FileUnavailable(
                    path=path, service=service, reason="the repository no longer has this version of it"
                )
            return io.BytesIO(data)
        return cast("BinaryIO", ObjectStream(self._git.start("cat-file", "blob", oid), path, service))

    @contextlib.contextmanager
    def _alone(self) -> Iterator[int]:
        """Keep other threads and processes away from the folder.

        The git commands inherit the locked file: one that outlives a killed process keeps the next one waiting.
        """
        with self._lock, (self._folder / "muniment-mirror").open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield held.fileno()

    def _point_head(self, said: str) -> dict[str, object]:
        """Point HEAD at what files are taken from, so that a clone of the bundle begins there too.

        That is what the other repository's HEAD names; where that names nothing (a default branch that was renamed,
        tags alone) the newest branch, else the newest tag.
        """
        named = commit = None
        for line in said.splitlines():
            value, _, name = line.partition("\t")
            if name == "HEAD" and value.startswith("ref: "):
                named = value.removeprefix("ref: ")
            elif name == "HEAD":
                commit = value
        if named is not None and named.startswith("refs/heads/"):
            commit = self._commit_of(named)  # what was fetched, not what was there a moment before
            if commit is not None:
                return self._pointed(named, commit, "HEAD")
        elif commit is not None and (whole := self._commit_of(commit)):
            return self._pointed(None, whole, "HEAD")
        for kind, ref in (("newest branch", "refs/heads"), ("newest tag", "refs/tags")):
            order = ("--sort=refname", "--sort=-creatordate")
            found = self._git.run("for-each-ref", *order, "--format=%(refname)", ref).decode("utf-8", "surrogateescape")
            for name in found.splitlines():
                if newest := self._commit_of(name):
                    return self._pointed(name if ref == "refs/heads" else None, newest, kind)
        return {"branch": None, "commit": None, "chosen": None}

    def _pointed(self, branch: str | None, commit: str, chosen: str) -> dict[str, object]:
        if branch is not None:
            self._git.run("symbolic-ref", "HEAD", branch)
        else:
            self._git.run("update-ref", "--no-deref", "HEAD", commit)
        return {"branch": branch and branch.removeprefix("refs/heads/"), "commit": commit, "chosen": chosen}

    def _commit_of(self, name: str) -> str | None:
        """The commit that a ref or object names, if it does name one."""
        try:
            said = self._git.run("rev-parse", "--quiet", "--verify", "--end-of-options", f"{name}^{{commit}}")
        except ProgramFailed:
            return None
        return said.decode().strip()

    def _header(self, oid: str) -> list[str] | None:
        with self._lock:
            header = self._ask(oid)
            if header is not None:
                assert self._batch is not None
                assert self._batch.stdout is not None
                _discard(cast("io.BufferedReader", self._batch.stdout), int(header[2]) + 1)
            return header

    def _ask(self, oid: str) -> list[str] | None:
        """Name an object to the running reader; its answer is `oid type size`, or that it is missing."""
        if self._batch is None or self._batch.poll() is not None:
            self._batch = self._git.start("cat-file", "--batch")
            weakref.finalize(self, _end, self._batch)
        batch = self._batch
        assert batch.stdin is not None
        assert batch.stdout is not None
        batch.stdin.write(f"{oid}\n".encode())
        batch.stdin.flush()
        header = batch.stdout.readline().decode().split()
        return header if len(header) == 3 else None  # noqa: PLR2004 - oid, type, size

    def _stop_batch(self) -> None:
        if self._batch is not None:
            _end(self._batch)
            self._batch = None


class ObjectStream(io.RawIOBase):
    """The output of a git command as a stream; a command that fails is no end of the file."""

    def __init__(self, command: subprocess.Popen[bytes], path: str, service: str) -> None:
        super().__init__()
        self._command = command
        self._path = path
        self._service = service

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # typeshed's Buffer comes with 3.12
        """Read on.

        Raises:
            FileUnavailable: git could not read the object.
        """
        assert self._command.stdout is not None
        count = cast("io.BufferedReader", self._command.stdout).readinto(buffer)
        if not count and len(buffer):
            assert self._command.stdin is not None
            self._command.stdin.close()
            if self._command.wait():
                raise FileUnavailable(path=self._path, service=self._service, reason="git cannot read it")
        return count

    def close(self) -> None:
        """End the command."""
        _end(self._command)
        super().close()


def _object_format(said: str) -> str:
    """The kind of a repository's object ids, by one of them; without any it does not matter."""
    oids = (line.partition("\t")[0] for line in said.splitlines())
    return "sha256" if any(len(oid) == _SHA256 for oid in oids if not oid.startswith("ref: ")) else "sha1"


def _nul_separated(stream: io.BufferedReader) -> Iterator[bytes]:
    rest = b""
    while piece := stream.read1(1 << 16):
        *lines, rest = (rest + piece).split(b"\0")
        yield from lines


def _discard(stream: io.BufferedReader, count: int) -> None:
    while count > 0:
        count -= len(stream.read(min(count, 1 << 16))) or count


def _end(command: subprocess.Popen[bytes]) -> None:
    for pipe in (command.stdin, command.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    command.kill()
    command.wait()
