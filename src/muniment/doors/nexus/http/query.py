"""Parameters of queries: what nothing here reads is refused, for the answer would be to another question."""

from __future__ import annotations

from collections.abc import Mapping

from muniment.doors.nexus.http.call import Call
from muniment.errors.nexus import QueryRefused

_ALWAYS = frozenset({"indexing"})
"""Delta's `sync` or `async`, which its clients send with every change: here all is indexed when the answer comes."""
_LIST = frozenset({"from", "size", "after"})
_FORM = frozenset({"format"})
_VERSION = frozenset({"rev", "tag", "format"})
_CHANGE = frozenset({"rev", "format"})
_LONGEST_SHOWN = 40
_LONGEST_LIST = 4
"""Parts of the longest address that lists resources: `resources/org/project/schema`."""

_KNOWN: Mapping[str, Mapping[str, frozenset[str]]] = {
    "acls": {"GET": frozenset({"self", "ancestors", "rev"})},
    "archives": {"GET": frozenset({"ignoreNotFound", "format"}), "POST": frozenset({"ignoreNotFound", "format"})},
    "files": {
        "GET": _VERSION,
        "POST": frozenset({"rev", "storage", "format"}),
        "PUT": frozenset({"rev", "storage", "format"}),
    },
    "identities": {"GET": _FORM},
    "orgs": {"GET": _CHANGE | _LIST},
    "permissions": {"GET": _FORM},
    "projects": {"GET": _CHANGE | _LIST},
    "realms": {"GET": _FORM},
    "resources": {"GET": _VERSION},
    "version": {"GET": frozenset()},
}


def refuse_unknown(call: Call) -> None:
    """Refuse a parameter that is not read at this address.

    Raises:
        QueryRefused: There is one; the error names those that are.
    """
    root = call.parts[0]
    listing = root == "resources" and call.method in {"GET", "HEAD"} and len(call.parts) <= _LONGEST_LIST
    method = "GET" if call.method == "HEAD" else call.method
    known = _LIST if listing else _KNOWN.get(root, {}).get(method, _CHANGE)
    for name in call.query:
        if name not in known | _ALWAYS:
            named = ", ".join(f"'{each}'" for each in sorted(known | _ALWAYS))
            raise QueryRefused(name=name[:_LONGEST_SHOWN], reason=f"it is not known here; known are {named}")
