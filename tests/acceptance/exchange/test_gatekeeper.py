"""What one door refuses all refuse, and what any lets in can be shown, got, exported, migrated and imported again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from muniment.archive import Agent, Archive, ImportedFile, ImportedInstance
from muniment.content import Entry, LogicalPath
from muniment.errors.base import BadInput, Conflict, MunimentError
from muniment.errors.content import BadValue
from muniment.workflows.export import export
from muniment.workflows.extract import take_out
from muniment.workflows.imports import import_package
from muniment.workflows.migrate import migrate
from tests.acceptance.exchange.making import judged_by_bagit, judged_by_ocfl, views

MUNIMENT = Path(sys.executable).with_name("muniment")


def new_archive(path: Path, **settings: Any) -> Archive:
    return Archive.init(path, workers=1, redundancy=0, **settings)


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return {"in": value}


POISON: dict[str, dict[str, Any]] = {
    "a time that is none": {"modified": "not a time"},
    "a time without a zone": {"modified": "2020-01-01T00:00:00"},
    "a time beyond all years": {"modified": "9999-12-31T23:59:59-12:00"},
    "a time that is an object": {"modified": {"$date": 1}},
    "half a character": {"metadata": {"a": "\ud800"}},
    "half a character for a key": {"metadata": {"\ud800": "a"}},
    "metadata 900 deep": {"metadata": nested(900)},
    "metadata 9,000 deep": {"metadata": nested(9000)},
    "infinity": {"metadata": {"a": float("inf")}},
    "no number": {"provenance": [float("nan")]},
    "bytes": {"metadata": {"a": b"x"}},
    "a number of 5,000 digits": {"metadata": {"a": 10**5000}},
    "a message with half a character": {"message": "\udcff"},
    "a message without end": {"message": "x" * 10_001},
    "a link where a file is": {"links": {"file": "x"}},
    "a link above a file": {"links": {"folder": "x"}},
    "a link below a file": {"links": {"file/link": "x"}},
    "a link below a link": {"links": {"link": "x", "link/link": "x"}},
    "a link to nowhere": {"links": {"link": ""}},
    "a link with half a character": {"links": {"link": "\udc80"}},
    "a link that climbs": {"links": {"../link": "x"}},
    "a folder where a file is": {"folders": ["file"]},
    "a folder below a file": {"folders": ["file/folder"]},
    "a folder where a link is": {"links": {"link": "x"}, "folders": ["link"]},
    "a folder that climbs": {"folders": ["../folder"]},
    "a path too long to be opened": {"path": "/".join(["x" * 200] * 16)},
}


def by_python(archive: Archive, given: dict[str, Any]) -> None:
    """As somebody would who writes Python."""
    with archive.new("r", message=given.get("message", "")) as transaction:
        transaction.add(b"x", given.get("path", "file"), modified=given.get("modified"))
        transaction.add(b"y", "folder/inside")
        transaction.metadata.update(given.get("metadata", {}))
        transaction.provenance += given.get("provenance", [])
        transaction.note_links(given.get("links", {}), given.get("folders", []))


def by_import(archive: Archive, given: dict[str, Any]) -> None:
    """As the readers of packages and migrations do."""
    archive.import_history("r", [arriving(given, archive.path)])


def arriving(given: dict[str, Any], folder: Path) -> ImportedInstance:
    source = folder.parent / "source"
    source.write_bytes(b"x")
    entries = (Entry(given.get("path", "file"), 1, {}, given.get("modified")), Entry(LogicalPath("folder/inside"), 1))
    said = {name: given[name] for name in ("message", "metadata", "provenance", "links", "folders") if name in given}
    return ImportedInstance([ImportedFile(entry, str(source)) for entry in entries], **said)


@pytest.mark.parametrize("door", [by_python, by_import])
@pytest.mark.parametrize("given", POISON.values(), ids=POISON)
def test_what_could_not_be_read_back_is_refused_and_nothing_is_left(
    tmp_path: Path, given: dict[str, Any], door: Callable[[Archive, dict[str, Any]], None]
) -> None:
    with new_archive(tmp_path / "archive") as archive:
        with pytest.raises((BadInput, Conflict)):
            door(archive, given)
        assert list(archive) == []
        assert archive.leftovers() == []
        assert list((archive.path / "staging" / "open").iterdir()) == []
        with archive.new("r") as transaction:
            transaction.add(b"x", "file")
        assert list(archive.audit()) == []


@pytest.mark.parametrize(
    "said",
    [
        {"instance": "../up"},
        {"instance": "12"},
        {"instance": "newest"},
        {"instance": "a\nb"},
        {"created": "yesterday"},
        {"created": "2020-01-01T00:00:00"},
        {"agent": Agent("two\nlines", "mailto:a@b")},
        {"agent": Agent("", "")},
        {"detail": {"a": float("nan")}},
        {"files": [ImportedFile(Entry(LogicalPath("a"), -1), "/dev/null")]},
        {"files": [ImportedFile(Entry("../a", 1), "/dev/null")]},  # type: ignore[arg-type] # what is tried
    ],
)
def test_what_only_a_history_can_say_is_judged_as_well(tmp_path: Path, said: dict[str, Any]) -> None:
    with new_archive(tmp_path / "archive") as archive:
        with pytest.raises(BadInput):
            archive.import_history("r", [ImportedInstance(**{"files": [], **said})])
        assert list(archive) == []
        assert list((archive.path / "staging" / "open").iterdir()) == []


def test_what_cannot_be_kept_does_not_close_a_transaction(tmp_path: Path) -> None:
    with new_archive(tmp_path / "archive") as archive:
        transaction = archive.new("r")
        transaction.add(b"x", "file")
        transaction.metadata["a"] = float("inf")
        for attempt in (transaction.commit, transaction.park, lambda: transaction.prepare("0" * 36, "0" * 36)):
            with pytest.raises(BadValue):
                attempt()
        transaction.metadata["a"] = 1
        assert transaction.commit().metadata == {"a": 1}


def test_reasons_events_and_agents_are_judged(tmp_path: Path) -> None:
    with new_archive(tmp_path / "archive", mode="dynamic") as archive:
        by_python(archive, {})
        with pytest.raises(BadValue):
            archive.purge("r", "\ud800")
        with pytest.raises(BadValue):
            archive.record_event("inspection", detail={"a": float("nan")})
        with pytest.raises(BadInput):
            archive.record_event("two\nlines")
        with pytest.raises(BadValue):
            archive.acting_as(Agent("two\nlines", "mailto:a@b"))
        with pytest.raises(BadValue):
            Archive(archive.path, agent=Agent("two\nlines", "mailto:a@b"))
        assert [event.event for event in archive.events()] == ["creation", "ingestion"]


@pytest.mark.parametrize("wanted", ["٣", "9" * 5000, "v" + "1" * 5000, "-1", "0", "²", "1_0", " 1", "\ud800"])
def test_a_number_of_an_instance_is_written_in_plain_digits(tmp_path: Path, wanted: str) -> None:
    with new_archive(tmp_path / "archive") as archive:
        by_python(archive, {})
        with pytest.raises(MunimentError, match="has no instance"):
            archive.get("r", instance=wanted)
        assert archive.get("r", instance="v1").number == 1


@pytest.mark.parametrize("ask", [{"after": "\ud800"}, {"after": ("\ud800", "")}, {"limit": 10**30}, {"skip": 10**30}])
def test_a_list_may_be_asked_for_in_any_way(tmp_path: Path, ask: dict[str, Any]) -> None:
    with new_archive(tmp_path / "archive") as archive:
        by_python(archive, {})
        try:
            found = list(archive.resources(**{"limit": 5, **ask}))
        except BadInput:
            return
        assert [item.id for item in found] == ([] if "skip" in ask else ["r"])


def muniment(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [MUNIMENT, *words],
        capture_output=True,
        text=True,
        check=False,
        errors="surrogateescape",
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize(
    "words",
    [
        ("add", "{file}", "--metadata", '{"a": Infinity}'),
        ("add", "{file}", "--metadata", '{"a": 1e999}'),
        ("add", "{file}", "--metadata", '{"a": "\\ud800"}'),
        ("add", "{file}", "--metadata", "[" * 900 + "]" * 900),
        ("add", "{file}", "--metadata", '{"a": ' + "[" * 900 + "]" * 900 + "}"),
        ("add", "{file}", "--metadata", '{"a": ' + "[" * 50_000 + "]" * 50_000 + "}"),
        ("add", "{file}", "--metadata", '{"a": ' + "9" * 5000 + "}"),
        ("add", "{file}", "--message", "x" * 10_001),
        ("add", "{file}", "--message", "\udcff"),
        ("add", "{file}", "--id", "a\nb"),
        ("add", "{file}", "--id", "\udcff"),
        ("get", "r", "--instance", "9" * 5000),
        ("get", "r", "--instance", "٣"),
        ("get", "\udcff"),
        ("ls", "--after", "\udcff"),
        ("ls", "--project", "\udcff"),
        ("events", "--start", "٣"),
        ("events", "--start", "9" * 5000),
        ("events", "--start", "\udcff"),
    ],
)
def test_the_shell_refuses_in_a_sentence(tmp_path: Path, words: tuple[str, ...]) -> None:
    with new_archive(tmp_path / "archive") as archive:
        by_python(archive, {})
    (tmp_path / "file").write_bytes(b"x")
    done = muniment(
        "-a",
        tmp_path / "archive",
        *(word.format(file=tmp_path / "file") if word == "{file}" else word for word in words),
    )
    assert done.returncode in {2, 3, 4}, done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 5
    assert not list((tmp_path / "archive" / "staging" / "open").iterdir())


@pytest.mark.parametrize("when", [10**12, -(10**12), 253_402_300_800, -62_135_596_801])
def test_a_file_from_any_year_is_kept_by_shell_python_and_import(tmp_path: Path, when: int) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "far").write_bytes(b"x")
    os.utime(tmp_path / "in" / "far", (when, when))
    if int(os.stat(tmp_path / "in" / "far").st_mtime) != when:
        when = int(os.stat(tmp_path / "in" / "far").st_mtime)  # this file system holds fewer years
    with new_archive(tmp_path / "archive") as archive:
        assert muniment("-a", archive.path, "add", tmp_path / "in", "--id", "shell").returncode == 0
        with archive.new("python") as transaction:
            transaction.add(tmp_path / "in")
        for id in ("shell", "python"):
            take_out(archive.get(id), tmp_path / id)
            assert (tmp_path / id / "far").read_bytes() == b"x"


RECORDS: dict[str, dict[str, Any]] = {
    "half a character": {"metadata": {"a": "\ud800"}},
    "deep": {"metadata": nested(400)},
    "no time": {"created": "2016-13-31T23:59:60Z"},
    "an identifier that climbs": {"instance": ".."},
    "an agent of two lines": {"agent": {"name": "a\nb", "address": "mailto:a@b"}},
    "a link at a file": {"links": {"file": "x"}},
    "a folder at a file": {"folders": ["file"]},
    "a folder that is none": {"folders": [5]},
}


@pytest.mark.parametrize("changed", RECORDS.values(), ids=RECORDS)
def test_records_in_a_package_are_judged_like_everything_else(tmp_path: Path, changed: dict[str, Any]) -> None:
    with new_archive(tmp_path / "archive") as archive, new_archive(tmp_path / "other") as other:
        by_python(archive, {})
        bag = tmp_path / "bag"
        export(archive, "r", "bag", bag)
        place = bag / "metadata" / "instance.json"
        place.write_text(json.dumps({**json.loads(place.read_text()), **changed}))
        (bag / "tagmanifest-sha512.txt").unlink()
        (bag / "tagmanifest-sha256.txt").unlink()
        with pytest.raises(BadInput) as refused:
            import_package(other, bag)
        assert len(str(refused.value)) < 1000
        assert list(other) == []
        assert list((other.path / "staging" / "open").iterdir()) == []


TEXT = st.text(st.characters(), max_size=6)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=5,
)
TIME = st.sampled_from(
    [None, "2016-12-31T23:59:60Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "1969-12-31T23:59:59-12:00"]
) | st.datetimes().map(lambda when: f"{when.isoformat()}+00:00")
NAME = st.sampled_from(
    ["file", "folder", "file/x", "link", "link/x", "deep/folder", "deep", "ä", "a\u0308", "\ud800", "..", "x\n"]
)


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    id=TEXT,
    message=TEXT,
    metadata=st.dictionaries(TEXT, JSON, max_size=2),
    modified=TIME,
    links=st.dictionaries(NAME, TEXT, max_size=2),
    folders=st.lists(NAME, max_size=2),
)
def test_what_is_let_in_comes_out_everywhere(
    tmp_path_factory: pytest.TempPathFactory,
    id: str,
    message: str,
    metadata: dict[str, Any],
    modified: str | None,
    links: dict[str, str],
    folders: list[str],
) -> None:
    place = tmp_path_factory.mktemp("gate")
    try:
        with new_archive(place / "archive") as archive, new_archive(place / "other") as other:
            try:
                with archive.new(id, message=message) as transaction:
                    transaction.add(b"x", "file", modified=modified)
                    transaction.metadata.update(metadata)
                    transaction.note_links(links, folders)
            except MunimentError:
                assert list(archive) == []
                return
            shown = views(archive, id)
            take_out(archive.get(id), place / "taken")
            assert judged_by_ocfl(archive.get(id).root) == ""
            for layout in ("bag", "instances", "ocfl"):
                export(archive, id, layout, place / layout)
                if layout != "ocfl":
                    assert judged_by_bagit(place / layout) == ""
                with new_archive(place / f"from-{layout}") as again:
                    import_package(again, place / layout)
                    assert views(again, id) == shown
            migrate(archive, other)
            assert views(other, id) == shown
            assert list(archive.audit()) == []
    finally:
        shutil.rmtree(place)
