"""A store from its address: the scheme says which module knows the rest.

A new kind is a module and its line here, or a package of its own: it brings a store by an entry point of the group
`muniment.stores`, whose name is the scheme and whose object is its `open_at`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from urllib.parse import parse_qsl, unquote, urlsplit

from muniment.content.entry_points import broken, brought, load, names
from muniment.content.extras import need
from muniment.errors.stores import BadStore
from muniment.stores.protocol import Store

MODULES: Mapping[str, str] = {
    "file": "muniment.stores.folder",
    "ltfs": "muniment.stores.ltfs",
    "rclone": "muniment.stores.rclone",
    "s3": "muniment.stores.s3",
}
"""Scheme to module; each module has `open_at(address, means)`. Imported when first asked for."""
GROUP = "muniment.stores"
"""The group of entry points by which other packages bring stores."""


@dataclass(frozen=True, slots=True)
class Address:
    """An address taken apart. `fields` are what follows the question mark."""

    text: str
    host: str
    path: str
    user: str = ""
    port: int | None = None
    fields: Mapping[str, str] = field(default_factory=dict)

    def only(self, *names: str) -> Mapping[str, str]:
        """The fields, when there are none but these.

        Raises:
            BadStore: There are others.
        """
        if other := set(self.fields) - set(names):
            known = ", ".join(sorted(names)) or "none"
            raise BadStore(store=self.text, reason=f"it has fields ({', '.join(sorted(other))}) beside {known}")
        return self.fields


@dataclass(frozen=True, slots=True)
class StoreContext:
    """What a store is given beside its address.

    `keys` are its credentials by name; `records` is a folder in which a store keeps what it must remember (which
    tape holds what); `scratch` a folder for what is on its way. `commands` are what a store may run, by name and as
    words: `mount` and `unmount` of a tape. Without `make`, a folder that is not there is an error.
    """

    keys: Mapping[str, str] = field(default_factory=dict)
    records: Path | None = None
    scratch: Path | None = None
    make: bool = True
    commands: Mapping[str, Sequence[str]] = field(default_factory=dict)


def parse_address(text: str) -> tuple[str, Address]:
    """The scheme of an address and the rest of it; what has no scheme is a folder's path.

    Raises:
        BadStore: It is none, or a credential stands in it.
    """
    scheme, mark, _ = text.partition("://")
    if not mark:
        return "file", Address(text, "", text)
    if scheme not in MODULES and scheme not in brought(GROUP):
        known = ", ".join(f"{name}://" for name in sorted([*MODULES, *names(GROUP, MODULES)]))
        raise BadStore(store=f"{scheme}://…", reason=f"it is neither a folder nor one of {known}")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise BadStore(store=f"{scheme}://…", reason=str(error)) from error
    if parts.password is not None or (scheme == "s3" and parts.username):
        raise BadStore(store=f"{scheme}://{parts.hostname}", reason="keys do not belong into the address")
    fields = dict(parse_qsl(parts.query, keep_blank_values=True))
    host = parts.netloc.rpartition("@")[2].partition(":")[0]  # `hostname` would make it small letters
    return scheme, Address(text, host, unquote(parts.path), parts.username or "", port, fields)


def open_store(
    address: str | Path,
    *,
    keys: Mapping[str, str] | None = None,
    records: Path | None = None,
    scratch: Path | None = None,
    make: bool = True,
    commands: Mapping[str, Sequence[str]] | None = None,
) -> Store:
    """The store at `address`; with `make`, a folder is made when it is not there.

    `keys` are its credentials, for S3 `access_key` and `secret_key`; without them boto3 finds its own (environment,
    profile, machine role). They never stand in the address. `records`, `scratch`, `commands` are as in `StoreContext`.

    Raises:
        BadStore: The address is none, or the store cannot be used.
        StoreUnreachable: The folder is not there, and was not to be made.
        ExtensionBroken: Another package brings such stores, and it cannot be used.
    """
    scheme, parsed = parse_address(str(address))
    if scheme == "s3":
        need("s3", "A store at S3")
    context = StoreContext(keys or {}, records, scratch, make, commands or {})
    if scheme not in MODULES:
        return _from_package(scheme, parsed, context)
    store: Store = importlib.import_module(MODULES[scheme]).open_at(parsed, context)
    return store


def _from_package(scheme: str, address: Address, context: StoreContext) -> Store:
    entry = brought(GROUP)[scheme]
    open_at = load(entry, "store")
    if not callable(open_at):
        raise broken(entry, "store", f"{entry.value} cannot be called with an address and a context")
    store = cast("Callable[[Address, StoreContext], object]", open_at)(address, context)
    if not isinstance(store, Store):
        raise broken(entry, "store", f"{entry.value} gave {type(store).__name__}, and no muniment.stores.Store")
    return store
