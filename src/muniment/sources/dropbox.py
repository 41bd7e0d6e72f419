"""A folder in Dropbox with everything below it and, if wanted, earlier revisions of each file.

Checked against Dropbox's API v2. Files are downloaded by revision, which names content that cannot change, and held
against Dropbox's own content hash. Access tokens live four hours; with a refresh token another one is fetched.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, BinaryIO, TypeVar
from urllib.parse import urlencode

from muniment.errors.base import BadInput
from muniment.errors.sources import (
    CredentialRefused,
    FieldMissing,
    NotAtService,
    ServiceRefused,
    ServiceUnreachable,
    UnexpectedAnswer,
)
from muniment.session import Account, Answer, Session, shown
from muniment.sources.options import ALL_VERSIONS, Kind, Param, SourceContext, web_address
from muniment.sources.paging import as_object, follow
from muniment.sources.protocol import Failure, Item, Page, SourceEntry, original_name, safe_path, version_path

SERVICE = "dropbox"
_API = "https://api.dropboxapi.com"
_CONTENT = "https://content.dropboxapi.com"
_PAGE = 500
_MOST_REVISIONS = 100
_SMALL = 65_536
_APP_KEY = "The key of the app that got the refresh token."

Got = TypeVar("Got")


class DropboxSource:
    """Lists a folder recursively; each page of Dropbox's listing is an item with its files in its details."""

    service = SERVICE

    def __init__(self, given: Mapping[str, Any], means: SourceContext) -> None:
        self._folder = "/" + given["folder"].strip("/") if given["folder"].strip("/") else ""
        self._api = given.get("host", _API).rstrip("/")
        self._content = given.get("host", _CONTENT).rstrip("/")
        self._versions: int = given["versions"]
        self._session = means.session
        account = Account(SERVICE, (self._api, self._content), hourly_calls=means.hourly_calls)
        self._access = _Access(account, self._session, f"{self._api}/oauth2/token", given)

    @property
    def resource(self) -> str:
        """The folder without its leading slash."""
        return self._folder.strip("/") or SERVICE

    def pages(self, after: str | None = None) -> Iterator[Page]:
        """The folder, page by page; the cursor is Dropbox's with the page's number before it.

        Raises:
            CredentialRefused, NotAtService: The submission has to change.
            RemoteError: Dropbox failed.
        """
        first, _, cursor = (after or "1:").partition(":")

        def turn(cursor: str) -> tuple[list[dict[str, object]], str | None]:
            answer = self._list(cursor)
            listed = answer.object()
            found = [as_object(each, SERVICE, answer.url) for each in listed.get("entries") or []]
            if not listed.get("has_more"):
                return found, None
            if not isinstance(listed["cursor"], str):
                reason = "it has more, and no cursor to ask for it"
                raise UnexpectedAnswer(service=SERVICE, where=shown(answer.url), reason=reason)
            return found, listed["cursor"]

        for number, (found, following) in enumerate(follow(SERVICE, self._api, cursor, turn), int(first)):
            files = [each for each in found if each.get(".tag") == "file"]
            item = Item(f"page {number}", details={"files": files})
            yield Page((item,), None if following is None else f"{number + 1}:{following}")

    def entries(self, item: Item) -> Iterator[SourceEntry | Failure]:
        """The files of one page, each followed by its earlier revisions.

        Raises:
            CredentialRefused: The submission has to change.
            RemoteError: Dropbox failed.
        """
        for file in item.details["files"]:
            name = self._relative(file)
            path = safe_path(name)
            if not file.get("is_downloadable", True):
                yield Failure(path, "Dropbox has no file of this, only a document of its own.", SERVICE)
            else:
                yield replace(_entry(path, file), original=original_name(name, path), present=str(file["rev"]))
                for revision in self._revisions(file):
                    yield _entry(version_path(path, str(revision["rev"])), revision, str(revision["rev"]), path)

    def open(self, item: Item, entry: SourceEntry, offset: int = 0) -> BinaryIO:  # noqa: ARG002 - the locator suffices
        """The bytes of a revision.

        Raises:
            FileUnavailable: Dropbox does not give it, for reasons of law (`restricted_content`) or others.
            CredentialRefused: The submission has to change.
            RemoteError: Dropbox failed.
        """
        headers = {"Dropbox-API-Arg": json.dumps({"path": f"rev:{entry.locator}"})}
        return self._access.use(
            lambda account: self._session.open(
                account,
                f"{self._content}/2/files/download",
                entry.path,
                offset=offset,
                size=entry.size,
                headers=headers,
                method="POST",
                immutable=True,
            )
        )

    def _list(self, cursor: str) -> Answer:
        if cursor:
            return self._call("list_folder/continue", {"cursor": cursor})
        return self._call(
            "list_folder",
            {"path": self._folder, "recursive": True, "include_non_downloadable_files": True, "limit": _PAGE},
        )

    def _revisions(self, file: Mapping[str, object]) -> Iterator[dict[str, object]]:
        """The revisions before the present one that were asked for, the newest first.

        By path and not by id: only so does Dropbox go on beyond the first hundred (`before_rev_not_supported`).
        """
        wanted = None if self._versions == ALL_VERSIONS else self._versions - 1
        if wanted is not None and wanted <= 0:
            return iter(())
        limit = _MOST_REVISIONS if wanted is None else min(wanted + 1, _MOST_REVISIONS)
        path = file.get("path_lower") or file["path_display"]

        def turn(before: str) -> tuple[list[dict[str, object]], str | None]:
            question: dict[str, object] = {"path": path, "mode": "path", "limit": limit}
            answer = self._call("list_revisions", question | ({"before_rev": before} if before else {}))
            listed = answer.object()
            found = [as_object(each, SERVICE, answer.url) for each in listed.get("entries") or []]
            return found, str(found[-1]["rev"]) if listed.get("has_more") and found else None

        older = (
            each
            for found, _ in follow(SERVICE, self._api, "", turn)
            for each in found
            if each.get("rev") != file["rev"]
        )
        return itertools.islice(older, wanted)

    def _call(self, name: str, question: Mapping[str, object]) -> Answer:
        url = f"{self._api}/2/files/{name}"
        try:
            return self._access.use(
                lambda account: self._session.get(
                    account, url, method="POST", body=question, what="folder", field="folder"
                )
            )
        except ServiceRefused as error:
            if error.details["status"] == 409 and "not_found" in error.details["reason"]:  # noqa: PLR2004 - its status for such
                raise NotAtService(service=SERVICE, what="folder", where=self._folder or "/", field="folder") from None
            raise

    def _relative(self, file: Mapping[str, object]) -> str:
        """A file's path below the folder. Dropbox knows names in any case and shows them in one."""
        full = str(file.get("path_display") or file.get("path_lower") or "")
        if not full.lower().startswith(f"{self._folder.lower()}/"):
            raise UnexpectedAnswer(service=SERVICE, where=shown(self._api), reason="it lists what is not in the folder")
        return full[len(self._folder) + 1 :]


class _Access:
    """The access token in use. When it is refused and there is a refresh token, another one is fetched."""

    def __init__(self, account: Account, session: Session, url: str, given: Mapping[str, Any]) -> None:
        self._session = session
        self._url = url
        self._lock = threading.Lock()
        self._question: Callable[[], bytes] | None = None
        secrets = [given["access_token"], *filter(None, map(given.get, ("refresh_token", "app_key", "app_secret")))]
        if "refresh_token" in given:
            fields = {"grant_type": "refresh_token", "refresh_token": given["refresh_token"]}
            fields |= {"client_id": given["app_key"]}
            if "app_secret" in given:  # an app that proved itself by PKCE has none
                fields |= {"client_secret": given["app_secret"]}
            question = urlencode(fields).encode()
            self._question = lambda: question
        self._account = _with_token(replace(account, secrets=tuple(secrets)), given["access_token"])

    def use(self, call: Callable[[Account], Got]) -> Got:
        """What `call` gives with the token in use, or with a new one where that is refused.

        Raises:
            CredentialRefused: There is no refresh token, or it or the new token is refused.
            RemoteError: Dropbox failed.
        """
        account = self._account
        try:
            return call(account)
        except CredentialRefused as error:
            if self._question is None or error.details["status"] != 401:  # noqa: PLR2004 - its status for tokens
                raise
        with self._lock:
            if self._account is account:  # nobody else has fetched one meanwhile
                self._account = _with_token(account, self._fetched(account, self._question()))
        return call(self._account)

    def _fetched(self, account: Account, question: bytes) -> str:
        """A new token, from the refresh token."""
        sent = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        asking = replace(account, bases=())  # this call takes no token
        try:
            answer = Answer.of(self._session.send(asking, "POST", self._url, sent, question), SERVICE, _SMALL)
        except OSError as error:
            reason = account.redact(str(error))
            raise ServiceUnreachable(service=SERVICE, where=shown(self._url), reason=reason) from None
        if answer.status in {400, 401, 403}:
            raise CredentialRefused(
                service=SERVICE, field="refresh_token", status=answer.status, what="the folder"
            ) from None
        token = answer.object().get("access_token")
        if not isinstance(token, str) or not token:
            raise UnexpectedAnswer(service=SERVICE, where=shown(self._url), reason="it holds no access token")
        return token


def _with_token(account: Account, token: str) -> Account:
    return replace(account, headers={"Authorization": f"Bearer {token}"}, secrets=tuple({*account.secrets, token}))


def _entry(path: Any, file: Mapping[str, Any], version: str | None = None, of: str | None = None) -> SourceEntry:
    checks = {"dropbox": str(file["content_hash"])} if file.get("content_hash") else {}
    modified = str(file["server_modified"]) if "server_modified" in file else None
    return SourceEntry(
        path, int(file["size"]), modified=modified, locator=str(file["rev"]), checks=checks, version=version, of=of
    )


def _app_of_refresh_token(given: Mapping[str, object]) -> Iterator[BadInput]:
    if "refresh_token" in given and "app_key" not in given:
        yield FieldMissing(service=SERVICE, field="app_key", help=_APP_KEY)


KIND = Kind(
    name=SERVICE,
    summary="A Dropbox folder with everything below it.",
    takes=(
        "every file below the folder, held against its content hash",
        "earlier revisions, where they are asked for",
    ),
    leaves=(
        "documents of Dropbox's own such as Paper",
        "deleted files",
        "comments, shared links and members",
    ),
    params=(
        Param("access_token", "An access token with the scope files.content.read.", secret=True),
        Param("refresh_token", "A refresh token, for work of over four hours.", required=False, secret=True),
        Param("app_key", _APP_KEY, required=False, secret=True),
        Param("app_secret", "The secret of that app, if it has one.", required=False, secret=True),
        Param("folder", "The folder's path, such as /Data; / alone is everything."),
        Param("host", "The address of the API, where it is another.", required=False, check=web_address),
    ),
    build=DropboxSource,
    has_versions=True,
    check=_app_of_refresh_token,
)
