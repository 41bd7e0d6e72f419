"""A tape mounted on another machine: questions by ssh, files by rsync, digests computed where the tape is.

The other machine needs a POSIX shell, GNU coreutils and findutils, rsync, and `setfattr`. Every word of a command
is quoted for its shell; keys of machines are known before, never taken on trust; nothing is asked of a person.
"""

from __future__ import annotations

import contextlib
import io
import secrets
import shlex
import shutil
import subprocess
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, BinaryIO

from muniment.errors.base import MunimentError
from muniment.errors.stores import BadStore, StoreFailed, StoreFull, StoreReadOnly, StoreUnreachable, TapeMissing
from muniment.stores.ltfs.host import ATTRIBUTES, COMMAND_SECONDS, Found, Volume, indicator_of, outcome
from muniment.stores.ltfs.names import INCOMING, INDICATOR
from muniment.stores.protocol import CHUNK

_SSH_FAILED = 255
_MISSING = 44
"""What our own commands end with when a file is not there."""
_LINE_FAILED = frozenset({10, 12, 30, 35, _SSH_FAILED})
"""Exit statuses of rsync that speak of the line: socket, protocol, time."""
_LONGEST = 1 << 16
_APART: Any = {"stdin": subprocess.DEVNULL, "start_new_session": True}
"""Without a terminal of ours: ssh would ask there for what it lacks, or stop us when we run in the background."""
_MARK = "\x1e"
"""Between the parts of an answer: no name on a tape has it, for its own names are ours and ours have none."""
_LOOK = """cd -- {mount} || exit 1
mountpoint -q . && echo mounted || echo bare
stat -f -c '%S %b %a' .
grep -F " $(pwd -P) " /proc/mounts | tail -n 1
printf '{mark}'
for name in {attributes}; do printf '%s=' "$name"
getfattr --only-values -n "user.ltfs.$name" . 2>/dev/null | tr -d '\\0\\n'; echo; done
printf '{mark}'; ls -A; printf '{mark}'
test ! -f {indicator} || head -c 200 {indicator}
"""
_RUN = """said=$(mktemp) || exit 1
"$@" </dev/null >"$said" 2>&1; ended=$?
tail -c 2000 "$said"; rm -f "$said"; exit "$ended"
"""
"""What mounts stays behind as a daemon: holding our line, it would let no command end."""
_FORGIVEN = """case $said in *"not supported"*) true;; *) echo "$said" >&2; false;; esac"""
"""A filesystem that is no LTFS has no index to write; without `setfattr` there it could not be asked, which is told."""


class SshHost:
    """A tape mounted at `mount` on the machine `target` (`user@host`)."""

    def __init__(
        self, target: str, port: int | None, mount: str, *, keys: Mapping[str, str], scratch: Path, store: str
    ) -> None:
        """`keys` are `identity` and `known_hosts`, files; without them ssh finds its own.

        Raises:
            BadStore: One of them is not there.
        """
        self._target, self._mount, self._store, self._scratch = target, mount, store, scratch
        options = {
            "BatchMode": "yes",
            "StrictHostKeyChecking": "yes",
            "ConnectTimeout": "15",
            "ServerAliveInterval": "15",
            "ServerAliveCountMax": "4",
        }
        for name in ("identity", "known_hosts"):
            if name in keys and not Path(keys[name]).is_file():
                raise BadStore(store=store, reason=f"there is no file {keys[name]} ({name})")
        if "known_hosts" in keys:
            options |= {"UserKnownHostsFile": keys["known_hosts"], "GlobalKnownHostsFile": "/dev/null"}
        if "identity" in keys:
            options |= {"IdentityFile": keys["identity"], "IdentitiesOnly": "yes"}
        self._ssh = [
            "ssh",
            "-F",
            "none",
            *(word for name, value in options.items() for word in ("-o", f"{name}={value}")),
        ]
        self._ssh += ["-p", str(port)] if port else []
        # One connection for all questions: each would take longer to be made than to be answered.
        sockets = tempfile.mkdtemp(prefix="muniment-ssh-")
        weakref.finalize(self, shutil.rmtree, sockets, ignore_errors=True)
        lasting = {"ControlMaster": "auto", "ControlPath": f"{sockets}/%C", "ControlPersist": "10"}
        self._ssh += [word for name, value in lasting.items() for word in ("-o", f"{name}={value}")]

    def run(self, words: Sequence[str]) -> str:
        """Run a command there: what went wrong, or ''.

        Raises:
            StoreUnreachable: The machine cannot be asked.
        """
        with tempfile.TemporaryFile() as said:
            try:
                done = subprocess.run(
                    self._command("sh", "-c", _RUN, "sh", *words), check=False, timeout=COMMAND_SECONDS, **_APART,
                    stdout=said, stderr=subprocess.STDOUT,
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                return f"{words[0]} did not end within {COMMAND_SECONDS} s"
            said.seek(0)
            text = said.read(_LONGEST)
        if done.returncode == _SSH_FAILED:
            raise StoreUnreachable(store=self._store, reason=text.decode("utf-8", "replace").strip()[-500:])
        return outcome(words[0], done.returncode, text)

    def volume(self) -> Volume:
        """The tape that is mounted now.

        Raises:
            TapeMissing, TapeUnlabelled, StoreUnreachable, StoreFailed: As `Host.volume`.
        """
        script = _LOOK.format(
            mount=shlex.quote(self._mount), indicator=INDICATOR, attributes=" ".join(ATTRIBUTES), mark=_MARK
        )
        said = self._run(".", "sh", "-c", script).decode("utf-8", "surrogateescape")
        head, attributes, names, label = said.split(_MARK, 3)
        lines = head.split("\n")
        if lines[0] != "mounted":
            raise TapeMissing(store=self._store, reason=f"nothing is mounted at {self._mount}")
        unit, total, free = map(int, lines[1].split())
        options = lines[2].split(" ")[3].split(",") if lines[2].count(" ") >= 3 else []  # noqa: PLR2004 - fields of /proc/mounts
        facts = dict(line.split("=", 1) for line in attributes.split("\n") if "=" in line)
        listed = names.split("\n")
        content = label.encode("utf-8", "surrogateescape") if INDICATOR in listed else None
        tape = indicator_of(listed, content, self._store)
        known = {name: value for name, value in facts.items() if value}
        return Volume(tape, total * unit, free * unit, "ro" in options, known)

    def stat(self, name: str) -> Found | None:
        """A file, or None.

        Raises:
            StoreUnreachable, StoreFailed: It could not be told.
        """
        place = shlex.quote(self._at(name))
        said = self._run(
            name, "sh", "-c", f"test -f {place} || exit {_MISSING}; stat -c '%s %Y' -- {place}", allow=_MISSING
        )
        if not said:
            return None
        size, seconds = said.split()
        return Found(name, int(size), _when(float(seconds)))

    def list(self) -> Iterator[Found]:
        """Every file.

        Raises:
            StoreUnreachable, StoreFailed: It could not be told.
        """
        said = self._run(".", "find", self._mount, "-type", "f", "-printf", "%s %T@ %P\\0")
        for row in said.split(b"\0"):
            if row:
                size, seconds, name = row.split(b" ", 2)
                yield Found(name.decode("utf-8", "surrogateescape"), int(size), _when(float(seconds)))

    def open(self, name: str, offset: int) -> BinaryIO:
        """A file's bytes from `offset` on.

        Raises:
            StoreUnreachable, StoreFailed: It cannot be read.
        """
        command = self._command("tail", "-c", f"+{offset + 1}", "--", self._at(name))
        said = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the stream
        process = subprocess.Popen(command, **_APART, stdout=subprocess.PIPE, stderr=said)
        return io.BufferedReader(_Output(process, said, lambda: self._failed(name, process.returncode, said)), CHUNK)

    def write(self, name: str, data: Iterable[bytes], room: Callable[[int], None]) -> None:
        """Collect a file here, and let rsync carry it over: under another name first, as rsync does.

        Raises:
            StoreFull, StoreReadOnly, StoreUnreachable, StoreFailed: It was not done.
        """
        spool = self._scratch / f"tape-{secrets.token_hex(8)}"
        written = 0
        try:
            with spool.open("xb") as file:
                for piece in data:
                    file.write(piece)
                    written += len(piece)
            room(written)
            folder = self._at(name).rpartition("/")[0]
            self._run(name, "mkdir", "-p", "--", folder, self._at(INCOMING))
            command = [
                *("rsync", "--whole-file", "--ignore-existing", "--protect-args", "--timeout=300"),
                *("--no-perms", "--no-owner", "--no-group", "--no-times", "--chmod=F644"),
                *("-e", shlex.join(self._ssh), "--", str(spool), f"{self._target}:{self._at(name)}"),
            ]
            with tempfile.TemporaryFile() as said:
                done = subprocess.run(command, check=False, **_APART, stdout=subprocess.DEVNULL, stderr=said)
                if done.returncode:
                    raise self._failed(name, done.returncode, said)
        except OSError as error:
            raise StoreFailed(store=self._store, key=name, reason=f"here: {error.strerror or error}") from error
        finally:
            with contextlib.suppress(OSError):
                spool.unlink()

    def sha256(self, name: str) -> tuple[int, str]:
        """Size and digest of a file, computed there.

        Raises:
            StoreUnreachable, StoreFailed: It cannot be read.
        """
        place = shlex.quote(self._at(name))
        said = self._run(name, "sh", "-c", f"stat -c %s -- {place} && sha256sum -b < {place}")
        size, digest = said.split()[:2]
        return int(size), digest.decode()

    def sync(self) -> None:
        """Let LTFS write its index.

        Raises:
            StoreFull, StoreUnreachable, StoreFailed: It could not.
        """
        place = shlex.quote(self._mount)
        ask = f"setfattr -n user.ltfs.sync -v 1 {place} 2>&1"
        self._run(".", "sh", "-c", f"sync -f {place} && {{ said=$({ask}) || {{ {_FORGIVEN} }}; }}")

    def _at(self, name: str) -> str:
        return f"{self._mount}/{name}"

    def _command(self, *words: str) -> Sequence[str]:
        return [*self._ssh, self._target, "--", f"LC_ALL=C {shlex.join(words)}"]

    def _run(self, name: str, *words: str, allow: int = 0) -> bytes:
        with tempfile.TemporaryFile() as said:
            done = subprocess.run(self._command(*words), check=False, **_APART, stdout=subprocess.PIPE, stderr=said)
            if done.returncode and done.returncode != allow:
                raise self._failed(name, done.returncode, said)
            return done.stdout if not done.returncode else b""

    def _failed(self, name: str, status: int, said: IO[bytes]) -> MunimentError:
        said.seek(0)
        text = said.read(_LONGEST).decode("utf-8", "replace").strip()[-500:] or f"exit status {status}"
        low = text.lower()
        if "no space left" in low:
            return StoreFull(store=self._store, key=name)
        if "read-only file system" in low:
            return StoreReadOnly(store=self._store, key=name, reason="the tape is mounted read-only")
        if status in _LINE_FAILED:
            return StoreUnreachable(store=self._store, reason=text)
        return StoreFailed(store=self._store, key=name, reason=text)


class _Output(io.RawIOBase):
    """What a command at the other machine prints; its failure is raised where its output would end."""

    def __init__(self, process: subprocess.Popen[bytes], said: IO[bytes], failed: Callable[[], MunimentError]) -> None:
        super().__init__()
        assert process.stdout is not None
        self._output: IO[bytes] = process.stdout
        self._process, self._said, self._failed = process, said, failed

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # typeshed's Buffer comes with 3.12
        """Read on.

        Raises:
            StoreUnreachable, StoreFailed: The command failed.
        """
        data = self._output.read(len(buffer))
        buffer[: len(data)] = data
        if not data and self._process.wait():
            raise self._failed()
        return len(data)

    def close(self) -> None:
        """End the command."""
        if not self.closed:
            self._output.close()
            if self._process.poll() is None:
                self._process.kill()
            self._process.wait()
            self._said.close()
        super().close()


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")
