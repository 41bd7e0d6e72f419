"""What stands repaired beside an object in worm mode: each file there is right and stands for one of the object's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from muniment.archive.disk.repaired import repaired_copies
from muniment.archive.fixity.audit.resource import ObjectCheck, everything
from muniment.archive.package.inventory import NAME, read_inventory
from muniment.content import FINDINGS, Finding, Hashers
from muniment.content.regular import open_regular
from muniment.errors.archive import DamagedRecord, ReadFailed


def check_repaired(check: ObjectCheck) -> Iterator[Finding]:
    """A note for each file that is right, and a finding for each that is not or that stands for nothing."""
    root = check.context.layout.root
    for folder in repaired_copies(check.root, root):
        place = str(folder.relative_to(root))
        for name, entry in everything(folder, ""):
            where = f"{place}/{name}"
            wrong = "nothing" if entry is None else _wrong_with(check, folder, name)
            instance = name.split("/", 1)[0][1:] if name.startswith("v") else ""
            if wrong == "nothing":
                yield Finding(FINDINGS["M105"], where, "", "", check.resource, instance, check.project)
            elif wrong:
                yield Finding(
                    FINDINGS["M101"], where, "what was repaired", wrong, check.resource, instance, check.project
                )
            else:
                yield Finding(FINDINGS["M107"], check.where(name), "", where, check.resource, instance, check.project)


def _wrong_with(check: ObjectCheck, folder: Path, name: str) -> str:
    """What is wrong with a repaired copy; 'nothing' when nothing of that name is recorded."""
    algorithm = check.context.config.digests[0]
    if os.path.basename(name) in {NAME, f"{NAME}.{algorithm}"}:
        try:
            read_inventory((folder / name).parent, algorithm)
        except (FileNotFoundError, DamagedRecord, ReadFailed) as error:
            return str(error)
        return ""
    expected = check.files.get(name)
    if expected is None:
        return "nothing"
    hashers = Hashers(expected.digests)
    try:
        with open_regular(folder / name) as file:
            while data := file.read(1 << 20):
                hashers.update(data)
    except OSError as error:
        return error.strerror or str(error)
    found = hashers.values()
    return "" if found == expected.digests else f"sha256:{found.get('sha256', '')}"
