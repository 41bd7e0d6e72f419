"""One transaction over an archive here and others behind servers: it commits to all or to none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from muniment import Archive
from muniment.errors.base import MunimentError
from muniment.workflows.two_phase import resolve, two_phase_commit
from tests.servers.native.running import serving


def begun(*archives: Any) -> list[tuple[Any, Any]]:
    return [(archive, archive.new("car")) for archive in archives]


def test_all_commit_or_none_does(tmp_path: Path) -> None:
    with (
        serving(tmp_path / "one") as one,
        serving(tmp_path / "two") as two,
        Archive(one.url, key=one.key) as first,
        Archive(two.url, key=two.key) as second,
        Archive.init(tmp_path / "three", workers=0) as third,
    ):
        with pytest.raises(ZeroDivisionError), two_phase_commit(*begun(first, second, third)) as parts:  # noqa: PT012 - the block fails
            for part in parts:
                part.add(b"car", "car.png")
            raise ZeroDivisionError
        assert [list(archive) for archive in (first, second, third)] == [[], [], []]
        with two_phase_commit(*begun(first, second, third)) as parts:
            for part in parts:
                part.add(b"car", "car.png")
        assert [archive.get("car").read("car.png") for archive in (first, second, third)] == [b"car"] * 3


def test_replay_finishes_what_was_decided_before_an_archive_died(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(tmp_path / "one") as one, Archive(one.url, key=one.key) as first:
        with serving(tmp_path / "two") as two, Archive(two.url, key=two.key) as second:
            parts = begun(first, second)
            with pytest.raises(MunimentError), two_phase_commit(*parts) as (here, there):  # noqa: PT012 - its end is what fails
                here.add(b"car", "car.png")
                there.add(b"car", "car.png")
                # The decision stands, but no archive can be told; then the second one's server goes away.
                monkeypatch.setattr(here, "commit", _dead)
            key = two.key
        assert list(first) == []
        with serving(tmp_path / "two", key=key) as again, Archive(again.url, key=key) as second:
            assert len(resolve(first, second)) == 2
            assert list(first) == list(second) == ["car"]
            assert resolve(first, second) == []


def _dead(*_: object, **__: object) -> None:
    raise MunimentError(reason="the archive died")
