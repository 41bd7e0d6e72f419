"""Where copies go: a store takes a key and bytes once, never overwrites, and proves by reading back.

`open_store` makes one from an address: a folder's path, or `s3://bucket/prefix`.
"""

from __future__ import annotations

from muniment.stores.opening import open_store
from muniment.stores.protocol import Capabilities, Receipt, Stat, Store, check_key, put_bytes, read_bytes

__all__ = [
    "Capabilities",
    "Receipt",
    "Stat",
    "Store",
    "check_key",
    "open_store",
    "put_bytes",
    "read_bytes",
]
