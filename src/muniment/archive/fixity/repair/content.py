"""Repair of content: files with a parity set of their own, and small ones from the pack of their version."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path

from muniment.archive.fixity.repair.damaged_object import DamagedObject, attempt
from muniment.archive.package.inventory import Inventory
from muniment.archive.parity import Member, pack_members, repair_file, repair_pack
from muniment.archive.parity.protect import file_set_folder, has_set, pack_folder, set_places
from muniment.archive.parity.sets import sha256_of
from muniment.archive.parity.several_packs import pack_names
from muniment.content import Hashers
from muniment.content.regular import open_regular
from muniment.errors.archive import DiskFull
from muniment.errors.base import MunimentError
from muniment.errors.parity import CannotRepair

_HOW = "repaired from parity"


def repair_content(damaged: DamagedObject, inventory: Inventory, names: Iterable[str]) -> dict[str, str]:
    """Repair the content files `names` (relative to the object); what was done about each, or why it could not be."""
    said: dict[str, str] = {}
    recorded = inventory.digests_of(list(names))
    packed: dict[int, list[str]] = {}
    for name in names:
        digests = recorded.get(name)
        if digests is None:
            said[name] = "no record says what it should be"
        elif _is_right(damaged.root / name, digests):
            # Through a link, that is: what was moved away from its place is there.
            said[name] = attempt(lambda name=name, digests=digests: _copy(damaged, name, digests))  # type: ignore[misc] # bound at once
        elif _has_set(damaged, digests):
            said[name] = attempt(lambda name=name, digests=digests: _from_set(damaged, name, digests))  # type: ignore[misc] # as above
        else:
            packed.setdefault(_version(name), []).append(name)
    for version, here in packed.items():
        said |= _from_pack(damaged, version, {name: recorded[name] for name in here})
    return said


def _version(name: str) -> int:
    return int(name.split("/", 1)[0][1:])


def _is_right(path: Path, digests: Mapping[str, str]) -> bool:
    algorithm = "sha256" if "sha256" in digests else next(iter(digests))
    hashers = Hashers([algorithm])
    try:
        with open_regular(path, follow=True) as file:
            while data := file.read(1 << 20):
                hashers.update(data)
    except OSError:
        return False
    return hashers.values()[algorithm] == digests[algorithm]


def _has_set(damaged: DamagedObject, digests: Mapping[str, str]) -> bool:
    sha256 = digests.get("sha256")
    return sha256 is not None and has_set(damaged.context, file_set_folder(damaged.context.layout, sha256), sha256)


def _copy(damaged: DamagedObject, name: str, digests: Mapping[str, str]) -> str:
    if not (damaged.root / name).is_symlink():
        return "it is right"
    with damaged.replacement(_version(name), "copied from where a link in its place pointed") as new:
        # Without a set: the source is right, so that nothing is asked of parity.
        sha256 = sha256_of(damaged.root / name)
        made = repair_file(damaged.root / name, sha256, new.folder, new.folder, new.folder / "repaired")
        new.put(damaged.root / name, made, digests)
        new.commit()
    return "copied from where the link in its place pointed"


def _from_set(damaged: DamagedObject, name: str, digests: Mapping[str, str]) -> str:
    sha256 = digests["sha256"]
    trouble: MunimentError = CannotRepair(path=damaged.where(name), reason="there is no parity for it")
    with damaged.replacement(_version(name), _HOW) as new:
        for folder in set_places(damaged.context, file_set_folder(damaged.context.layout, sha256)):
            try:
                made = repair_file(damaged.root / name, sha256, folder, new.folder, new.folder / "repaired")
            except CannotRepair as error:
                trouble = error
                continue
            new.put(damaged.root / name, made, digests)
            new.commit()
            return _HOW
    raise trouble


def _from_pack(damaged: DamagedObject, version: int, wanted: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Repair small files of one version together, each compared with what the inventory says of it."""
    places = set_places(damaged.context, pack_folder(damaged.context.layout, damaged.root, version))
    packs = list(itertools.product(places, pack_names(*places)))
    said: dict[str, str] = {}
    why = "there is no parity for it"
    for folder, pack in packs:
        try:
            members = pack_members(folder, name=pack)
        except MunimentError as error:
            why = error.message if len(packs) == 1 else why
            continue
        why = "its parity does not hold it"
        inside = [each.name for each in members if each.name in wanted and said.get(each.name) != _HOW]
        if not inside:
            continue
        try:
            said |= _from_one_pack(damaged, version, (folder, pack, members), {name: wanted[name] for name in inside})
        except DiskFull:
            raise
        except MunimentError as error:
            said |= dict.fromkeys(inside, error.message)
    return {**dict.fromkeys(wanted, why), **said}


def _from_one_pack(
    damaged: DamagedObject,
    version: int,
    found: tuple[Path, str, tuple[Member, ...]],
    wanted: Mapping[str, Mapping[str, str]],
) -> dict[str, str]:
    """`found` is the pack's folder, its name and its members, of which all of `wanted` are."""
    folder, pack, members = found
    present = {member.name: damaged.root / member.name for member in members}
    said = {}
    with damaged.replacement(version, _HOW) as new:
        made = {name: new.folder / f"repaired-{number}" for number, name in enumerate(wanted)}
        repair_pack(folder, present, made, new.folder, name=pack)
        for name, path in made.items():
            try:
                new.put(damaged.root / name, path, wanted[name])
                said[name] = _HOW
            except CannotRepair as error:
                # The pack was made of bytes that were rotten by then; the others of it may be right.
                said[name] = error.message
        new.commit()
    return said
