"""Copies of an archive whose only home is a bucket: made, verified, tried, and restored from into a folder."""

from __future__ import annotations

import io
import random
from pathlib import Path

import pytest

from muniment import Archive
from muniment.app.background import BackgroundServices
from muniment.app.bucket import BucketArchive
from muniment.errors.archive import ResourcePurged
from muniment.testing.keys import FolderKeys
from muniment.workflows.copies.budget import Budget
from muniment.workflows.copies.drill import drill
from muniment.workflows.copies.restoring import restore_archive
from muniment.workflows.copies.service import unwatched
from muniment.workflows.copies.status import protections
from muniment.workflows.copies.verification import Verification
from tests.servers.native.running import BucketApp


@pytest.mark.parametrize("layout", ["bag", "ocfl"])
def test_copies_of_a_bucket_are_made_and_restored_from(tmp_path: Path, layout: str) -> None:
    keys, state = FolderKeys(tmp_path / "keys"), tmp_path / "state"
    with BucketArchive.make(keys, state, mode="dynamic", workers=0) as archive:
        with archive.new("letters") as new:
            new.add(io.BytesIO(random.Random(1).randbytes(200_000)), "scan.bin")
            new.add(io.BytesIO(b"Dear friend\n"), "a/Brief für Élise.txt")
        with archive.get("letters", "a") as new:
            new.add(io.BytesIO(b"P.S.\n"), "later.txt")
        with archive.new("mistake") as new:
            new.add(io.BytesIO(b"x"), "x")
        archive.purge("mistake", "it was one")
    working = BackgroundServices(BucketApp(keys, state, scratch=tmp_path / "scratch"))
    service = working.copy_service()
    (tmp_path / "store").mkdir()
    service.registry.add("there", str(tmp_path / "store"))
    service.policies.set(service.archive, "*", f'[[copies]]\nstore = "there"\nlayout = "{layout}"\n')
    service.plan_all()
    done = service.replicate("there")
    assert (done.made, done.failed, done.reason) == (2, 0, "")
    assert all(each.protected for each in protections(service))
    verification = Verification(service)
    assert [row.reason for row in verification.run(list(verification.rows()), Budget()).damaged] == []
    tried = drill(service, "there", random.Random(2))
    assert tried is not None
    assert (tried.reason, tried.passed) == ("", True)
    restored = restore_archive(service.registry.open("there"), tmp_path / "restored", tmp_path / "work", unwatched)
    working.close()
    assert restored.lacking == {}
    with Archive(tmp_path / "restored", workers=0) as archive:
        assert list(archive) == ["letters"]
        assert archive.get("letters").read("later.txt") == b"P.S.\n"
        assert archive.get("letters", instance=1).read("a/Brief für Élise.txt") == b"Dear friend\n"
        assert [finding.as_json() for finding in archive.audit() if finding.failed] == []
        with pytest.raises(ResourcePurged, match="it was one"):
            archive.get("mistake")
