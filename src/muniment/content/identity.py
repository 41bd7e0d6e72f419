"""Ids: of resources and projects, of instances, and the URI that stands for a resource in OCFL."""

from __future__ import annotations

import getpass
import os
import re
import secrets
import time
import unicodedata
from dataclasses import dataclass
from urllib.parse import quote, unquote

from muniment.errors.content import BadId, BadProject

LONGEST_ID = 1024
"""Bytes of UTF-8 an id may have."""

_LABEL = r"[A-Za-z0-9_-]{1,64}"
_PROJECT = re.compile(rf"{_LABEL}/{_LABEL}\Z")
_SCHEME = "muniment:"


def new_uuid() -> str:
    """A UUID version 7 (RFC 9562 §5.7): random, and sorted by the millisecond it was made in."""
    stamp = time.time_ns() // 1_000_000
    number = (stamp << 80) | (7 << 76) | (secrets.randbits(12) << 64) | (0b10 << 62) | secrets.randbits(62)
    text = f"{number:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def check_id(text: object) -> str:
    """Accept a resource id as it is, an IRI or a path-like id included.

    Raises:
        BadId: It is empty, too long, not text, or holds control characters or line separators.
    """
    if not isinstance(text, str):
        raise BadId(id=text, reason="it is not text")
    if not text:
        raise BadId(id=text, reason="it is empty")
    try:
        length = len(text.encode("utf-8"))
    except UnicodeEncodeError:
        raise BadId(id=text[:LONGEST_ID], reason="it is not valid Unicode") from None
    if length > LONGEST_ID:
        raise BadId(id=text[:40] + "…", reason=f"it has {length} bytes")
    # Line separators end a line of `bag-info.txt` for some readers of bags.
    if any(unicodedata.category(character) in {"Cc", "Zl", "Zp"} for character in text):
        raise BadId(id=text, reason="it holds a control character or a line separator")
    return text


def check_project(text: object) -> str:
    """Accept `organisation/project`.

    Raises:
        BadProject: It is not two labels with one '/' between them.
    """
    if not isinstance(text, str) or not _PROJECT.match(text):
        raise BadProject(project=text)
    return text


def to_uri(project: str, resource: str) -> str:
    """The OCFL object id of a resource: a URI (OCFL 1.1 §3.5.1, W005) made from project and id."""
    return f"{_SCHEME}{project}/{quote(resource, safe='')}"


def from_uri(uri: str) -> tuple[str, str] | None:
    """Project and id of an OCFL object id of ours, or None where it is somebody else's."""
    if not uri.startswith(_SCHEME):
        return None
    project, _, name = uri[len(_SCHEME) :].rpartition("/")
    resource = unquote(name)
    if not _PROJECT.match(project) or to_uri(project, resource) != uri:
        return None
    return project, resource


def _on_one_line(text: str) -> str:
    """A name that somebody else gave, with what is no part of one line of text replaced."""
    plain = text.encode("utf-8", "replace").decode("utf-8")
    line = "".join("?" if unicodedata.category(each) in {"Cc", "Zl", "Zp"} else each for each in plain)
    return line[:1000] if line.strip() else "unknown"


@dataclass(frozen=True, slots=True)
class Agent:
    """Who acts: a name, and an address that is a URI (OCFL 1.1 §3.5.3.1, W008 and W009)."""

    name: str
    address: str

    def __str__(self) -> str:
        """As the log names an agent."""
        return f"{self.name} <{self.address}>"

    @classmethod
    def stated(cls, name: str, address: str) -> Agent:
        """Who acts by the word of a key, a token or a proxy, with what no agent can be called by replaced."""
        return cls(_on_one_line(name), quote(address.encode("utf-8", "replace"), safe="%:/?#[]@!$&'()*+,;=~")[:1000])

    @classmethod
    def of_this_process(cls) -> Agent:
        """The system's user on this host, where nobody more exact is known."""
        try:
            name = getpass.getuser()
        except (KeyError, OSError):
            name = f"uid-{os.getuid()}"
        name = _on_one_line(name)
        return cls(name, f"mailto:{quote(name)}@{os.uname().nodename or 'localhost'}")
