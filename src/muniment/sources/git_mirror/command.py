"""The git command, kept from everything but the address it was given: no configuration, hooks, prompts or redirects."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from muniment.errors.sources import CredentialRefused, ProgramFailed, ProgramMissing
from muniment.session import Guard, Redactor
from muniment.session.account import Origin

_ASKPASS = """#!/bin/sh
# Answers git's two questions from a file in memory that only this git and its children can open.
case "$1" in
Username*) head -n 1 "/proc/self/fd/$MUNIMENT_LOGIN" ;;
*) tail -n +2 "/proc/self/fd/$MUNIMENT_LOGIN" ;;
esac
"""

_SETTINGS: Mapping[str, str] = {
    "advice.detachedHead": "false",
    "core.askPass": "",
    "core.fsmonitor": "false",
    "core.hooksPath": "/dev/null",
    "core.protectHFS": "true",
    "core.protectNTFS": "true",
    "credential.helper": "",
    "fetch.recurseSubmodules": "false",
    "fetch.writeCommitGraph": "false",
    "gc.auto": "0",
    "http.followRedirects": "false",
    "http.lowSpeedLimit": "100",
    "http.lowSpeedTime": "120",
    "http.proxy": "",
    "maintenance.auto": "false",
    "pack.threads": "1",  # so that a bundle made again is the same
    "protocol.allow": "never",
}


SSH = "ssh"
_SSH_PORT = 22
_SSH_FAILED = 255
"""The exit status by which ssh says that it failed itself, and not the command that it was asked to run."""
_ANSWER_SECONDS = 120.0
_SSH_OPTIONS: Mapping[str, str] = {
    "BatchMode": "yes",
    "ClearAllForwardings": "yes",
    "ConnectTimeout": "15",
    "ForwardAgent": "no",
    "GlobalKnownHostsFile": "/dev/null",
    "IdentitiesOnly": "yes",
    "IdentityAgent": "none",  # the keys of whoever runs this are not the submitter's
    "PasswordAuthentication": "no",
    "PermitLocalCommand": "no",
    "ProxyCommand": "none",
    "ServerAliveCountMax": "4",
    "ServerAliveInterval": "30",
    "StrictHostKeyChecking": "yes",
}


@dataclass(frozen=True, slots=True)
class Login:
    """User and password for the one repository, or for ssh its key and the server's; `field` is the submission's.

    `key` is a private key as ssh keeps it in a file, `host_key` the server's public one: `ssh-ed25519 AAAA…`.
    """

    user: str = ""
    password: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    host_key: str = ""
    field: str = "password"


class GitCommand:
    """Runs git for one repository in one folder.

    `seconds` is the longest a single command may take.
    """

    def __init__(
        self, service: str, url: str, folder: Path, guard: Guard, login: Login, seconds: float = 6 * 3600
    ) -> None:
        program = shutil.which("git")
        if program is None:
            raise ProgramMissing(program="git", service=service)
        self._program = program
        self._service = service
        self._url = url
        self._folder = folder
        self._guard = guard
        self._login = login
        self._redact = Redactor([login.password, login.key])
        self._seconds = seconds

    def run(self, *words: str, network: bool = False, held: int | None = None) -> bytes:
        """What the command says on standard output.

        `held` is a file whose lock has to last as long as git runs, also when this process is killed before.

        Raises:
            CredentialRefused: The server refused the login.
            ProgramFailed: The command failed or took too long.
        """
        with self._started(network=network) as (environment, handles):
            try:
                done = subprocess.run(
                    [self._program, *words],
                    cwd=self._folder,
                    env=environment,
                    pass_fds=handles if held is None else (*handles, held),
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    timeout=self._seconds,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise ProgramFailed(program="git", service=self._service, reason="it took too long") from None
        if done.returncode:
            raise self._failed(words[0], done.returncode, done.stderr)
        return done.stdout

    def ask_server(self, command: str) -> tuple[int, bytes]:
        """What a command of the ssh server's answers: exit status and standard output.

        Raises:
            AddressRefused: The address may not be fetched from.
            CredentialRefused: The server refused the key.
            ProgramFailed: The server cannot be reached, or took too long.
        """
        parts = urlsplit(self._url)
        user = f"{unquote(parts.username)}@" if parts.username else ""
        with self._ssh() as words:
            asked = [*words, "-p", str(parts.port or _SSH_PORT), "--", f"{user}{parts.hostname}", command]
            try:
                done = subprocess.run(
                    asked, env=self._environment({}), stdin=subprocess.DEVNULL, capture_output=True,
                    timeout=_ANSWER_SECONDS, check=False,
                )  # fmt: skip
            except (OSError, subprocess.TimeoutExpired) as error:
                reason = "it took too long" if isinstance(error, subprocess.TimeoutExpired) else str(error)
                raise ProgramFailed(program="ssh", service=self._service, reason=reason) from None
        if done.returncode == _SSH_FAILED:
            raise self._failed("over ssh", done.returncode, done.stderr)
        return done.returncode, done.stdout

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """A local command with pipes on its input and output."""
        return subprocess.Popen(
            [self._program, *words],
            cwd=self._folder,
            env=self._environment({}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    @contextlib.contextmanager
    def _started(self, *, network: bool) -> Iterator[tuple[dict[str, str], tuple[int, ...]]]:
        """The environment of a command, and the open files it may inherit."""
        if not network:
            yield self._environment({}), ()
            return
        if urlsplit(self._url).scheme == SSH:
            with self._ssh() as words:
                environment = self._environment({"protocol.ssh.allow": "always"})
                yield environment | {"GIT_SSH_COMMAND": shlex.join(words), "GIT_SSH_VARIANT": "ssh"}, ()
            return
        settings = self._reach()
        if not self._login.password:
            yield self._environment(settings), ()
            return
        askpass = self._folder / "askpass"
        if not askpass.exists():
            askpass.write_text(_ASKPASS)
            askpass.chmod(0o700)
        memory = os.memfd_create("login")
        try:
            os.write(memory, f"{self._login.user}\n{self._login.password}\n".encode())
            environment = self._environment(settings)
            environment |= {"GIT_ASKPASS": str(askpass), "MUNIMENT_LOGIN": str(memory)}
            yield environment, (memory,)
        finally:
            os.close(memory)

    @contextlib.contextmanager
    def _ssh(self) -> Iterator[list[str]]:
        """The ssh command that speaks to the checked address, and to the server whose key was given.

        The private key lies in memory, where only this user's processes can open it, and goes when that has ended.

        Raises:
            AddressRefused: The address may not be fetched from.
        """
        parts = urlsplit(self._url)
        address, *_ = self._guard.addresses(parts.hostname or "", parts.port or _SSH_PORT)
        known = self._folder / "known_hosts"
        known.write_text(f"repository {self._login.host_key}\n")
        memory = os.memfd_create("key")
        try:
            os.fchmod(memory, 0o600)
            os.write(memory, f"{self._login.key.strip()}\n".encode())
            options = {
                **_SSH_OPTIONS,
                "HostKeyAlias": "repository",
                "HostName": address,
                "IdentityFile": f"/proc/{os.getpid()}/fd/{memory}",
                "UserKnownHostsFile": str(known),
            }
            yield ["ssh", "-F", "/dev/null", *(f"-o{name}={value}" for name, value in options.items())]
        finally:
            os.close(memory)

    def _reach(self) -> dict[str, str]:
        """The settings that let git talk to the checked address and to nothing else.

        Raises:
            AddressRefused: The address may not be fetched from.
        """
        origin = Origin.of(self._url)
        addresses = self._guard.addresses(origin.host, origin.port)
        pinned = ",".join(f"[{each}]" if ":" in each else each for each in addresses)
        return {
            f"protocol.{origin.scheme}.allow": "always",
            "http.curloptResolve": f"{origin.host}:{origin.port}:{pinned}",
        }

    def _environment(self, more: Mapping[str, str]) -> dict[str, str]:
        settings = {**_SETTINGS, **more}
        if authorities := ssl.get_default_verify_paths().cafile:
            settings["http.sslCAInfo"] = authorities
        environment = {
            "PATH": os.defpath,
            "HOME": str(self._folder),
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_DIR": str(self._folder),
            "GIT_CONFIG_COUNT": str(len(settings)),
        }
        for number, (name, value) in enumerate(settings.items()):
            environment[f"GIT_CONFIG_KEY_{number}"] = name
            environment[f"GIT_CONFIG_VALUE_{number}"] = value
        return environment

    def _failed(self, verb: str, status: int, said: bytes) -> Exception:
        text = self._redact(said.decode("utf-8", "replace"))
        if any(sign in text for sign in ("Authentication failed", "could not read Username", "Permission denied (")):
            return CredentialRefused(service=self._service, field=self._login.field, status=401, what="the repository")
        lines = [line for line in text.splitlines() if line.startswith(("fatal:", "error:"))] or text.splitlines()
        reason = " ".join(lines[-1][:300].split()) if lines else f"exit status {status}"
        return ProgramFailed(program=f"git {verb}", service=self._service, reason=reason)
