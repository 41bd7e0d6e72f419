"""ArchivesSpace through its backend API: finding what describes a folder, and recording where its files are.

Three habits of the real server shape this client. It drops fields it does not know and answers 200, so what was
written is read back and compared. It refuses a record that somebody else saved meanwhile (409), so every change is a
function applied to a fresh copy, again if need be. And its session ends after an hour (412), so it signs in again.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from muniment.errors.catalogues import (
    AmbiguousInCatalogue,
    CatalogueAnswerUnusable,
    CatalogueRefused,
    CatalogueRefusedUser,
    CatalogueUnreachable,
    FieldsLost,
    NotInCatalogue,
    RecordBusy,
)
from muniment.errors.sources import HostUnknown, RateLimited, ServiceFailed, ServiceUnreachable
from muniment.session import Account, Session
from muniment.session.reply import Answer

Record = dict[str, Any]
Merge = Callable[[Record], Record]
"""A change of a record: a pure function, for it may be applied more than once."""

_HEADER = "X-ArchivesSpace-Session"
_LIMIT = 64 * 1024 * 1024
_TRIES = 6
_SHOWN = 600
_SESSION_OVER, _STALE, _FORBIDDEN, _MISSING, _INVALID = 412, 409, 403, 404, 400
_FAILED = 500
_STALE_WORDS = "modified since"
_SET_BY_SERVER = frozenset(
    {
        "lock_version",
        "create_time",
        "created_by",
        "last_modified_by",
        "system_mtime",
        "user_mtime",
        "uri",
        "jsonmodel_type",
        "repository",
        "display_string",
        "slug",
        "is_slug_auto",
    }
)


@dataclass(frozen=True, slots=True)
class Found:
    """A record and where it is."""

    uri: str
    record: Record


class ArchivesSpace:
    """One repository of an ArchivesSpace. Safe to use from many threads.

    Raises from every method:
        CatalogueRefusedUser: User or password are wrong, or may not do that.
        CatalogueAnswerUnusable: What came is not ArchivesSpace's answer.
        RemoteError: It failed, or cannot be reached.
    """

    def __init__(self, session: Session, url: str, user: str, password: str, repository: str) -> None:
        """Use the backend API at `url`; `repository` is the repository's code, or its address."""
        self.url = url.rstrip("/")
        self._session = session
        self._user, self._password, self._code = user, password, repository
        self._account = Account("ArchivesSpace", (self.url,), secrets=(password,), credential_field="password")
        self._token = ""
        self._repository: Record = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the session's connections."""
        self._session.close()

    # --- finding

    @property
    def repository(self) -> str:
        """The repository's address, such as `/repositories/2`.

        Raises:
            NotInCatalogue: There is none with that code or address.
        """
        return str(self._described()["uri"])

    @property
    def repository_name(self) -> str:
        """What the repository is called.

        Raises:
            NotInCatalogue: There is none.
        """
        found = self._described()
        return str(found.get("name") or found.get("repo_code") or self._code)

    @property
    def code(self) -> str:
        """The repository's code.

        Raises:
            NotInCatalogue: There is none.
        """
        return str(self._described().get("repo_code") or self._code)

    def _described(self) -> Record:
        if not self._repository:
            listed = self._call("GET", "/repositories")
            found = [each for each in listed if self._code in {each.get("repo_code"), each.get("uri")}]
            if not found:
                raise NotInCatalogue(what="repository", id=self._code, near="")
            self._repository = found[0]
        return self._repository

    def collection(self, id: str) -> Found:
        """The collection whose first identifier is exactly `id`, letters' case included.

        Raises:
            NotInCatalogue: There is none; near misses are named.
            AmbiguousInCatalogue: There are several.
        """
        found = self._by_id("resources", "identifier[]", json.dumps([id]))
        exact = [each for each in found if each.record.get("id_0") == id]
        near = ", ".join(sorted(str(each.record.get("id_0")) for each in found if each not in exact))
        return self._only(exact, "collection", id, near)

    def archival_object(self, component_id: str) -> Found:
        """The one archival object with exactly this component id.

        Raises:
            NotInCatalogue: There is none.
            AmbiguousInCatalogue: There are several.
        """
        found = self._by_id("archival_objects", "component_id[]", component_id)
        exact = [each for each in found if each.record.get("component_id") == component_id]
        near = ", ".join(sorted(str(each.record.get("component_id")) for each in found if each not in exact))
        return self._only(exact, "archival object", component_id, near)

    def digital_objects(self, digital_object_id: str) -> list[Found]:
        """The digital objects with exactly this id."""
        found = self._by_id("digital_objects", "digital_object_id[]", digital_object_id)
        return [each for each in found if each.record.get("digital_object_id") == digital_object_id]

    def components(self, component_id: str) -> list[Found]:
        """The components of digital objects with exactly this id."""
        found = self._by_id("digital_object_components", "component_id[]", component_id)
        return [each for each in found if each.record.get("component_id") == component_id]

    def top_containers(self, indicator: str, kind: str) -> list[Found]:
        """The top containers of a type with exactly this indicator: looked up in the database, not in its index."""
        found = self._by_id("top_containers", "indicator[]", indicator)
        return [each for each in found if (each.record.get("indicator"), each.record.get("type")) == (indicator, kind)]

    def get(self, uri: str, *resolve: str) -> Record:
        """A record, with the records it refers to in `_resolved` of each reference named.

        Raises:
            NotInCatalogue: There is none.
        """
        query = [("resolve[]", each) for each in resolve]
        found = self._call("GET", uri, query)
        if not isinstance(found, dict):
            raise CatalogueAnswerUnusable(where=uri, reason="it is no record")
        return found

    def enumeration(self, name: str) -> frozenset[str]:
        """The values of a controlled list that may be used."""
        found = self._call("GET", f"/config/enumerations/names/{quote(name, safe='')}")
        values = found.get("enumeration_values") if isinstance(found, Mapping) else None
        if isinstance(values, list):
            return frozenset(str(each["value"]) for each in values if not each.get("suppressed"))
        return frozenset(map(str, found.get("values", ()))) if isinstance(found, Mapping) else frozenset()

    # --- recording

    def create(self, kind: str, record: Mapping[str, object]) -> Found:
        """Make a record of a kind, such as `digital_objects`, and read it back.

        Raises:
            CatalogueUnreachable: It gave no answer, and may have made the record all the same: look before the next.
            CatalogueRefused: A field is refused; each is named.
            FieldsLost: It was taken, and some fields were not.
        """
        answer = self._call("POST", f"{self.repository}/{kind}", body=dict(record), once=True)
        uri = str(answer.get("uri", "")) if isinstance(answer, Mapping) else ""
        if not uri:
            raise CatalogueAnswerUnusable(where=kind, reason="it names no address of what it made")
        return self._confirmed(uri, record)

    def update(self, uri: str, merge: Merge) -> Found:
        """Change a record: `merge` is applied to it as it is, again when somebody else saves it in between.

        What `merge` leaves as it is, is not written.

        Raises:
            CatalogueRefused: A field is refused.
            RecordBusy: Others saved it again and again meanwhile.
            FieldsLost: It was taken, and some fields were not.
        """
        for _ in range(_TRIES):
            current = self.get(uri)
            wanted = merge(json.loads(json.dumps(current)))
            if wanted == current:
                return Found(uri, current)
            try:
                self._call("POST", uri, body=wanted)
            except _Stale:
                continue
            return self._confirmed(uri, wanted)
        raise RecordBusy(uri=uri, tries=_TRIES)

    def _confirmed(self, uri: str, sent: Mapping[str, object]) -> Found:
        """Read back what was written."""
        found = self.get(uri)
        lost = sorted(_lost(sent, found))
        if lost:
            raise FieldsLost(uri=uri, fields=", ".join(lost))
        return Found(uri, found)

    # --- inside

    def _by_id(self, kind: str, parameter: str, value: str) -> list[Found]:
        answer = self._call("GET", f"{self.repository}/find_by_id/{kind}", [(parameter, value)])
        listed = answer.get(kind) if isinstance(answer, Mapping) else None
        if not isinstance(listed, list):
            raise CatalogueAnswerUnusable(where=f"find_by_id/{kind}", reason=f"it has no list of {kind}")
        uris = dict.fromkeys(str(each["ref"]) for each in listed if isinstance(each, Mapping) and "ref" in each)
        return [Found(uri, self.get(uri)) for uri in uris]

    @staticmethod
    def _only(found: Sequence[Found], what: str, id: str, near: str) -> Found:
        if not found:
            raise NotInCatalogue(what=what, id=id, near=f" Near it: {near}." if near else "")
        if len(found) > 1:
            raise AmbiguousInCatalogue(what=what, id=id, uris=", ".join(each.uri for each in found))
        return found[0]

    def _call(
        self, method: str, path: str, query: Sequence[tuple[str, str]] = (), *, body: object = None, once: bool = False
    ) -> Any:
        with self._lock:
            token = self._token or self._sign_in()
        answer = self._ask(method, path, query, body, token, once=once)
        if answer.status == _SESSION_OVER:
            with self._lock:
                # Another thread may have signed in meanwhile.
                token = self._token if self._token != token else self._sign_in()
            answer = self._ask(method, path, query, body, token, once=once)
        return self._result(answer, path)

    def _ask(
        self, method: str, path: str, query: Sequence[tuple[str, str]], body: Any, token: str, *, once: bool
    ) -> Answer:
        url = f"{self.url}{path}" + (f"?{urlencode(query)}" if query else "")
        headers = {"Accept": "application/json", _HEADER: token}
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        return self._send(method, path, url, headers, data, once=once)

    def _send(
        self, method: str, where: str, url: str, headers: Mapping[str, str], data: bytes | None, *, once: bool = False
    ) -> Answer:
        """One call. That ArchivesSpace is away, or answers with its own failure, is waited for by whoever asks."""
        try:
            return Answer.of(
                self._session.send(self._account, method, url, headers, data, once=once), "ArchivesSpace", _LIMIT
            )
        except (HostUnknown, ServiceUnreachable, ServiceFailed, RateLimited) as error:
            raise CatalogueUnreachable(url=self.url, where=where, reason=error.message.rstrip(".")) from error
        except OSError as error:
            raise CatalogueUnreachable(url=self.url, where=where, reason=f"it was cut: {error}") from error

    def _sign_in(self) -> str:
        url = f"{self.url}/users/{quote(self._user, safe='')}/login"
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        answer = self._send("POST", "login", url, headers, urlencode({"password": self._password}).encode())
        if answer.status in {401, _FORBIDDEN, _MISSING}:
            raise CatalogueRefusedUser(user=self._user, what="sign in", reason="user or password are not right")
        token = self._result(answer, "login").get("session")
        if not isinstance(token, str) or not token:
            raise CatalogueAnswerUnusable(where="login", reason="it gives no session")
        self._token = token
        return token

    def _result(self, answer: Answer, where: str) -> Any:
        if answer.status == _FORBIDDEN:
            raise CatalogueRefusedUser(user=self._user, what=f"use {where}", reason=self._told(answer))
        if answer.status == _MISSING:
            raise NotInCatalogue(what="record", id=where, near="")
        if answer.status == _STALE:
            reason = self._told(answer)
            if _STALE_WORDS in reason:
                raise _Stale
            raise CatalogueRefused(where=where, reason=reason)
        if answer.status == _INVALID:
            raise CatalogueRefused(where=where, reason=self._told(answer))
        if answer.status >= _FAILED:
            raise CatalogueUnreachable(url=self.url, where=where, reason=f"status {answer.status}")
        if answer.status >= _INVALID:
            raise CatalogueAnswerUnusable(where=where, reason=f"status {answer.status}")
        return answer.json()

    def _told(self, answer: Answer) -> str:
        """What an error says: a text, a list, or texts by field; never what it was sent."""
        try:
            error = json.loads(answer.body).get("error", "it gave no reason")
        except (ValueError, AttributeError):
            return f"status {answer.status}"
        if isinstance(error, Mapping):
            error = "; ".join(f"{name}: {', '.join(map(str, _listed(texts)))}" for name, texts in error.items())
        elif isinstance(error, list):
            error = "; ".join(map(str, error))
        return self._account.redact(" ".join(str(error).split())[:_SHOWN])


class _Stale(Exception):
    """Somebody else saved the record since it was read."""


def _listed(texts: object) -> list[object]:
    return texts if isinstance(texts, list) else [texts]


def _lost(sent: Any, found: Any, path: str = "") -> set[str]:
    """The fields that were sent and are not there; what the server sets itself, and what is empty, does not count."""
    if isinstance(sent, Mapping):
        lost: set[str] = set()
        for name, value in sent.items():
            here = f"{path}.{name}" if path else str(name)
            if name in _SET_BY_SERVER or name.startswith("_") or value in (None, "", [], {}):
                continue
            if not isinstance(found, Mapping) or name not in found:
                lost.add(here)
            else:
                lost |= _lost(value, found[name], here)
        return lost
    if isinstance(sent, list):
        if not isinstance(found, list) or len(found) != len(sent):
            return {path}
        return {name for at, each in enumerate(sent) for name in _lost(each, found[at], f"{path}/{at}")}
    return set() if str(sent) == str(found) else {path}
