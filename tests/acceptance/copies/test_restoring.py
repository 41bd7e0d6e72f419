"""The archive's folder is gone: everything comes back from any one store, and is what it was."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from muniment import Archive
from muniment.errors.copies import NothingToRestore
from muniment.workflows.copies.drill import drill
from muniment.workflows.copies.rebuild import rebuild
from muniment.workflows.copies.status import protections
from tests.acceptance.copies.conftest import Kept, content
from tests.acceptance.copies.test_making import files_below


def below(root: Path, *folders: str) -> dict[str, bytes]:
    return {name: data for name, data in files_below(root).items() if name.startswith(folders)}


@pytest.mark.parametrize("store", ["vault", "shelf"])
def test_the_whole_archive_comes_back_from_any_store(kept: Kept, store: str) -> None:
    kept.service.replicate(store)
    head = kept.service.archive.head()
    before = below(kept.root, "objects/", "muniment.json")
    kept.working.close()
    shutil.rmtree(kept.root)
    assert kept.cli("restore", "--from", kept.store(store), "-o", kept.folder / "again") == 0
    assert below(kept.folder / "again", "objects/", "muniment.json") == before
    with Archive(kept.folder / "again", workers=1) as archive:
        assert archive.head().seq >= head.seq
        assert [event.seq for event in archive.events()][: head.seq] == list(range(1, head.seq + 1))
        assert archive.get("one").read("large.bin") == content(1, 300_000)
        assert not [finding for finding in archive.audit() if finding.failed]
        with archive.get("one", "a") as new:
            new.add(b"goes on", "next.txt")
        assert not [finding for finding in archive.audit() if finding.failed]
    validator = Path(sys.executable).with_name("ocfl-validate.py")
    subprocess.run([sys.executable, validator, kept.folder / "again/objects"], check=True, stdout=subprocess.DEVNULL)


def test_a_resource_comes_back_alone(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    for store in ("vault", "shelf"):
        found = kept.documents(capsys, "restore", "--from", store, "-o", kept.folder / store / "out", "one")
        assert (found["instances"], found["lacking"]) == (2, {})
        (place,) = (kept.folder / store / "out").iterdir()
        assert files_below(place) == files_below(next((kept.root / "objects").glob(f"*/*/{place.name}")))
    assert kept.cli("restore", "--from", "vault", "-o", kept.folder / "none", "nobody") == NothingToRestore.exit_status


def test_what_a_store_lost_is_named_and_the_rest_comes_back(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    (lost,) = kept.store("vault").glob("objects/*/*/*one/v1/content/data/large.bin")
    lost.unlink()
    (wrong,) = kept.store("vault").glob("objects/*/*/*two/v1/content/data/only.bin")
    wrong.write_bytes(b"X" * 150_000)
    target = kept.folder / "again"
    found = kept.documents(capsys, "restore", "--from", kept.store("vault"), "-o", target)
    lacking = {key for key in found["lacking"] if not key.startswith("parity of ")}
    assert {key.rpartition("/")[2] for key in lacking} == {"large.bin", "only.bin"}
    with Archive(target, workers=1) as archive:
        assert archive.get("one").read("a/small.txt") == b"small\n"


def test_a_damaged_tar_is_repaired_from_the_parity_beside_it(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    tar = kept.store("shelf") / "bags/org/other/two/v1.tar"
    data = bytearray(tar.read_bytes())
    data[50_000:52_000] = bytes(2000)
    tar.write_bytes(data)
    found = kept.documents(capsys, "restore", "--from", kept.store("shelf"), "-o", kept.folder / "again")
    assert found["lacking"] == {}
    with Archive(kept.folder / "again", workers=1) as archive:
        assert archive.get("two").read("only.bin") == content(3, 150_000)


def test_a_restore_that_was_broken_off_goes_on(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    target = kept.folder / "again"
    (hidden,) = kept.store("vault").glob("objects/*/*/*one/v1/content/data/large.bin")
    away = hidden.rename(kept.folder / "away")
    first = kept.documents(capsys, "restore", "--from", kept.store("vault"), "-o", target)
    assert first["lacking"]
    away.rename(hidden)
    (target / "muniment.json").unlink()
    (target / "restore.json").write_text(f'{{"archive": "{kept.service.archive.config.id}"}}')
    second = kept.documents(capsys, "restore", "--from", kept.store("vault"), "-o", target)
    assert (second["lacking"], second["bytes"] < first["bytes"] + 310_000) == ({}, True)
    assert kept.cli("restore", "--from", kept.store("vault"), "-o", target) != 0  # an archive is there now


def test_a_drill_restores_and_has_programs_that_are_not_ours_judge(kept: Kept) -> None:
    for store in ("vault", "shelf"):
        for seed in range(3):
            done = drill(kept.service, store, random.Random(seed))
            assert done is not None
            assert (done.reason, done.judges) == ("", ("sha512sum", "bagit.py"))
    (wrong,) = kept.store("vault").glob("objects/*/*/*two/v1/content/data/only.bin")
    wrong.write_bytes(b"X" * 150_000)
    results = [drill(kept.service, "vault", random.Random(seed)) for seed in range(6)]
    failed = [done for done in results if done and not done.passed]
    assert {done.resource for done in failed} == {"two"}
    events = [event for event in kept.service.archive.events() if event.event == "validation"]
    assert [event.outcome for event in events].count("failure") == len(failed)


def test_the_table_can_be_made_again_from_the_stores_and_the_log(kept: Kept) -> None:
    rows = {row.key: row for store in ("vault", "shelf") for row in kept.service.table.each(store=store)}
    for store in ("vault", "shelf"):
        assert rebuild(kept.service, store) == (3, [])
    again = {row.key: row for store in ("vault", "shelf") for row in kept.service.table.each(store=store)}
    assert {key: (row.record, row.size, row.keys) for key, row in again.items()} == {
        key: (row.record, row.size, row.keys) for key, row in rows.items()
    }
    assert all(each.protected for each in protections(kept.service))
    assert kept.service.policies.rebuild(kept.service.archive) == 1
    (kept.store("vault") / "copies/ocfl/main/main/one/v2.json").write_text("{}")
    assert rebuild(kept.service, "vault") == (2, ["copies/ocfl/main/main/one/v2.json"])


def test_what_a_store_never_got_is_named_when_the_archive_comes_back_from_it(
    kept: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    with Archive(kept.root, workers=1) as archive, archive.get("one", "a") as new:
        new.add(b"later", "third.txt")
    with Archive(kept.root, workers=1) as archive, archive.new("three") as new:
        new.add(b"x", "x.txt")
    kept.service.replicate("vault")  # nothing is owed yet, but the log goes over
    found = kept.documents(capsys, "restore", "--from", "vault", "-o", kept.folder / "again")
    assert found["lacking"] == {
        "one v3": "this store holds no copy of it",
        "three v1": "this store holds no copy of it",
    }
    assert kept.cli("restore", "--from", "vault", "-o", kept.folder / "once more") == 1
