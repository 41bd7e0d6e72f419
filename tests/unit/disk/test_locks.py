"""What stands in the place of a lock and is none is set aside, and the work goes on."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from muniment.archive import Archive
from muniment.archive.disk.locks import exclusive, try_exclusive
from tests.crash.scenes import AGENT, open_archive


def folder(place: Path) -> None:
    (place / "full").mkdir(parents=True)


def link(place: Path) -> None:
    place.symlink_to("/dev/null")


def link_to_itself(place: Path) -> None:
    place.symlink_to(place.name)


def pipe(place: Path) -> None:
    os.mkfifo(place)


def listening(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        os.chdir(place.parent)
        made.bind(place.name)


@pytest.mark.parametrize("spoil", [folder, link, link_to_itself, pipe, listening])
def test_what_is_no_lock_makes_room_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Path], None]
) -> None:
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "archive"
    with Archive.init(root, agent=AGENT, workers=0, redundancy=0) as archive:
        locks = archive.context.layout.locks
    for lock in locks.iterdir():
        lock.unlink()
    spoil(locks / "events")
    with open_archive(root) as archive:
        with archive.new("r") as transaction:
            transaction.add(b"content", "file")
        found = list(archive.audit())
    assert [finding.code for finding in found] == ["M502"]
    assert "lock-events" in found[0].where


def test_a_lock_that_was_made_anew_is_held_by_one_alone(tmp_path: Path) -> None:
    place = tmp_path / "staging/locks/events"
    folder(place)
    with exclusive(place):
        assert try_exclusive(place) is None
