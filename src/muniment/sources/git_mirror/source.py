"""A mirrored repository as entries: the files of its default branch, its whole history as a bundle, its description."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from muniment.errors.sources import CredentialRefused, FileUnavailable, NotAtService, UnexpectedAnswer
from muniment.session import Account, Session, shown
from muniment.sources.documents import document
from muniment.sources.git_mirror.command import SSH, GitCommand, Login
from muniment.sources.git_mirror.lfs import (
    LARGEST_POINTER,
    LfsServer,
    Pointer,
    SshLfs,
    beside,
    open_object,
    pointer,
)
from muniment.sources.git_mirror.repository import Mirror, Node
from muniment.sources.protocol import Failure, Item, SourceEntry, about, original_name, safe_path
from muniment.sources.times import rfc3339

_ADVERTISEMENT = "application/x-git-upload-pack-advertisement"
_REFS = "/info/refs"
_LINE = 256
_PLAIN_REFS = re.compile(rb"(?:[0-9a-f]{40}|[0-9a-f]{64})\t(?:HEAD|refs/)|\Z")
"""What a bare repository behind a plain web server has at `info/refs`: a line for each ref, none while it is empty."""
_LINK = "120000"
_SUBMODULE = "160000"
_SHA1 = 40


def login_headers(login: Login) -> dict[str, str]:
    """The header by which the session shows a login that git shows by itself."""
    if not login.password:
        return {}
    basic = base64.b64encode(f"{login.user}:{login.password}".encode()).decode()
    return {"Authorization": f"Basic {basic}"}


class Repository:
    """One repository, for the sources that hold one; `account` carries the login's header for what git does not fetch.

    `field` names the submission's field by which the repository was asked for.
    """

    def __init__(
        self, session: Session, account: Account, login: Login, url: str, folder: Path, field: str = "url"
    ) -> None:
        self._session = session
        self._account = account
        self._login = login
        self._url = url
        self._folder = folder
        self._field = field
        self._mirror: Mirror | None = None
        self._lfs: LfsServer | SshLfs = beside(url)
        if urlsplit(url).scheme == SSH:
            self._lfs = SshLfs(lambda asked: self._command(url).ask_server(asked), url, account.service)

    def item(self) -> Item:
        """Mirror the repository; the item holds its default branch and the commit that was its newest.

        Raises:
            CredentialRefused, NotAtService, AddressRefused: The submission has to change.
            RemoteError: The server or git failed.
        """
        head = self.mirror().fetch()
        return Item(id=shown(self._url) or self._url, title=self._url.rstrip("/").rpartition("/")[2], details=head)

    def mirror(self) -> Mirror:
        """The mirror, made on first use.

        Raises:
            CredentialRefused, NotAtService: The server has no such repository for this login.
            UnexpectedAnswer: What is there is no repository.
        """
        if self._mirror is None:
            url = self._url if urlsplit(self._url).scheme == SSH else self._settled()
            mirror = Mirror(self._command(url), url, self._folder.absolute())
            mirror.fetch()
            self._mirror = mirror
        return self._mirror

    def _command(self, url: str) -> GitCommand:
        folder = self._folder.absolute()
        folder.mkdir(parents=True, exist_ok=True)
        return GitCommand(self._account.service, url, folder, self._session.guard, self._login)

    def entries(self, item: Item) -> Iterator[SourceEntry | Failure]:
        """The files of the commit the item names, then the documents: description and bundle.

        Raises:
            NotAtService, CredentialRefused: The submission has to change.
            RemoteError: The server or git failed.
        """
        mirror = self.mirror()
        commit = item.details["commit"]
        if commit is None and mirror.refs():
            reason = "It has no branch and no tag that names a commit, so no files; all there is is in its history."
            yield Failure(item.title, reason, self._account.service)
        if commit is not None:
            if not mirror.has(commit):
                what = "commit that was its newest when it was listed"
                raise NotAtService(service=self._account.service, what=what, where=shown(self._url), field=self._field)
            when = rfc3339(mirror.commit_time(commit))
            seen: set[bytes] = set()
            for node in mirror.tree(commit):
                if node.mode in {_LINK, _SUBMODULE}:
                    continue  # they are no bytes of their own; the description names them and the bundle has them
                if node.path in seen:
                    yield Failure(_readable(node.path), "The name is in its folder twice.", self._account.service)
                    continue
                seen.add(node.path)
                yield self._entry(mirror, node, when)
        yield document("repository.json", f"repository:{commit or ''}")
        if mirror.refs():
            yield SourceEntry(about("history.bundle"), None, locator="bundle:")

    def open(self, entry: SourceEntry, offset: int = 0) -> BinaryIO:
        """The bytes of an entry.

        Raises:
            FileError: This file cannot be had.
            RemoteError: The server or git failed.
        """
        kind, _, rest = entry.locator.partition(":")
        if kind == "lfs":
            oid, _, size = rest.partition(":")
            wanted = Pointer(oid, int(size))
            return open_object(self._session, self._account, self._lfs, wanted, entry.path, offset)
        mirror = self.mirror()
        stream: BinaryIO
        if kind == "blob":
            stream = mirror.open(rest, entry.size, entry.path, self._account.service)
        elif kind == "bundle":
            stream = mirror.bundle().open("rb")
        elif kind == "repository":
            stream = io.BytesIO(json.dumps(self.description(rest or None), indent=1, ensure_ascii=False).encode())
        else:
            raise FileUnavailable(path=entry.path, service=self._account.service, reason="it is not of this repository")
        _skip(stream, offset)
        return stream

    def description(self, commit: str | None) -> dict[str, object]:
        """What the files alone do not say: refs, links, programs, submodules and their addresses."""
        mirror = self.mirror()
        links: dict[str, str] = {}
        submodules: dict[str, dict[str, str | None]] = {}
        programs: list[str] = []
        where = _module_urls(mirror, commit) if commit else {}
        for node in mirror.tree(commit) if commit else ():
            name = _readable(node.path)
            if node.mode == _LINK:
                links[name] = (
                    _readable(mirror.small(node.oid) or b"") if (node.size or 0) <= LARGEST_POINTER * 8 else ""
                )
            elif node.mode == _SUBMODULE:
                submodules[name] = {"commit": node.oid, "url": where.get(name)}
            elif node.mode == "100755":
                programs.append(name)
        return {
            "url": shown(self._url),
            "branch": mirror.fetch()["branch"],
            "commit": commit,
            "chosen": mirror.fetch().get("chosen"),
            "refs": mirror.refs(),
            "links": links,
            "executable": programs,
            "submodules": submodules,
        }

    def _settled(self) -> str:
        """The address the repository is really at: redirects are followed here, where each is checked, not by git."""
        asked = f"{self._url.rstrip('/')}{_REFS}?service=git-upload-pack"
        reply = self._session.send(self._account, "GET", asked, {"Accept": _ADVERTISEMENT})
        kind = reply.headers.get("content-type", "").partition(";")[0].strip()
        status, url = reply.status, reply.url
        try:
            said = b"" if kind == _ADVERTISEMENT else reply.read(_LINE)
        except OSError:
            said = b"cut"
        reply.close()
        is_git = kind == _ADVERTISEMENT or bool(_PLAIN_REFS.match(said))
        service, what = self._account.service, "repository"
        if status in {401, 403}:
            raise CredentialRefused(service=service, field=self._account.credential_field, status=status, what=what)
        if status in {404, 410}:
            raise NotAtService(service=service, what=what, where=shown(self._url), field=self._field)
        if status != 200 or not is_git or not urlsplit(url).path.endswith(_REFS):  # noqa: PLR2004 - OK
            raise UnexpectedAnswer(
                service=service, where=shown(url), reason=f"it is not a git repository (status {status})"
            )
        parts = urlsplit(url)
        return parts._replace(path=parts.path.removesuffix(_REFS), query="").geturl()

    def _entry(self, mirror: Mirror, node: Node, when: str | None) -> SourceEntry | Failure:
        name = _readable(node.path)
        raw = node.path.decode("utf-8", "surrogateescape")
        path = safe_path(raw)
        original = original_name(raw, path)
        if any(segment.rstrip(" .").lower() in {".git", "git~1"} for segment in path.split("/")):
            return Failure(name, "The name is that of git's own folder.", self._account.service)
        if node.size is None:
            return Failure(name, "It is neither a file, a link nor a submodule.", self._account.service)
        if node.size < LARGEST_POINTER and (found := pointer(mirror.small(node.oid) or b"")):
            locator = f"lfs:{found.oid}:{found.size}"
            return SourceEntry(
                path, found.size, {"sha256": found.oid}, modified=when, locator=locator, original=original
            )
        checks: Mapping[str, str] = {"git-blob" if len(node.oid) == _SHA1 else "git-blob-sha256": node.oid}
        return SourceEntry(path, node.size, modified=when, locator=f"blob:{node.oid}", checks=checks, original=original)


def _readable(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")


def _skip(stream: BinaryIO, count: int) -> None:
    if stream.seekable():
        stream.seek(count)
        return
    while count > 0 and (piece := stream.read(min(count, 1 << 20))):
        count -= len(piece)


def _module_urls(mirror: Mirror, commit: str) -> dict[str, str]:
    """Path to address of the submodules, as `.gitmodules` names them; it is read as text and never acted on."""
    node = next((node for node in mirror.tree(commit) if node.path == b".gitmodules"), None)
    if node is None or node.size is None or node.size > LARGEST_POINTER * 1024:
        return {}
    return _parse_modules(_readable(mirror.small(node.oid) or b""))


def _parse_modules(text: str) -> dict[str, str]:
    found: dict[str, dict[str, str]] = {}
    section: dict[str, str] = {}
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("["):
            section = found.setdefault(stripped, {})
        elif "=" in stripped:
            name, _, value = stripped.partition("=")
            section[name.strip().lower()] = value.strip().strip('"')
    return {each["path"]: each["url"] for each in found.values() if "path" in each and "url" in each}
