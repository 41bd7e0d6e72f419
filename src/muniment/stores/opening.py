"""A store from its address: a folder's path, or `s3://bucket/prefix?endpoint=…&region=…`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from muniment.errors.stores import BadStore
from muniment.stores.protocol import Store

_FIELDS = frozenset({"endpoint", "region", "profile"})


def open_store(address: str | Path, *, keys: Mapping[str, str] | None = None) -> Store:
    """The store at `address`; a folder is made when it is not there.

    `keys` are `access_key` and `secret_key` for S3; without them boto3 finds its own (environment, profile,
    machine role). They never stand in the address.

    Raises:
        BadStore: The address is none, or the folder cannot be made.
    """
    text = str(address)
    scheme, _, _ = text.partition("://")
    if "://" not in text:
        from muniment.stores.folder import FolderStore  # noqa: PLC0415 - each store loads what it needs alone

        return FolderStore(Path(text))
    if scheme != "s3":
        raise BadStore(store=text, reason="it is neither a folder nor an s3:// address")
    parts = urlsplit(text)
    fields = dict(parse_qsl(parts.query))
    if parts.username or parts.password:
        raise BadStore(store=f"s3://{parts.hostname}", reason="keys do not belong into the address")
    if not parts.netloc or set(fields) - _FIELDS:
        raise BadStore(store=text, reason=f"it names no bucket, or fields beside {', '.join(sorted(_FIELDS))}")
    from muniment.stores.s3 import S3Store  # noqa: PLC0415 - boto3 takes a third of a second to load

    return S3Store(
        parts.netloc,
        unquote(parts.path.strip("/")),
        keys=keys or {},
        endpoint=fields.get("endpoint"),
        region=fields.get("region"),
        profile=fields.get("profile"),
    )
