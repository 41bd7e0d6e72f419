"""The parity of a commit: made before the flush, placed after it, and never in its way."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.archive import Archive
from muniment.archive.disk import durable
from muniment.archive.parity import ahead, protect
from muniment.content.identity import new_uuid
from muniment.errors.archive import DiskFull
from muniment.errors.parity import ParityToolFailed
from tests.crash.scenes import AGENT

LARGE = os.urandom(200_000)


@pytest.fixture(params=["preservation", "worm"])
def archive(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Archive]:
    with Archive.init(tmp_path / "archive", mode=request.param, agent=AGENT, workers=0) as made:
        yield made


@pytest.fixture
def flushes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A flush of the filesystem is noted; where there is none, that of a tree."""
    real, seen = durable._syncfs, []
    if real is None:
        pytest.fail("this system has no syncfs: there is no single flush to count")

    def noted(descriptor: int) -> int:
        seen.append(descriptor)
        return real(descriptor)

    monkeypatch.setattr(durable, "_syncfs", noted)
    return seen


def sets(archive: Archive) -> list[str]:
    return sorted(path.name for path in (archive.path / "parity").rglob("*.par2.json"))


def add(archive: Archive, **files: bytes) -> str:
    """A new resource with these files; why it has no parity, or nothing."""
    with archive.new(new_uuid()) as transaction:
        for name, data in files.items():
            transaction.add(data, name)
    return transaction.unprotected


def test_one_flush_serves_the_version_and_its_parity(archive: Archive, flushes: list[int]) -> None:
    assert add(archive, small=b"small", large=LARGE) == ""
    assert len(flushes) == 1
    assert len(sets(archive)) == 2
    assert not list(archive.audit())


def test_of_many_sets_the_names_are_flushed_at_once(archive: Archive, flushes: list[int]) -> None:
    assert add(archive, **{str(number): LARGE[number:] for number in range(8)}) == ""
    assert len(flushes) == 2
    assert len(sets(archive)) == 9


def test_nothing_of_it_stays_in_the_staging_folder(archive: Archive) -> None:
    add(archive, small=b"small", large=LARGE)
    assert not list((archive.path / "staging" / "open").iterdir())
    assert not list((archive.path / "staging" / "scratch").iterdir())


def test_further_instances_have_their_parity_too(archive: Archive) -> None:
    add(archive, small=b"small", large=LARGE)
    (found,) = archive
    with archive.get(found, "a") as transaction:
        transaction.add(LARGE[1:], "another")
    assert transaction.unprotected == ""
    assert len(sets(archive)) == 4
    assert not list(archive.audit())


def test_what_could_not_be_made_ahead_is_made_afterwards(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_context: object, _needs: object, folder: Path, *_: object) -> None:
        folder.mkdir()
        (folder / "half").write_bytes(b"half")
        raise DiskFull(path=folder)

    monkeypatch.setattr(ahead, "make_own_sets", full)
    assert add(archive, small=b"small", large=LARGE) == ""
    assert len(sets(archive)) == 2
    assert not list(archive.audit())


def test_without_parity_it_is_committed_all_the_same_and_said(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ParityToolFailed(action="create", path="x", status=9, reason="broken")

    monkeypatch.setattr(ahead, "make_own_sets", fail)
    monkeypatch.setattr(protect, "make_own_sets", fail)
    assert "broken" in add(archive, small=b"small")
    (found,) = archive
    assert archive[found].number == 1
    assert [event.outcome for event in archive.events() if event.event == "creation"][1:] == ["failure"]
    assert not list((archive.path / "staging" / "open").iterdir())


def test_a_set_that_others_had_and_that_went_with_them_is_made_after_all(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(archive, large=LARGE)
    real = protect.place_sets

    def purged_meanwhile(*arguments: object) -> bool:
        shutil.rmtree(archive.path / "parity" / "files")
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(ahead, "place_sets", purged_meanwhile)
    assert add(archive, large=LARGE, small=b"small") == ""
    assert len([name for name in sets(archive) if name != "pack.par2.json"]) == 1
