"""Files kept beside a repository by Git LFS: recognised by their pointers, fetched through the session.

Written after the Git LFS specification and its batch API; the git-lfs program is not needed.
"""

from __future__ import annotations

import json
import math
import re
import shlex
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

from muniment.errors.sources import CredentialRefused, FileUnavailable, NotAtService, ServiceRefused, UnexpectedAnswer
from muniment.session import Account, Session, shown

LARGEST_POINTER = 1024
_USUAL_LIFE = 600.0
"""Seconds that what is said over ssh counts for where no time is named."""
_MARGIN = 30.0
_MEDIA = "application/vnd.git-lfs+json"
_POINTER = re.compile(
    rb"version https://(?:git-lfs\.github\.com|hawser\.github\.com)/spec/v1\n(?:ext-[^\n]*\n)*"
    rb"oid sha256:([0-9a-f]{64})\nsize (\d{1,18})\n"
)


@dataclass(frozen=True, slots=True)
class Pointer:
    """What stands in the repository in place of a file: its sha256 and its size."""

    oid: str
    size: int


def pointer(data: bytes) -> Pointer | None:
    """The pointer that `data` is, if it is one."""
    match = _POINTER.fullmatch(data)
    return Pointer(match[1].decode(), int(match[2])) if match else None


@dataclass(frozen=True, slots=True)
class LfsServer:
    """Where a repository's LFS server is, what it has to be shown, and until when (seconds since 1970 UTC)."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    until: float = math.inf


def beside(url: str) -> LfsServer:
    """The LFS server of a repository that is reached over http(s)."""
    base = url.rstrip("/")
    return LfsServer(f"{base if base.endswith('.git') else f'{base}.git'}/info/lfs")


class SshLfs:
    """The LFS server of a repository that is reached over ssh, as `git-lfs-authenticate` names it. Thread-safe.

    Git LFS: docs/api/server-discovery.md. `ask` runs a command of the ssh server's.
    """

    def __init__(self, ask: Callable[[str], tuple[int, bytes]], url: str, service: str) -> None:
        """Asks nothing yet."""
        self._ask = ask
        self._url = url
        self._service = service
        self._lock = threading.Lock()
        self._known: LfsServer | None = None
        self._refused = ""

    def server(self, path: str, refused: LfsServer | None = None) -> LfsServer:
        """Where it is; asked once for many files, and again when its time is over or it has `refused` what it said.

        Raises:
            FileUnavailable: The server does not say, so the file at `path` cannot be had.
            RemoteError: It cannot be reached.
        """
        with self._lock:
            known = self._known
            if known is None or known is refused or known.until < time.time() + _MARGIN:
                self._known = known = None if self._refused else self._discover()
            if known is None:
                raise FileUnavailable(path=path, service=self._service, reason=self._refused)
            return known

    def _discover(self) -> LfsServer | None:
        parts = urlsplit(self._url)
        status, said = self._ask(f"git-lfs-authenticate {shlex.quote(unquote(parts.path))} download")
        if status:
            self._refused = f"its server does not say over ssh where Git LFS keeps it (status {status})"
            return None
        try:
            answer = json.loads(said)
            headers = {str(name): str(value) for name, value in (answer.get("header") or {}).items()}
            href = str(answer.get("href") or beside(f"https://{parts.hostname}{parts.path}").url)
            until = time.time() + float(answer.get("expires_in") or _USUAL_LIFE)
            if answer.get("expires_at"):
                until = datetime.fromisoformat(str(answer["expires_at"])).timestamp()
        except (ValueError, TypeError, AttributeError, OverflowError):
            self._refused = "what its server says over ssh of Git LFS cannot be understood"
            return None
        return LfsServer(href.rstrip("/"), headers, until)


def open_object(
    session: Session, account: Account, lfs: LfsServer | SshLfs, wanted: Pointer, path: str, offset: int
) -> BinaryIO:
    """The bytes of a file that an LFS server keeps for a repository.

    Raises:
        FileUnavailable: The LFS server does not have it, or does not give it.
        RemoteError: The LFS server failed.
    """
    server = lfs if isinstance(lfs, LfsServer) else lfs.server(path)
    try:
        answer = _asked(session, account, server, wanted)
    except (NotAtService, CredentialRefused, ServiceRefused) as error:
        status = error.details.get("status", 404)
        unavailable = FileUnavailable(path=path, service=account.service, reason=f"the LFS server answered {status}")
        if isinstance(lfs, LfsServer) or not isinstance(error, CredentialRefused):
            raise unavailable from None
        server = lfs.server(path, refused=server)  # what it was to be shown may be over before its time
        try:
            answer = _asked(session, account, server, wanted)
        except (NotAtService, CredentialRefused, ServiceRefused):
            raise unavailable from None
    action = _download(answer, wanted, account.service, server.url, path)
    headers = {str(name): str(value) for name, value in (action.get("header") or {}).items()}
    return session.open(
        account, str(action["href"]), path, offset=offset, size=wanted.size, headers=headers, immutable=True
    )


def _asked(session: Session, account: Account, server: LfsServer, wanted: Pointer) -> dict[str, Any]:
    question = {
        "operation": "download",
        "transfers": ["basic"],
        "objects": [{"oid": wanted.oid, "size": wanted.size}],
        "hash_algo": "sha256",
    }
    return session.get(
        account, f"{server.url}/objects/batch", method="POST",
        headers={**server.headers, "Accept": _MEDIA, "Content-Type": _MEDIA},
        body=question, what="LFS object", field="url",
    ).object()  # fmt: skip


def _download(answer: dict[str, Any], wanted: Pointer, service: str, base: str, path: str) -> dict[str, Any]:
    for each in answer.get("objects") or []:
        if not isinstance(each, dict) or each.get("oid") != wanted.oid:
            continue
        if isinstance(each.get("error"), dict):
            reason = f"the LFS server says {each['error'].get('code')}"
            raise FileUnavailable(path=path, service=service, reason=reason)
        action = (each.get("actions") or {}).get("download")
        if isinstance(action, dict) and "href" in action:
            return action
    raise UnexpectedAnswer(service=service, where=shown(base), reason="it does not say where the LFS object is")
