"""Calls: one request to the API, as the routes see it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote

from muniment.content.jsonld import parse_json
from muniment.doors.nexus.changes import Actor
from muniment.doors.nexus.delivery import READ
from muniment.doors.nexus.http.negotiation import JSON, JSON_LD, Accept
from muniment.doors.nexus.nexus import Nexus
from muniment.doors.nexus.projects import Project
from muniment.errors.access import Forbidden
from muniment.errors.nexus import AddressUnknown, BodyExpected, ContentTypeUnsupported, QueryRefused
from muniment.http.authorization import AuthorizedRequest
from muniment.http.throttling import agent_of

LABEL = re.compile(r"[a-zA-Z0-9_-]{1,64}")
FORM = "multipart/form-data"
_MOST_PARAMETERS = 100
_LONGEST_REV = 18
_LONGEST_TAG = 64


@dataclass(slots=True)
class Call:
    """One request: who, what, and the parts of its address after `/v1`, percent-encoded as they came."""

    nexus: Nexus
    access: AuthorizedRequest
    method: str
    parts: Sequence[str]
    headers: Mapping[str, str]
    parameters: Mapping[str, Sequence[str]]
    """The query: each name with all its values."""
    body: bytes = b""
    pieces: Callable[[], Iterator[bytes]] = field(default=lambda: iter(()))
    """The body of a form, piece by piece."""

    @property
    def query(self) -> Mapping[str, str]:
        """The query where each parameter has one value; those that may have several are in `parameters`."""
        return {name: values[-1] for name, values in self.parameters.items()}

    @property
    def actor(self) -> Actor:
        """Who makes changes."""
        caller = self.access.caller
        identity = str(caller.user) if caller.user is not None else "anonymous"
        return Actor(identity, agent_of(caller), self.may_read)

    @property
    def is_form(self) -> bool:
        """Whether the body is a form, which is read piece by piece."""
        return self.headers.get("content-type", "").lower().startswith(FORM)

    @property
    def accept(self) -> Accept:
        """What the client takes."""
        return Accept.parse(self.headers.get("accept"))

    @property
    def project_name(self) -> str:
        """The project the address names in its second and third part.

        Raises:
            AddressUnknown: They cannot be the labels of one.
        """
        return f"{label(self.parts[1])}/{label(self.parts[2])}"

    def may(self, permission: str, place: str | None) -> bool:
        """Whether the caller has a right on `org/project`, on `org`, or for None on everything."""
        return self.access.may(permission, place)

    def may_read(self, project: str) -> bool:
        """Whether the caller may read the resources of a project."""
        return self.may(READ, project)

    def require(self, permission: str, place: str | None) -> None:
        """Refuse what the caller has no right to; Nexus says 403 to everybody, known or not.

        Raises:
            Forbidden: They have not.
        """
        if not self.may(permission, place):
            refusal = Forbidden()
            self.access.authorizer.refused(refusal, self.access.caller.agent, permission, place)
            raise refusal

    def project(self, permission: str) -> Project:
        """The project of the address, after the right to it.

        Raises:
            Forbidden: The caller has no right; said first, so that it does not depend on what there is.
            ProjectNotFound: There is none.
        """
        name = self.project_name
        self.require(permission, name)
        return self.nexus.projects.project(name)

    def writable(self, permission: str) -> Project:
        """The same, of a project that takes new things.

        Raises:
            Forbidden, ProjectNotFound, ProjectIsDeprecated, OrganizationIsDeprecated: It may not be.
        """
        name = self.project_name
        self.require(permission, name)
        return self.nexus.projects.writable(name)

    def json(self, *, empty: bool = False) -> object:
        """The body as JSON; with `empty` None where there is no body.

        Raises:
            BodyExpected, ContentTypeUnsupported, NotJson: There is none that can be read.
        """
        if not self.body and empty:
            return None
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in {JSON, JSON_LD}:
            raise ContentTypeUnsupported(expected=f"{JSON}, {JSON_LD}")
        if not self.body:
            raise BodyExpected
        return parse_json(self.body)

    def rev(self, *, needed: bool = False) -> int | None:
        """The query's revision.

        Raises:
            QueryRefused: It is no number, or missing where it is needed.
        """
        text = self.query.get("rev")
        if text is None:
            if needed:
                raise QueryRefused(name="rev", reason="it is missing")
            return None
        if not text.isdecimal() or len(text) > _LONGEST_REV:
            raise QueryRefused(name="rev", reason=f"'{text[:40]}' is not a revision")
        return int(text)

    def version(self) -> tuple[int | None, str | None]:
        """The query's revision or tag, of which there may be one.

        Raises:
            QueryRefused: There are both, or the revision is no number.
        """
        tag = self.query.get("tag")
        rev = self.rev()
        if rev is not None and tag is not None:
            raise QueryRefused(name="tag", reason="'rev' and 'tag' cannot be used at once")
        return rev, tag

    def flag(self, name: str) -> bool:
        """A yes or no of the query, no by default.

        Raises:
            QueryRefused: It is neither.
        """
        text = self.query.get(name, "false").lower()
        if text not in {"true", "false"}:
            raise QueryRefused(name=name, reason=f"'{text[:40]}' is neither 'true' nor 'false'")
        return text == "true"

    def choice(self, name: str) -> bool | None:
        """A yes or no of the query, None where it is not asked.

        Raises:
            QueryRefused: It is neither.
        """
        return self.flag(name) if name in self.query else None

    def tag(self) -> str | None:
        """The query's tag, for a revision that is made.

        Raises:
            QueryRefused: It cannot be a tag.
        """
        tag = self.query.get("tag")
        if tag is not None and not is_tag(tag):
            raise QueryRefused(name="tag", reason="it is not 1 to 64 printable ASCII characters")
        return tag

    def number(self, name: str, default: int, most: int) -> int:
        """A whole number of the query.

        Raises:
            QueryRefused: It is none from 0 to `most`.
        """
        text = self.query.get(name, str(default))
        if not text.isdecimal() or len(text) > _LONGEST_REV or int(text) > most:
            raise QueryRefused(name=name, reason=f"'{text[:40]}' is not a number from 0 to {most}")
        return int(text)


def is_tag(text: object) -> bool:
    """Whether this can be a tag: 1 to 64 printable ASCII characters."""
    return isinstance(text, str) and 1 <= len(text) <= _LONGEST_TAG and text.isascii() and text.isprintable()


def label(part: str) -> str:
    """A part of an address as a label.

    Raises:
        AddressUnknown: It cannot be one.
    """
    text = unquote(part)
    if not LABEL.fullmatch(text):
        raise AddressUnknown
    return text


def query_of(raw: bytes) -> dict[str, list[str]]:
    """The parameters of a query, each with its values.

    Raises:
        QueryRefused: There are too many.
    """
    try:
        pairs = parse_qsl(raw.decode("latin-1"), keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
    except ValueError as error:
        raise QueryRefused(name="", reason="there are too many") from error
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found
