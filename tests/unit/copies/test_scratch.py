"""The folder for what is on its way: one for each archive and each user, however the archive is named."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from muniment.app import App
from muniment.app.background import BackgroundServices
from muniment.settings import Settings


def scratch_of(archive: str) -> Path:
    return BackgroundServices(App(Settings({}, archive=archive)))._scratch()


def test_archives_that_are_named_alike_from_two_folders_do_not_meet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    places = [tmp_path / "temporary", tmp_path / "one", tmp_path / "two"]
    for place in places:
        place.mkdir()
    found = []
    for place in places[1:]:
        monkeypatch.chdir(place)
        found.append(scratch_of("archive"))
        assert scratch_of(str(place / "archive")) == found[-1], "the same archive, named by its whole path"
    assert len(set(found)) == 2
    assert {place.parent for place in found} == {places[0]}
    assert all(place.stat().st_mode & 0o777 == 0o700 for place in found)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(Exception, match="belongs to somebody else"):
        scratch_of("archive")
    assert len(list(places[0].iterdir())) == 3, "another user's has another name"
