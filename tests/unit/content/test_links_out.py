"""Links are made again where they stay in the folder; of the others it is said why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from muniment.archive import Archive
from muniment.cli.main import run
from muniment.workflows.extract import take_out
from tests.crash.scenes import AGENT

LINKS = {
    "inside": "file",
    "deep/up": "../file",
    "absolute": "/etc/hostname",
    "above": "../file",
    "turn": "deep/..",
    "cunning": "turn/../..",
    "round": "round",
}


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    archive = Archive.init(tmp_path / "archive", agent=AGENT, workers=0, redundancy=0)
    with archive.new("r") as transaction:
        transaction.add(b"content", "file")
        transaction.note_links(LINKS, ["empty"])
    return archive


def test_links_that_stay_inside_are_made_and_the_others_named(archive: Archive, tmp_path: Path) -> None:
    found = take_out(archive.get("r"), tmp_path / "out")
    assert (tmp_path / "out/inside").read_bytes() == b"content"
    assert (tmp_path / "out/deep/up").read_bytes() == b"content"
    assert {"absolute", "above"} <= set(found.left_out)
    assert all("a link to" in why for why in found.left_out.values())
    assert (tmp_path / "out/empty").is_dir()


def test_no_link_leads_out_by_way_of_another(archive: Archive, tmp_path: Path) -> None:
    take_out(archive.get("r"), tmp_path / "out")
    inside = (tmp_path / "out").resolve()
    for path in (tmp_path / "out").rglob("*"):
        if path.is_symlink() and path.name != "round":
            assert path.resolve().is_relative_to(inside), path


def test_get_says_what_it_did_not_write(archive: Archive, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--archive", str(archive.path), "get", "r", "-o", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().err
    assert "not written: 'absolute', a link to '/etc/hostname': it leads out of the folder" in said
