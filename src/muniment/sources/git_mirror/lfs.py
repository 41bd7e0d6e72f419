"""Files kept beside a repository by Git LFS: recognised by their pointers, fetched through the session.

Written after the Git LFS specification and its batch API; the git-lfs program is not needed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, BinaryIO

from muniment.errors.sources import CredentialRefused, FileUnavailable, NotAtService, ServiceRefused, UnexpectedAnswer
from muniment.session import Account, Session, shown

LARGEST_POINTER = 1024
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


def open_object(session: Session, account: Account, url: str, wanted: Pointer, path: str, offset: int) -> BinaryIO:
    """The bytes of a file that LFS keeps for the repository at `url`.

    Raises:
        FileUnavailable: The LFS server does not have it, or does not give it.
        RemoteError: The LFS server failed.
    """
    if url.startswith("ssh:"):
        reason = "it is kept by Git LFS, which is asked over https alone: give the repository's https address"
        raise FileUnavailable(path=path, service=account.service, reason=reason)
    base = url.rstrip("/")
    base = base if base.endswith(".git") else f"{base}.git"
    question = {
        "operation": "download",
        "transfers": ["basic"],
        "objects": [{"oid": wanted.oid, "size": wanted.size}],
        "hash_algo": "sha256",
    }
    try:
        answer = session.get(
            account, f"{base}/info/lfs/objects/batch", method="POST",
            headers={"Accept": _MEDIA, "Content-Type": _MEDIA}, body=question, what="LFS object", field="url",
        ).object()  # fmt: skip
    except (NotAtService, CredentialRefused, ServiceRefused) as error:
        status = error.details.get("status", 404)
        raise FileUnavailable(path=path, service=account.service, reason=f"the LFS server answered {status}") from None
    action = _download(answer, wanted, account.service, base, path)
    headers = {str(name): str(value) for name, value in (action.get("header") or {}).items()}
    return session.open(
        account, str(action["href"]), path, offset=offset, size=wanted.size, headers=headers, immutable=True
    )


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
