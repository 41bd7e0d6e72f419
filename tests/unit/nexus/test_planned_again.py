"""A selection that is downloaded again is planned anew when what it names has changed, and only then."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.archive import Agent, Archive
from muniment.database import Database
from muniment.doors.nexus.changes import Actor
from muniment.doors.nexus.files import Upload
from muniment.doors.nexus.nexus import Nexus, Options
from muniment.doors.nexus.projects import Project
from muniment.doors.nexus.revision import Revision
from muniment.doors.nexus.selections import Definition
from muniment.errors.access import AuthorizationFailed
from muniment.layouts.streams import Plan

BY = Actor("anonymous", Agent("a", "mailto:a@example.org"))


@pytest.fixture
def nexus(tmp_path: Path) -> Iterator[Nexus]:
    with (
        Archive.init(tmp_path / "archive", parity=False) as archive,
        Database.open(tmp_path / "control.db") as database,
    ):
        made = Nexus(archive, Options(base="http://example.org/v1"), database=database)
        made.projects.create_organization("o", None, BY)
        for name in ("o/p", "o/other"):
            made.projects.create(name, {"base": "http://x/"}, BY)
        store(made, "a", b"first")
        yield made
        made.close()


def store(nexus: Nexus, name: str, data: bytes, project: str = "o/p") -> None:
    upload = Upload(f"{name}.bin", "a/b", iter([data]))
    nexus.files.create(nexus.projects.project(project), f"http://x/{name}", upload, BY)


def selected(nexus: Nexus, *names: str) -> Definition:
    entries = [{"@type": "File", "resourceId": name} for name in names]
    project: Project = nexus.projects.project("o/p")
    made = nexus.select(project, None, {"resources": entries}, "anonymous")
    return nexus.selections.get(project.name, made.id)


def planned(nexus: Nexus, found: Definition, *, ignore_missing: bool = False) -> Plan:
    return nexus.delivering.plan(found, lambda _: True, ignore_missing=ignore_missing)


def held(plan: Plan) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(b"".join(plan.read()))) as archive:
        return {each.name: archive.extractfile(each).read() for each in archive}  # type: ignore[union-attr] # all are files


def test_what_happens_elsewhere_is_looked_at_and_changes_nothing(nexus: Nexus, monkeypatch: pytest.MonkeyPatch) -> None:
    found = selected(nexus, "a")
    plan = planned(nexus, found)
    monkeypatch.setattr(nexus.records, "find", lambda *_: pytest.fail("an entry was looked up again"))
    assert planned(nexus, found) is plan
    monkeypatch.undo()
    store(nexus, "b", b"elsewhere", "o/other")
    nexus.archive.record_event("a note of somebody")
    monkeypatch.setattr(nexus.records, "find", lambda *_: pytest.fail("an entry was looked up again"))
    assert planned(nexus, found) is plan


def test_a_new_revision_is_sent_and_so_is_what_was_missing_before(nexus: Nexus) -> None:
    found = selected(nexus, "a", "b")
    assert held(planned(nexus, found, ignore_missing=True)) == {"o/p/a.bin": b"first"}
    store(nexus, "b", b"second")
    assert held(planned(nexus, found, ignore_missing=True)) == {"o/p/a.bin": b"first", "o/p/b.bin": b"second"}
    again = Upload("a.bin", "a/b", iter([b"newer"]))
    nexus.files.update(nexus.projects.project("o/p"), "http://x/a", 1, again, BY)
    assert held(planned(nexus, found, ignore_missing=True)) == {"o/p/a.bin": b"newer", "o/p/b.bin": b"second"}


def test_a_long_log_is_not_gone_through_but_the_entries_are_looked_up(
    nexus: Nexus, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = selected(nexus, "a")
    plan = planned(nexus, found)
    store(nexus, "b", b"elsewhere", "o/other")
    monkeypatch.setattr("muniment.doors.nexus.delivery._EVENTS_LOOKED_AT", 0)
    looked_up: list[str] = []
    find = nexus.records.find

    def noted(project: str, iri: str, base: str = "") -> Revision | None:
        looked_up.append(iri)
        return find(project, iri, base)

    monkeypatch.setattr(nexus.records, "find", noted)
    assert planned(nexus, found) is plan
    assert "http://x/a" in looked_up


def test_who_may_no_longer_read_is_refused_though_the_plan_is_there(nexus: Nexus) -> None:
    found = selected(nexus, "a")
    planned(nexus, found)
    with pytest.raises(AuthorizationFailed):
        nexus.delivering.plan(found, lambda project: project != "o/p")
