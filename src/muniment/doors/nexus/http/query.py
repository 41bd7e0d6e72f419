"""Parameters of queries: what nothing here reads is refused, for the answer would be to another question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from muniment.doors.nexus.http.call import Call
from muniment.errors.nexus import QueryRefused

_ALWAYS = frozenset({"indexing"})
"""Delta's `sync` or `async`, which its clients send with every change: here all is indexed when the answer comes."""
SEVERAL = frozenset({"type", "sort"})
"""What may be given more than once. Of anything else it could not be said which one is meant."""
_LIST = frozenset({"from", "size", "after", "deprecated"})
_FOUND = _LIST | {"type", "createdBy", "updatedBy", "created_by", "updated_by", "id", "schema", "rev", "sort"}
"""`created_by` and `updated_by` are how the Python SDK writes the two, which Delta passes over."""
_FORM = frozenset({"format"})
_VERSION = frozenset({"rev", "tag", "format"})
_CHANGE = frozenset({"rev", "format"})
_MADE = frozenset({"rev", "tag", "format"})
_DOWNLOAD = frozenset({"ignoreNotFound", "format", "manifest"})
_LONGEST_SHOWN = 40

_KNOWN: Mapping[str, Mapping[str, frozenset[str]]] = {
    "acls": {"GET": frozenset({"self", "ancestors", "rev"})},
    "archives": {"GET": _DOWNLOAD, "POST": _DOWNLOAD},
    "files": {"GET": _VERSION, "POST": _MADE | {"storage"}, "PUT": _MADE | {"storage"}},
    "identities": {"GET": _FORM},
    "orgs": {"GET": _CHANGE | _LIST},
    "permissions": {"GET": _FORM},
    "projects": {"GET": _CHANGE | _LIST},
    "realms": {"GET": _FORM},
    "resolvers": {"GET": _VERSION},
    "resources": {"GET": _VERSION, "POST": _MADE, "PUT": _MADE},
    "version": {"GET": frozenset()},
}
_LINKS = frozenset({"incoming", "outgoing"})
_LINKED = frozenset({"from", "size", "includeExternalLinks", "rev", "tag"})
_LISTS: Mapping[str, int] = {"resources": 4, "files": 3}
"""Parts of the longest address that lists: `resources/org/project/schema`, `files/org/project`."""


def refuse_unknown(call: Call) -> None:
    """Refuse a parameter that is not read at this address, or comes twice where one is meant.

    Raises:
        QueryRefused: There is one; the error names those that are known.
    """
    known = known_parameters(call.method, call.parts)
    for name, values in call.parameters.items():
        if name not in known:
            named = ", ".join(f"'{each}'" for each in sorted(known))
            raise QueryRefused(name=name[:_LONGEST_SHOWN], reason=f"it is not known here; known are {named}")
        if len(values) > 1 and name not in SEVERAL:
            raise QueryRefused(name=name, reason="it is given more than once")


def known_parameters(method: str, parts: Sequence[str]) -> frozenset[str]:
    """What is read in the query of an address, given as its parts."""
    return _known("GET" if method == "HEAD" else method, parts) | _ALWAYS


def _known(method: str, parts: Sequence[str]) -> frozenset[str]:
    root = parts[0]
    if method == "GET" and len(parts) <= _LISTS.get(root, 0):
        return _FOUND
    if parts[-1] in _LINKS and method == "GET":
        return _LINKED
    if parts[-1] in {"tags", "undeprecate"} and method != "GET":
        return _CHANGE
    known = _KNOWN.get(root, {}).get(method, _CHANGE)
    return known | {"annotate"} if parts[-1] == "source" else known
