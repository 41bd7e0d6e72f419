"""The copy model on every kind of store alike: made, verified, repaired, repaired from, tried and restored from."""

from __future__ import annotations

import io
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment import Archive
from muniment.app import App
from muniment.app.background import BackgroundServices
from muniment.cli.main import run
from muniment.settings import Settings
from muniment.workflows.copies.budget import Budget
from muniment.workflows.copies.drill import drill
from muniment.workflows.copies.ladder import repair_all, repair_resource
from muniment.workflows.copies.rebuild import rebuild
from muniment.workflows.copies.record import read_record
from muniment.workflows.copies.service import CopyService
from muniment.workflows.copies.status import protections
from muniment.workflows.copies.verification import Verification
from tests.contract.copies.conftest import Place


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("made") / "archive"
    with Archive.init(root, mode="dynamic", workers=1) as archive:
        with archive.new("letters") as new:
            new.add(io.BytesIO(random.Random(1).randbytes(200_000)), "scan.bin")
            new.add(io.BytesIO(b"Dear friend\n"), "a/Brief für Élise.txt")
        with archive.get("letters", "a") as new:
            new.add(io.BytesIO(b"P.S.\n"), "later.txt")
    return root


@pytest.fixture
def service(made: Path, place: Place, tmp_path: Path) -> Iterator[CopyService]:
    """The archive with all copies made in one store."""
    shutil.copytree(made, tmp_path / "archive", symlinks=True)
    settings = Settings({}, archive=str(tmp_path / "archive"), scratch=tmp_path / "scratch", digest_processes=1)
    working = BackgroundServices(App(settings))
    service = working.copy_service()
    service.registry.add("there", place.address, place.keys)
    service.policies.set(service.archive, "*", f'[[copies]]\nstore = "there"\nlayout = "{place.layout}"\n')
    service.plan_all()
    done = service.replicate("there")
    assert (done.made, done.failed, done.reason) == (2, 0, "")
    yield service
    working.close()


def verified(service: CopyService) -> list[str]:
    verification = Verification(service)
    done = verification.run(list(verification.rows()), Budget())
    assert done.unusable == {}
    return [row.reason for row in done.damaged]


def harm_copy(service: CopyService, place: Place, number: int = 1) -> None:
    row = next(each for each in service.table.each(store="there") if each.number == number)
    record = read_record(service.registry.open("there"), row)
    place.harm(max(record.files, key=lambda file: file.size).key)


def test_copies_are_protected_found_again_and_tried(service: CopyService) -> None:
    assert all(each.protected for each in protections(service))
    assert verified(service) == []
    tried = drill(service, "there", random.Random(2))
    assert tried is not None
    assert (tried.reason, tried.passed) == ("", True)
    count, damaged = rebuild(service, "there")
    assert (count, damaged) == (2, [])
    assert all(each.protected for each in protections(service))


def test_a_damaged_copy_is_found_and_made_whole_or_made_again_beside_it(service: CopyService, place: Place) -> None:
    harm_copy(service, place)
    (reason,) = verified(service)
    assert "sha256" in reason
    assert not all(each.protected for each in protections(service))
    assert repair_all(service).left == {}
    assert verified(service) == []
    assert all(each.protected for each in protections(service))


def test_what_the_archive_lost_with_its_parity_comes_from_the_copy(service: CopyService) -> None:
    root = service.archive.path
    shutil.rmtree(root / "parity/files", ignore_errors=True)
    (content,) = root.glob("objects/**/content/data/scan.bin")
    before = content.read_bytes()
    content.unlink()
    (inventory,) = root.glob("objects/**/v2/inventory.json")
    inventory.unlink()
    assert len(verified(service)) == 1
    done = repair_resource(service, "main/main", "letters")
    assert done.left == {}
    assert any("there" in how for how in done.repaired.values())
    assert content.read_bytes() == before
    assert not [finding for finding in service.archive.audit("letters") if finding.failed]


def test_the_archive_comes_back_from_its_address_alone(service: CopyService, place: Place, tmp_path: Path) -> None:
    expected = {
        path.relative_to(service.archive.path): path.read_bytes()
        for path in (service.archive.path / "objects").rglob("*")
        if path.is_file()
    }
    keys = tmp_path / "keys"
    keys.touch(mode=0o600)
    keys.write_text("".join(f"{name} = {value}\n" for name, value in place.keys.items()))
    words = ["--keys", str(keys)] if place.keys else []
    assert run(["restore", "--from", place.address, *words, "-o", str(tmp_path / "again")]) == 0
    again = tmp_path / "again"
    found = {path.relative_to(again): path.read_bytes() for path in (again / "objects").rglob("*") if path.is_file()}
    assert found == expected
    with Archive(again, workers=1) as archive:
        assert archive.get("letters").read("a/Brief für Élise.txt") == b"Dear friend\n"
        assert not [finding for finding in archive.audit() if finding.failed]


def test_what_is_made_a_second_time_puts_nothing_twice(service: CopyService) -> None:
    store = service.registry.open("there")
    before = [each.key for each in store.list()]
    for row in list(service.table.each(store="there")):
        service.table.change(row, state="owed")
    done = service.replicate("there", force=True)
    assert (done.made, done.failed, done.reason) == (2, 0, "")
    assert [each.key for each in store.list() if not each.key.startswith("events/")] == [
        key for key in before if not key.startswith("events/")
    ]


@pytest.mark.parametrize("place", ["rclone sftp"], indirect=True)
def test_by_rclone_a_damaged_copy_is_made_whole_and_the_archive_comes_back(
    service: CopyService, place: Place, tmp_path: Path
) -> None:
    """What is tried of rclone in every run; the night tries all of it."""
    test_a_damaged_copy_is_found_and_made_whole_or_made_again_beside_it(service, place)
    test_the_archive_comes_back_from_its_address_alone(service, place, tmp_path)
