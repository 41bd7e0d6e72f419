"""Where copies go: a store takes a key and bytes once, never overwrites, and proves by reading back.

`open_store` makes one from an address: a folder's path, `s3://bucket/prefix`, `ltfs:///mnt/tape`, `rclone://remote/path`,
or one of a scheme that another package brings (`muniment.stores.opening.GROUP`).
"""

from __future__ import annotations

from muniment.stores.opening import Address, StoreContext, open_store, parse_address
from muniment.stores.protocol import (
    Capabilities,
    Capacity,
    Lock,
    Open,
    PutOptions,
    Receipt,
    Sent,
    Stat,
    Store,
    Tape,
    check_key,
    put_bytes,
    read_bytes,
)

__all__ = [
    "Address",
    "Capabilities",
    "Capacity",
    "Lock",
    "Open",
    "PutOptions",
    "Receipt",
    "Sent",
    "Stat",
    "Store",
    "StoreContext",
    "Tape",
    "check_key",
    "open_store",
    "parse_address",
    "put_bytes",
    "read_bytes",
]
