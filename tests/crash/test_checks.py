"""A crash at any call of a checked commit: what the checks said is in the log with the instance, or neither is."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from muniment.archive import Archive
from muniment.content.checks import CheckedFile, CheckEvent, CheckReport, Format
from muniment.errors.checks import InfectedFiles
from tests.crash.judging import assert_whole
from tests.crash.scenes import Scene, next_instance, open_archive, workshop
from tests.crash.test_points import Stage

PDF: tuple[Format, ...] = (Format("fmt/18", "Acrobat PDF 1.4", "1.4", basis="signature"),)


class Looking:
    """Checks that find every file to be a PDF, and one of them, where that is wanted, infected."""

    def __init__(self, infected: str = "") -> None:
        self._infected = infected

    def examine(self, files: Iterable[CheckedFile], before: Mapping[str, Any]) -> CheckReport:
        formats = {file.path: PDF for file in files}
        if self._infected:
            raise InfectedFiles(count="1 file is", names="e", infected={self._infected: "Eicar"}, scanner="none")
        event = CheckEvent("virus check", "success", {"scanned": len(formats)})
        return CheckReport([event], {"virus check": {"scanned": len(formats)}}, formats)

    def close(self) -> None:
        """Nothing runs."""


def checked(archive: Archive) -> None:
    archive._context = replace(archive.context, checks=Looking())
    next_instance(archive)


def infected(archive: Archive) -> None:
    archive._context = replace(archive.context, checks=Looking("e.txt"))
    with contextlib.suppress(InfectedFiles):
        next_instance(archive)


@pytest.mark.parametrize("mode", ["preservation", "worm"])
def test_killed_anywhere_the_log_has_a_check_for_each_instance_that_was_checked(mode: str) -> None:
    with workshop() as folder:
        stage = Stage(folder, Scene(checked), mode)
        for fault in stage.points("kill", every=2):
            root, outcome = stage.strike(fault)
            assert outcome.killed, fault
            assert_whole(root, stage.before, stage.after)
            with open_archive(root) as archive:
                newest = archive.instance("old")
                found = [event.instance for event in archive.events() if event.event == "virus check"]
                assert found == ([2] if newest.number == 2 else []), fault
                assert bool(dict(newest.formats())) == (newest.number == 2)


def test_killed_anywhere_an_infected_file_is_never_in_the_archive_and_nothing_is_lost() -> None:
    with workshop() as folder:
        stage = Stage(folder, Scene(infected), "preservation")
        assert stage.before == stage.after
        kept = list((folder / "clean/staging/quarantine").glob("*-infected"))
        assert [each["path"] for each in json.loads((kept[0] / "about.json").read_bytes())["files"]] == ["e.txt"]
        for fault in stage.points("kill", every=3):
            root, outcome = stage.strike(fault)
            assert outcome.killed, fault
            assert_whole(root, stage.before)


def test_formats_that_were_damaged_are_repaired_from_parity(tmp_path: Path) -> None:
    with Archive.init(tmp_path / "archive", workers=0) as archive:
        archive._context = replace(archive.context, checks=Looking())
        with archive.new("r") as transaction:
            transaction.add(b"alpha", "a.pdf")
        (record,) = archive.path.rglob("formats.jsonl")
        whole = record.read_bytes()
        record.chmod(0o644)
        record.write_bytes(whole.replace(b"fmt/18", b"fmt/81"))
        assert any(finding.failed for finding in archive.audit("r"))
        assert all(done.repaired for done in archive.repair("r"))
        assert record.read_bytes() == whole
        assert dict(archive.instance("r").formats()) == {"a.pdf": PDF}
