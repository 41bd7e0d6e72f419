"""Repair of an object's records: declaration, inventories and their sidecars.

An inventory is taken from wherever an intact copy is, and accepted only if the log vouches for it or, where
the log says nothing, a sidecar does.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from muniment.archive.disk.durable import write_file
from muniment.archive.disk.repaired import repaired_copies
from muniment.archive.fixity.repair.damaged_object import DamagedObject, attempt
from muniment.archive.ingest.repair_transaction import RepairTransaction
from muniment.archive.package.inventory import DECLARATION, NAME, parse_inventory, sidecar, sidecar_of
from muniment.archive.package.objects import declare, head_of, version_inventory
from muniment.archive.parity import pack_members, repair_pack
from muniment.archive.parity.protect import pack_folder, set_places
from muniment.content.config import Mode
from muniment.content.regular import read_regular
from muniment.errors.archive import DamagedRecord, ReadFailed
from muniment.errors.base import MunimentError
from muniment.errors.parity import CannotRepair


def repair_records(damaged: DamagedObject, names: Iterable[str]) -> dict[str, str]:
    """Repair the records among `names` (relative to the object); what was done about each, or why it could not be."""
    said: dict[str, str] = {}
    folders: dict[str, list[str]] = {}
    for name in names:
        folders.setdefault(str(Path(name).parent), []).append(name)
    # The versions' own first: the root's are copied from them.
    for folder in sorted(folders, key=lambda folder: (folder == ".", folder)):
        here = folders[folder]
        if DECLARATION in here:
            said[DECLARATION] = attempt(lambda: _repair_declaration(damaged))
        records = [name for name in here if name != DECLARATION]
        if records:
            said |= dict.fromkeys(records, attempt(lambda folder=folder: _repair_folder(damaged, folder)))  # type: ignore[misc] # bound at once
    return said


def _repair_folder(damaged: DamagedObject, folder: str) -> str:
    return _repair_root(damaged) if folder == "." else _repair_version(damaged, int(folder[1:]))


def is_record(name: str) -> bool:
    """Whether a place in an object is one of its records, as `v1/inventory.json` and `0=ocfl_object_1.1` are."""
    folder, _, last = name.rpartition("/")
    return name == DECLARATION or (
        last.startswith(NAME) and (not folder or (folder[0] == "v" and folder[1:].isdigit()))
    )


def _repair_declaration(damaged: DamagedObject) -> str:
    path, data = declare(damaged.root)
    with damaged.replacement(head_of(damaged.root), "written anew: it is the same in every object") as new:
        new.write(path, data)
        new.commit()
    return "written anew"


def _repair_root(damaged: DamagedObject) -> str:
    """Make the root's copies those of the newest version, in worm mode of the first."""
    head = head_of(damaged.root)
    version = 1 if damaged.context.config.mode is Mode.WORM else head
    try:
        _, digest = version_inventory(damaged.root, version, damaged.algorithm)
    except FileNotFoundError as error:
        raise DamagedRecord(path=error.filename, reason="it is missing") from None
    data = _inventory_bytes(damaged, version, digest)
    with damaged.replacement(version, f"copied from the inventory of v{version}") as new:
        _put(damaged, new, damaged.root, data, head)
    return f"copied from the inventory of v{version}"


def _inventory_bytes(damaged: DamagedObject, version: int, digest: str) -> bytes:
    folder = damaged.root / f"v{version}"
    for place in (*repaired_copies(folder, damaged.context.layout.root), folder):
        with contextlib.suppress(OSError):
            data = read_regular(place / NAME)
            if hashlib.new(damaged.algorithm, data).hexdigest() == digest:
                return data
    raise ReadFailed(path=folder / NAME, reason="it changed while it was read")


def _repair_version(damaged: DamagedObject, version: int) -> str:
    """Repair a version's inventory and sidecar."""
    folder = damaged.root / f"v{version}"
    with damaged.replacement(version, "restored from an intact copy") as new:
        how, data = _right_inventory(damaged, version, new.folder)
        _put(damaged, new, folder, data)
    return how


def _put(damaged: DamagedObject, new: RepairTransaction, folder: Path, data: bytes, head: int = 0) -> None:
    """Put an inventory and its sidecar into `folder`, as far as they are not there already."""
    files = ((NAME, data), (f"{NAME}.{damaged.algorithm}", sidecar(data, damaged.algorithm)))
    wrong = [(name, content) for name, content in files if not _is(folder / name, content)]
    # Beside what may not be replaced both are put: a reader looks for the two together.
    beside = damaged.context.config.mode is Mode.WORM and any(os.path.lexists(folder / name) for name, _ in wrong)
    for name, content in files if beside else wrong:
        new.write(folder / name, content, head=head, beside=beside)
    new.commit()


def _right_inventory(damaged: DamagedObject, version: int, scratch: Path) -> tuple[str, bytes]:
    """The bytes of a version's inventory, from whichever copy is the right one, and which one that was.

    Raises:
        CannotRepair: None is.
    """
    name = f"v{version}/{NAME}"
    trouble = "no intact copy of it is left"
    logged = damaged.logged.vouched(damaged.project, damaged.resource, version)
    vouched = {logged} if logged else _sidecars(damaged, version)
    for how, data in _candidates(damaged, version):
        if _fits(damaged, version, data, vouched):
            return how, data
    try:
        data, text = _from_pack(damaged, version, scratch, logged)
        if _fits(damaged, version, data, vouched if logged else {*vouched, _digest_in(damaged, text)}):
            return "repaired from parity", data
        trouble = "what its parity gives is not the inventory that was recorded"
    except MunimentError as error:
        trouble = str(error.details.get("reason", error.message))
    raise CannotRepair(path=damaged.where(name), reason=trouble)


def _candidates(damaged: DamagedObject, version: int) -> Iterator[tuple[str, bytes]]:
    folder = damaged.root / f"v{version}"
    places = [("its sidecar was written anew", folder), ("copied from the root's copy", damaged.root)]
    beside = repaired_copies(folder, damaged.context.layout.root)
    for how, place in [*places, *(("repaired before", copy) for copy in beside)]:
        with contextlib.suppress(OSError):
            yield how, read_regular(place / NAME)


def _fits(damaged: DamagedObject, version: int, data: bytes, vouched: set[str]) -> bool:
    """Whether these are the bytes of a version's inventory, and a record outside them says so."""
    if f"{damaged.algorithm}:{hashlib.new(damaged.algorithm, data).hexdigest()}" not in vouched:
        return False
    with contextlib.suppress(UnicodeDecodeError, DamagedRecord):
        return parse_inventory(data.decode("utf-8"), damaged.root).head == version
    return False


def _sidecars(damaged: DamagedObject, version: int) -> set[str]:
    """What the sidecars say that stand beside the copies of a version's inventory."""
    folder = damaged.root / f"v{version}"
    found = set()
    for place in (folder, damaged.root, *repaired_copies(folder, damaged.context.layout.root)):
        with contextlib.suppress(OSError):
            found.add(_digest_in(damaged, read_regular(place / f"{NAME}.{damaged.algorithm}")))
    return found


def _digest_in(damaged: DamagedObject, text: bytes) -> str:
    digest = (text.split() or [b""])[0].decode("ascii", "replace")
    return f"{damaged.algorithm}:{digest}" if text == sidecar_of(digest) else ""


def _from_pack(damaged: DamagedObject, version: int, scratch: Path, logged: str) -> tuple[bytes, bytes]:
    """Inventory and sidecar of a version, computed from its parity.

    Raises:
        CannotRepair: The parity does not give them.
    """
    names = (f"v{version}/{NAME}", f"v{version}/{NAME}.{damaged.algorithm}")
    trouble = CannotRepair(path=damaged.where(names[0]), reason="there is no parity for it")
    known = {}
    if logged:
        # The digest is in the log, and with it the sidecar's every byte: less is left to be computed.
        known[names[1]] = scratch / "sidecar"
        write_file(known[names[1]], sidecar_of(logged.partition(":")[2]))
    for folder in set_places(damaged.context, pack_folder(damaged.context.layout, damaged.root, version)):
        try:
            present = {member.name: damaged.root / member.name for member in pack_members(folder)}
            if not present.keys() >= set(names):
                continue
            wanted = {name: scratch / f"record-{number}" for number, name in enumerate(names)}
            repair_pack(folder, {**present, **known}, wanted, scratch)
            data, text = (read_regular(wanted[name]) for name in names)
        except CannotRepair as error:
            trouble = error
        else:
            return data, text
    raise trouble


def _is(path: Path, content: bytes) -> bool:
    try:
        return read_regular(path) == content
    except OSError:
        return False
