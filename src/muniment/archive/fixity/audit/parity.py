"""An object's parity: every version's pack and every large file's set are there and as they were recorded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from muniment.archive.fixity.audit.resource import ObjectCheck
from muniment.archive.parity import PACK, PARITY_FROM, check_set
from muniment.archive.parity.protect import file_set_folder, has_set, pack_folder, set_places
from muniment.archive.parity.several_packs import may_be_several, pack_names
from muniment.content import FINDINGS, Finding

_CODES = {"missing": "M402", "damaged": "M402", "unreadable": "M104", "unrecorded": "M105"}


def check_parity(check: ObjectCheck, *, fast: bool, seen: set[bytes]) -> None:
    """Find what is wrong with the parity of one object; `fast` looks only whether it is there.

    `seen` are the sha256 digests of the large files whose sets were looked at already: equal content shares one.
    """
    if not check.context.config.redundancy:
        return
    check_packs(check, fast=fast)
    for name, sha256 in large_files(check):
        key = bytes.fromhex(sha256)
        if key not in seen:
            seen.add(key)
            _check_set(check, file_set_folder(check.context.layout, sha256), sha256, name, fast=fast)


def check_packs(check: ObjectCheck, *, fast: bool) -> None:
    """As `check_parity`, of the small files alone."""
    if not check.context.config.redundancy:
        return
    # Only of so much can there be several: the index of one need not be opened to know it.
    several = may_be_several(sum(check.sizes.values()))
    for number in range(1, check.head + 1):
        folder = pack_folder(check.context.layout, check.root, number)
        for name in pack_names(*set_places(check.context, folder)) if several else (PACK,):
            _check_set(check, folder, name, f"v{number}", fast=fast)


def large_files(check: ObjectCheck) -> Iterator[tuple[str, str]]:
    """Name and sha256 of each file that should have a set of its own."""
    for name, expected in check.files.items():
        size = expected.size if expected.size is not None else check.sizes.get(name)
        sha256 = expected.digests.get("sha256", "")
        if size is not None and size >= PARITY_FROM and sha256:
            yield name, sha256


def _check_set(check: ObjectCheck, folder: Path, name: str, of: str, *, fast: bool) -> None:
    instance = of.split("/", 1)[0][1:]
    if not has_set(check.context, folder, name):
        place = f"{folder.relative_to(check.context.layout.root)}/{name}.par2"
        check.findings.append(check.finding("M401", of, place, "", instance))
        return
    if fast:
        return
    first, *others = reversed(set_places(check.context, folder))
    faults = check_set(first, name)
    for fault in faults:
        where = str(fault.path.relative_to(check.context.layout.root))
        kind = FINDINGS[_CODES[fault.fault]]
        found = fault.found or fault.fault
        check.findings.append(Finding(kind, where, fault.expected, found, check.resource, instance, check.project))
    right = next((place for place in others if not check_set(place, name)), None)
    if faults and right:
        for fault in faults:
            where = str(fault.path.relative_to(check.context.layout.root))
            place = str(right.relative_to(check.context.layout.root))
            check.findings.append(Finding(FINDINGS["M107"], where, "", place, check.resource, instance, check.project))
