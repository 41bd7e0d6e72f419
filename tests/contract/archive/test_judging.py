"""Any kind of archive is judged by the rules of OCFL, also one whose files are elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from muniment.app.archive import FolderArchive
from muniment.errors.archive import DamagedRecord, ResourceNotFound


def test_a_whole_archive_is_valid_and_so_is_each_resource(on_a_disk: Any) -> None:
    for name in ("a/b ü", "other"):
        with on_a_disk.new(name) as transaction:
            transaction.add(b"hello", "one.txt")
    assert [finding for finding in on_a_disk.validate() if finding.failed] == []
    assert [finding for finding in on_a_disk.validate("a/b ü") if finding.failed] == []
    with pytest.raises(ResourceNotFound):
        list(on_a_disk.validate("nothing"))


def test_a_damaged_record_is_found_here_and_not_given_out_by_a_server(on_a_disk: Any, tree: Path) -> None:
    with on_a_disk.new("thing") as transaction:
        transaction.add(b"hello", "one.txt")
    (inventory,) = [path for path in tree.rglob("inventory.json") if path.parent.name == "v1"]
    inventory.write_bytes(inventory.read_bytes().replace(b'"v1"', b'"v9"', 1))
    if isinstance(on_a_disk, FolderArchive):
        assert [finding for finding in on_a_disk.validate("thing") if finding.failed]
    else:
        with pytest.raises(DamagedRecord):
            list(on_a_disk.validate("thing"))
