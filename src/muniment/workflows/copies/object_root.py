"""The records in the root of an object in a store: the newest inventory there, which no record of a copy can name.

They change with each instance that is copied. What is asked of them is what OCFL asks (1.1 §3.5.3, E064): the inventory
in the root is, byte for byte, that of the version it names as the newest; and its sidecar has its digest. Where a store
changes nothing, it stays that of the first instance that was copied, as in an archive of worm mode.
"""

from __future__ import annotations

import hashlib
import json
import re

from muniment.errors.stores import KeyNotFound, StoredWrong
from muniment.stores import Store, read_bytes
from muniment.workflows.copies.record import LARGEST

DECLARATION = "0=ocfl_object_1.1"
INVENTORY = "inventory.json"
_VERSION = re.compile(r"v0*([1-9][0-9]*)")
_LARGEST_SIDECAR = 1 << 16


def root_keys(folder: str, algorithm: str) -> tuple[str, str]:
    """Where inventory and sidecar of an object lie whose folder in a store is `folder`."""
    return f"{folder}/{INVENTORY}", f"{folder}/{INVENTORY}.{algorithm}"


def root_trouble(store: Store, folder: str, number: int, algorithm: str) -> str:
    """What is wrong with them, or '', when the newest copy that was made is that of instance `number`.

    An inventory of a later one is right as well: it may be on its way just now.

    Raises:
        MunimentError: As `Store.open`, but for a key that is not there.
    """
    place, side = root_keys(folder, algorithm)
    try:
        data = read_bytes(store, place, LARGEST)
        sidecar = read_bytes(store, side, _LARGEST_SIDECAR)
        head = _head_of(data)
        if head is None:
            return f"{place} in {store} is no inventory"
        if store.capabilities.replaces and head < number:
            return f"{place} in {store} is that of instance {head}, not of {number}"
        own = read_bytes(store, f"{folder}/v{head}/{INVENTORY}", LARGEST)
    except KeyNotFound as error:
        return error.message
    except StoredWrong as error:
        return error.message
    if data != own:
        return f"{place} in {store} is not the inventory of instance {head}"
    if sidecar.decode("ascii", "replace").split() != [hashlib.new(algorithm, data).hexdigest(), INVENTORY]:
        return f"{side} in {store} has not the {algorithm} of the inventory beside it"
    return ""


def _head_of(data: bytes) -> int | None:
    """The number of the version that an inventory names as the newest."""
    try:
        found = _VERSION.fullmatch(json.loads(data)["head"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return None if found is None else int(found[1])
