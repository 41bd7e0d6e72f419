"""The domain without a server: revisions, races, selections, forms, and the making of parity."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from muniment.archive import Agent, Archive
from muniment.database import Database
from muniment.doors.nexus.changes import Actor
from muniment.doors.nexus.files import Upload
from muniment.doors.nexus.http.multipart import Form
from muniment.doors.nexus.nexus import Nexus, Options
from muniment.doors.nexus.parity import ParityMaker
from muniment.doors.nexus.projects import Project
from muniment.doors.nexus.selections import Selections
from muniment.errors.nexus import (
    FilePartMissing,
    IdTaken,
    MultipartRefused,
    RevIsStale,
    SelectionNotFound,
    UploadTooLarge,
)
from tests.timing import eventually

BY = Actor("keys/users/ada", Agent("Ada", "mailto:ada@example.org"))


@pytest.fixture
def nexus(tmp_path: Path) -> Iterator[Nexus]:
    with (
        Archive.init(tmp_path / "archive", parity=False) as archive,
        Database.open(tmp_path / "control.db") as database,
    ):
        made = Nexus(archive, Options(base="http://example.org/v1"), database=database)
        made.projects.create_organization("o", None, BY)
        made.projects.create("o/p", {"base": "http://x/"}, BY)
        yield made
        made.close()


def project_of(nexus: Nexus) -> Project:
    return nexus.projects.project("o/p")


def test_of_ten_that_create_one_id_one_succeeds(nexus: Nexus) -> None:
    outcomes: list[str] = []

    def create() -> None:
        try:
            nexus.resources.create(project_of(nexus), "http://x/one", b'{"a":1}', {"a": 1}, BY)
            outcomes.append("made")
        except IdTaken:
            outcomes.append("taken")

    threads = [threading.Thread(target=create) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["made"] + 9 * ["taken"]


def test_of_ten_that_change_one_revision_one_succeeds(nexus: Nexus) -> None:
    project = project_of(nexus)
    nexus.resources.create(project, "http://x/race", b"{}", {}, BY)
    outcomes: list[str] = []

    def change(number: int) -> None:
        try:
            nexus.resources.update(project, "http://x/race", 1, b"{}", {"n": number}, BY)
            outcomes.append("changed")
        except RevIsStale:
            outcomes.append("stale")

    threads = [threading.Thread(target=change, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["changed"] + 9 * ["stale"]
    assert nexus.archive.get("http://x/race", project="o/p").number == 2


def test_projects_are_found_again_from_the_files_alone(nexus: Nexus, tmp_path: Path) -> None:
    state = tmp_path / "elsewhere"
    with Archive(nexus.archive.path, state=state) as archive, Database.open(tmp_path / "new.db") as database:
        again = Nexus(archive, Options(base="http://other.example/v1"), database=database)
        found = again.projects.project("o/p")
        assert (found.base, again.projects.names()) == ("http://x/", ["o/p"])
        again.close()


def test_selections_expire_and_are_erased(tmp_path: Path) -> None:
    now = [1000.0]
    database = Database.open(tmp_path / "control.db")
    book = Selections(database, life=60, clock=lambda: now[0])
    made = book.add("o/p", "http://x/s", (), "ada")
    assert book.get("o/p", "http://x/s").left(1010.4) == 50
    with pytest.raises(IdTaken):
        book.add("o/p", "http://x/s", (), "ada")
    now[0] += 60
    with pytest.raises(SelectionNotFound):
        book.get("o/p", "http://x/s")
    assert not book.has("o/p", "http://x/s")
    assert book.add("o/p", "http://x/s", (), "ada").created_at > made.created_at
    now[0] += 61
    assert (book.erase_expired(), book.erase_expired()) == (1, 0)
    database.close()


def test_crcs_are_remembered_over_a_restart(tmp_path: Path) -> None:
    with Database.open(tmp_path / "control.db") as database:
        crcs = Selections(database, life=60).crcs()
        crcs["sha256:a"] = 2**32 - 1
        crcs.keep()
    with Database.open(tmp_path / "control.db") as database:
        found = Selections(database, life=60).crcs()
        assert "sha256:a" not in found
        found.load(["sha256:a", "sha256:b"])
        assert dict(found) == {"sha256:a": 2**32 - 1}


def test_parity_is_made_when_it_is_quiet(tmp_path: Path) -> None:
    with Archive.init(tmp_path / "archive", parity=False) as archive:
        keeper = ParityMaker(archive, quiet=0.05)
        with archive.new("a", "o/p") as transaction:
            transaction.add(b"x", "a.txt")
        assert {finding.kind.code for finding in archive.audit()} == {"M401"}
        keeper.owe("o/p", "a")
        keeper.owe("o/p", "never")
        eventually(lambda: not list(archive.audit()), every=0.05)
        keeper.close()
        assert list(archive.audit()) == []


def test_a_file_keeps_its_whole_name_where_the_disk_cannot(nexus: Nexus) -> None:
    name = "ü" * 300 + ".tar.gz"
    made = nexus.files.create(project_of(nexus), None, Upload(name, "x/y", iter([b"x"])), BY)
    assert made.file["filename"] == name
    assert len(made.file["path"].encode()) <= 200
    assert made.file["path"].endswith(".gz")


def pieces(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    at = 0
    for cut in [*sorted(cuts), len(data)]:
        if data[at:cut]:
            yield data[at:cut]
        at = max(cut, at)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    content=st.binary(max_size=400) | st.text("\r\n-b", max_size=60).map(str.encode),
    filename=st.text(
        st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters='"\\'), min_size=1, max_size=30
    ),
    cuts=st.lists(st.integers(0, 700), max_size=12),
)
def test_a_form_gives_its_file_however_it_is_cut(content: bytes, filename: str, cuts: list[int]) -> None:
    head = f'--bound\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\nContent-Type: a/b\r\n\r\n'
    body = b"--bound\r\nX: y\r\n\r\nno\r\n" + head.encode() + content + b"\r\n--bound--\r\n"
    if b"\r\n--bound" in content:
        return
    upload = Form("multipart/form-data; boundary=bound", pieces(body, cuts)).upload("id")
    assert b"".join(upload.pieces) == content
    assert upload.media_type == "a/b"


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 60))
def test_no_form_however_broken_does_more_than_be_refused(noise: bytes, keep: int) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n'[:keep] + noise
    with contextlib.suppress(MultipartRefused, FilePartMissing):
        upload = Form("multipart/form-data; boundary=b", iter([body])).upload("id")
        assert {type(piece) for piece in upload.pieces} <= {bytes}


def test_a_file_over_the_limit_is_refused() -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n' + 100 * b"x" + b"\r\n--b--\r\n"
    upload = Form("multipart/form-data; boundary=b", iter([body]), limit=99).upload("id")
    with pytest.raises(UploadTooLarge):
        list(upload.pieces)
