"""Commands on Islandora's machine by ssh, and files brought there by rsync: each word quoted, nobody asked."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from muniment.errors.distillery import PublisherUnreachable, PublishingFailed

_CONNECT = 20
_SHOWN = 400
_UNREACHABLE = 255
_LINE_FAILED = frozenset({10, 12, 30, 35})
"""Exit statuses of rsync that speak of the line: socket, protocol, time."""


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a command gave."""

    status: int
    out: str
    err: str


class SshMachine:
    """A machine that is reached by ssh with a key; its own key has to be known before."""

    def __init__(
        self, target: str, port: int, *, identity: Path | None = None, known_hosts: Path | None = None
    ) -> None:
        """`target` is user@host."""
        self.target = target
        options = {"BatchMode": "yes", "StrictHostKeyChecking": "yes", "ConnectTimeout": str(_CONNECT)}
        options |= {"ServerAliveInterval": "15", "ServerAliveCountMax": "4", "Port": str(port)}
        if known_hosts is not None:
            options |= {"UserKnownHostsFile": str(known_hosts), "GlobalKnownHostsFile": "/dev/null"}
        if identity is not None:
            options |= {"IdentityFile": str(identity), "IdentitiesOnly": "yes"}
        self._ssh = ["ssh", *(word for name, value in options.items() for word in ("-o", f"{name}={value}"))]

    def run(self, words: Sequence[str], *, seconds: float = 3600.0) -> CommandResult:
        """Run a command there.

        Raises:
            PublisherUnreachable: The machine cannot be reached, or the command does not end.
        """
        return self._run([*self._ssh, "--", self.target, shlex.join(words)], seconds)

    def send(self, folder: Path, there: str, *, seconds: float = 86400.0) -> None:
        """Bring what is in a folder into one that is there.

        Raises:
            PublisherUnreachable: The line broke.
            PublishingFailed: Not all of it arrived.
        """
        source, shell = f"{folder.absolute()}/", shlex.join(self._ssh)
        ran = self._run(["rsync", "-az", "-e", shell, "--", source, f"{self.target}:{shlex.quote(there)}/"], seconds)
        if ran.status in _LINE_FAILED:
            raise PublisherUnreachable(id=self.target, reason=shown(ran))
        if ran.status != 0:
            raise PublishingFailed(id=folder.name, reason=f"rsync failed: {shown(ran)}")

    def _run(self, command: list[str], seconds: float) -> CommandResult:
        try:
            done = subprocess.run(
                command, check=False, capture_output=True, text=True, errors="replace", timeout=seconds,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise PublisherUnreachable(id=self.target, reason=f"no answer within {seconds:g} s") from None
        except OSError as error:
            raise PublishingFailed(id=self.target, reason=f"{command[0]}: {error.strerror}") from error
        ran = CommandResult(done.returncode, done.stdout, done.stderr)
        if ran.status == _UNREACHABLE:
            raise PublisherUnreachable(id=self.target, reason=shown(ran))
        return ran


def shown(ran: CommandResult) -> str:
    """The end of what a command said."""
    said = " ".join((ran.err or ran.out).split())
    return f"status {ran.status}, {said[-_SHOWN:]}"
