"""A purge removes parity beside an audit: what was seen and is gone is no damage, what is there and no file is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from muniment import Archive
from muniment.archive.fixity.audit import untracked_parity


@pytest.mark.parametrize("gone", ["pack.vol888+8.par2", "notes.txt"])
def test_a_file_of_parity_that_is_gone_when_it_is_looked_at_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    def seen_before(folder: Path) -> list[str]:
        names = sorted(os.listdir(folder)) if folder.is_dir() else []
        return sorted({*names, gone}) if folder.name == "v1" else names

    with Archive.init(tmp_path / "archive", workers=0) as archive:
        with archive.new("car") as new:
            new.add(os.urandom(50_000), "file")
        monkeypatch.setattr(untracked_parity, "_names", seen_before)
        assert [finding.as_json() for finding in archive.audit() if finding.failed] == []


def test_what_is_no_file_there_is_named(tmp_path: Path) -> None:
    with Archive.init(tmp_path / "archive", workers=0) as archive:
        with archive.new("car") as new:
            new.add(os.urandom(50_000), "file")
        [place] = (tmp_path / "archive" / "parity" / "packs").glob("*/*/*/v1")
        (place / "pack.vol999+9.par2").mkdir()
        where = f"{place.relative_to(tmp_path / 'archive').as_posix()}/pack.vol999+9.par2"
        assert ("M106", where) in [(finding.code, finding.where) for finding in archive.audit()]
