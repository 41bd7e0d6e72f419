"""Tag files are vouched for by one digest, the one that names them: a second for each would grow every inventory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from muniment.archive import Archive, Instance
from muniment.archive.package.inventory import PARITY_FROM


def inventory(instance: Instance) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((instance.root / f"v{instance.number}" / "inventory.json").read_bytes())
    return found


def others(instance: Instance) -> set[str]:
    """The content of which a second digest is recorded."""
    return {path for paths in inventory(instance)["fixity"]["sha256"].values() for path in paths}


def test_only_files_and_large_tag_files_have_a_second_digest(tmp_path: Path) -> None:
    with Archive.init(tmp_path / "A", redundancy=0, workers=0) as archive:
        with archive.new("r") as transaction:
            transaction.add(b"1", "f")
            transaction.metadata["long"] = "x" * PARITY_FROM
        assert others(archive.get("r")) == {"v1/content/data/f", "v1/content/metadata/instance.json"}


@pytest.mark.parametrize("every_digest", [False, True])
def test_a_damaged_tag_file_is_found_and_repaired(tmp_path: Path, every_digest: bool) -> None:
    with Archive.init(tmp_path / "A", workers=0) as archive:
        with archive.new("r") as transaction:
            transaction.add(b"1", "f")
        place = archive.get("r").root / "v1/content/bag-info.txt"
        right = place.read_bytes()
        place.chmod(0o644)
        place.write_bytes(right.replace(b"Muniment", b"muniment"))
        found = list(archive.audit(every_digest=every_digest))
        assert [(finding.code, finding.where[-12:]) for finding in found] == [("M101", "bag-info.txt")]
        assert [done.repaired for done in archive.repair()] == [True]
        assert place.read_bytes() == right
        assert not [finding for finding in archive.audit() if finding.failed]


def test_a_file_with_the_bytes_of_an_older_tag_file_has_all_its_digests(tmp_path: Path) -> None:
    with Archive.init(tmp_path / "A", redundancy=0, workers=0) as archive:
        with archive.new("r") as transaction:
            transaction.add(b"1", "f")
        data = (archive.get("r").root / "v1/content/bag-info.txt").read_bytes()
        for name in ("same", "again"):
            with archive.get("r", "a") as transaction:
                transaction.add(data, name)
        newest = archive.get("r")
        assert newest["same"].digests == newest["again"].digests
        assert set(newest["same"].digests) == {"sha512", "sha256"}
        assert not (newest.root / "v2/content/data").exists()
        assert list(inventory(newest)["fixity"]["sha256"].values()) == [
            ["v1/content/data/f"],
            ["v1/content/bag-info.txt"],
        ]
        assert not [finding for finding in archive.audit(every_digest=True) if finding.failed]
