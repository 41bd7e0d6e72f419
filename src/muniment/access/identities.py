"""Identities: the four ways in which rules name people and programs, and the caller who has some of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import quote

from muniment.errors.access import BadIdentity

if TYPE_CHECKING:
    from muniment.access.permissions import Scope

KEYS_REALM = "keys"
PROXY_REALM = "proxy"
_LABEL = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_LONGEST_NAME = 512


class Kind(StrEnum):
    """What an identity names."""

    ANONYMOUS = "anonymous"  # everybody, known or not
    AUTHENTICATED = "authenticated"  # everybody a realm vouches for
    USER = "user"
    GROUP = "group"


@dataclass(frozen=True, slots=True, order=True)
class Identity:
    """Somebody a rule can name. Two are the same when kind, realm and name are, letter by letter."""

    kind: Kind
    realm: str = ""
    name: str = ""

    @classmethod
    def user(cls, realm: str, subject: str) -> Identity:
        """One person or program, as the realm calls it."""
        return cls(Kind.USER, realm, subject)

    @classmethod
    def group(cls, realm: str, name: str) -> Identity:
        """All whom the realm puts into this group."""
        return cls(Kind.GROUP, realm, name)

    @classmethod
    def authenticated(cls, realm: str) -> Identity:
        """All whom the realm knows."""
        return cls(Kind.AUTHENTICATED, realm)

    @classmethod
    def parse(cls, text: str) -> Identity:
        """Read what `str` writes: `anonymous`, `R/authenticated`, `R/users/NAME`, `R/groups/NAME`.

        Raises:
            BadIdentity: The text has none of these forms.
        """
        if text == Kind.ANONYMOUS:
            return ANONYMOUS
        realm, _, rest = text.partition("/")
        if not _LABEL.match(realm):
            raise BadIdentity(text=text, reason="it does not begin with the label of a realm")
        if rest == "authenticated":
            return cls.authenticated(realm)
        what, _, name = rest.partition("/")
        if what not in {"users", "groups"} or not name:
            raise BadIdentity(text=text, reason="after the realm it names neither a user nor a group")
        return check_name(cls(Kind.USER if what == "users" else Kind.GROUP, realm, name))

    @classmethod
    def from_json(cls, value: object) -> Identity:
        """Read an identity of the Nexus interface: `{realm, subject}`, `{realm, group}`, `{realm}` or Anonymous.

        Raises:
            BadIdentity: It is none of these.
        """
        if not isinstance(value, dict):
            raise BadIdentity(text=_shown(value), reason="it is no JSON object")
        realm, subject, group = value.get("realm"), value.get("subject"), value.get("group")
        if value.get("@type") == "Anonymous" or realm is subject is group is None:
            if realm is subject is group is None and value.get("@type") in {None, "Anonymous"}:
                return ANONYMOUS
            raise BadIdentity(text=_shown(value), reason="its parts contradict each other")
        if not isinstance(realm, str) or not _LABEL.match(realm):
            raise BadIdentity(text=_shown(value), reason="'realm' is no label")
        if subject is not None and group is not None:
            raise BadIdentity(text=_shown(value), reason="it has both 'subject' and 'group'")
        if subject is group is None:
            return cls.authenticated(realm)
        name = subject if group is None else group
        if not isinstance(name, str):
            raise BadIdentity(text=_shown(value), reason="'subject' and 'group' are text")
        return check_name(cls(Kind.USER if group is None else Kind.GROUP, realm, name))

    def as_json(self) -> dict[str, str]:
        """The identity as the Nexus interface writes it; the door adds `@id` from `path`."""
        match self.kind:
            case Kind.USER:
                return {"@type": "User", "realm": self.realm, "subject": self.name}
            case Kind.GROUP:
                return {"@type": "Group", "realm": self.realm, "group": self.name}
            case Kind.AUTHENTICATED:
                return {"@type": "Authenticated", "realm": self.realm}
            case _:
                return {"@type": "Anonymous"}

    @property
    def path(self) -> str:
        """What follows the base address in the identity's IRI, percent-encoded: `realms/keys/users/alice`."""
        match self.kind:
            case Kind.USER:
                return f"realms/{self.realm}/users/{quote(self.name, safe='')}"
            case Kind.GROUP:
                return f"realms/{self.realm}/groups/{quote(self.name, safe='')}"
            case Kind.AUTHENTICATED:
                return f"realms/{self.realm}/authenticated"
            case _:
                return "anonymous"

    def __str__(self) -> str:
        """As the command line takes it."""
        match self.kind:
            case Kind.USER:
                return f"{self.realm}/users/{self.name}"
            case Kind.GROUP:
                return f"{self.realm}/groups/{self.name}"
            case Kind.AUTHENTICATED:
                return f"{self.realm}/authenticated"
            case _:
                return "anonymous"


ANONYMOUS = Identity(Kind.ANONYMOUS)


def check_name(identity: Identity) -> Identity:
    """Accept an identity whose name can be shown and stored.

    Raises:
        BadIdentity: The name is empty, too long, or holds what cannot be printed.
    """
    name = identity.name
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise BadIdentity(text=str(identity)[:100], reason="its name is empty, too long or cannot be printed")
    return identity


def is_label(text: str) -> bool:
    """Whether a realm, an organisation or a project can be called so."""
    return _LABEL.match(text) is not None


def _shown(value: object) -> str:
    return repr(value)[:100]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request: the identities whose rights count, and how the log names them. It holds no secret."""

    identities: frozenset[Identity]
    """Always with `anonymous`; for who is known also with the realm's `authenticated`, the user, the groups."""
    user: Identity | None = None
    display_name: str = ""
    email: str = ""
    scheme: str = ""
    """How it was shown: `key`, `token` or `proxy`; empty for anonymous."""
    scope: Scope | None = None
    """What the key that was shown may be used for at most."""
    _hash: int = field(init=False, repr=False, compare=False, default=0)

    def __post_init__(self) -> None:
        """Remember the hash: a caller is looked up with each request."""
        object.__setattr__(self, "_hash", hash((self.identities, self.user, self.scope)))

    def __hash__(self) -> int:
        """The hash of what rights depend on."""
        return self._hash

    @property
    def anonymous(self) -> bool:
        """Whether nobody knows who this is."""
        return self.user is None

    @property
    def realm(self) -> str:
        """The realm that vouches for the caller; empty for anonymous."""
        return self.user.realm if self.user else ""

    @property
    def subject(self) -> str:
        """What the realm calls the caller; empty for anonymous."""
        return self.user.name if self.user else ""

    @property
    def agent_name(self) -> str:
        """Who acts, as the log and every instance record it."""
        return self.display_name or self.subject or "anonymous"

    @property
    def agent_address(self) -> str:
        """The agent's address as a URI (OCFL 1.1 W009): a mail address where one is known, else a URN of ours."""
        if self.email:
            return f"mailto:{quote(self.email, safe='@')}"
        return "urn:muniment:" + (self.user or ANONYMOUS).path.replace("/", ":")

    @property
    def agent(self) -> str:
        """Name and identity in one line, for logs."""
        if self.user is None:
            return "anonymous"
        who = str(self.user)
        return f"{self.display_name} ({who})" if self.display_name and self.display_name != self.subject else who

    @classmethod
    def known(
        cls,
        user: Identity,
        *,
        groups: tuple[str, ...] = (),
        display_name: str = "",
        email: str = "",
        scheme: str = "",
        scope: Scope | None = None,
    ) -> Caller:
        """The caller for a user and the groups of the user's realm."""
        realm = user.realm
        rest = (Identity.group(realm, name) for name in groups)
        identities = frozenset((ANONYMOUS, Identity.authenticated(realm), user, *rest))
        return cls(identities, user, display_name, email, scheme, scope)


NOBODY = Caller(frozenset((ANONYMOUS,)))
"""The caller of a request that shows nothing."""
