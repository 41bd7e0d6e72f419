"""Where copies go: a store takes a key and bytes once, never overwrites, and proves by reading back.

`open_store` makes one from an address: a folder's path, `s3://bucket/prefix`, `ltfs:///mnt/tape`, `rclone://remote/path`.
"""

from __future__ import annotations

from muniment.stores.opening import open_store, parse_address
from muniment.stores.protocol import (
    Capabilities,
    Capacity,
    Lock,
    PutOptions,
    Receipt,
    Stat,
    Store,
    Tape,
    check_key,
    put_bytes,
    read_bytes,
)

__all__ = [
    "Capabilities",
    "Capacity",
    "Lock",
    "PutOptions",
    "Receipt",
    "Stat",
    "Store",
    "Tape",
    "check_key",
    "open_store",
    "parse_address",
    "put_bytes",
    "read_bytes",
]
