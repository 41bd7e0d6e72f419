"""Who somebody is and what they may do: one authority for every door, decided by keys, realms and rules.

The words (`Caller`, `Identity`, `PERMISSIONS`, ...) are light; `Authority` and `AccessStore` are loaded on first
use, so that the command line starts without a database library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from muniment.access.identities import ANONYMOUS, NOBODY, Caller, Identity, Kind
from muniment.access.permissions import ADMIN, EVERY_PERMISSION, PERMISSIONS, Acl, Scope, address_of, check_address
from muniment.access.proxy import TrustedProxy

if TYPE_CHECKING:
    from muniment.access.authority import Authority
    from muniment.access.keys import Key, NewKey
    from muniment.access.realms import Realm, RealmRecord
    from muniment.access.rules import AclRevision
    from muniment.access.store import AccessStore

_LATE = {
    "AccessStore": "muniment.access.store",
    "AclRevision": "muniment.access.rules",
    "Authority": "muniment.access.authority",
    "Key": "muniment.access.keys",
    "NewKey": "muniment.access.keys",
    "Realm": "muniment.access.realms",
    "RealmRecord": "muniment.access.realms",
}

__all__ = [
    "ADMIN",
    "ANONYMOUS",
    "EVERY_PERMISSION",
    "NOBODY",
    "PERMISSIONS",
    "AccessStore",
    "Acl",
    "AclRevision",
    "Authority",
    "Caller",
    "Identity",
    "Key",
    "Kind",
    "NewKey",
    "Realm",
    "RealmRecord",
    "Scope",
    "TrustedProxy",
    "address_of",
    "check_address",
]


def __getattr__(name: str) -> object:
    """Load what needs a database library on first use."""
    if name in _LATE:
        import importlib  # noqa: PLC0415 - only for what is late

        return getattr(importlib.import_module(_LATE[name]), name)
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
