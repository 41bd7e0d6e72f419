"""Where the archive in a folder and the one behind a server used to differ: they do the same, and refuse the same."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from muniment import Archive
from muniment.content import Finding
from muniment.content.archive import PackageForm
from muniment.content.identity import new_uuid
from muniment.errors.archive import (
    FileNotInInstance,
    NotAPlainFile,
    PackageRefused,
    PathTaken,
    ResourceNotFound,
    TransactionClosed,
)
from muniment.errors.base import BadInput
from muniment.errors.content import NameNotUnicode
from muniment.errors.exchange import UnknownLayout
from muniment.workflows.export import export
from tests.format.bags import make_bag, pack
from tests.format.objects import make_object, staged


def put(archive: Any, id: str, project: str | None = None, **files: bytes) -> Any:
    with archive.new(id, project) as transaction:
        for name, data in files.items():
            transaction.add(data, name)
    return archive.get(id, project=project)


# --- asking


def test_an_id_of_several_projects_is_in_the_archive(archive: Any) -> None:
    put(archive, "car", "a/one", file=b"1")
    put(archive, "car", "b/two", file=b"2")
    assert "car" in archive
    assert archive.exists("car")
    assert not archive.exists("car", "c/three")
    assert "bus" not in archive
    assert 5 not in archive
    assert "" not in archive


def test_an_instance_without_files_is_one_all_the_same(archive: Any) -> None:
    found = put(archive, "car")
    assert found
    assert (len(found), list(found), list(found.files())) == (0, [], [])
    assert "file" not in found
    with pytest.raises(FileNotInInstance):
        _ = found["file"]
    with archive.get("car", "a") as transaction:
        transaction.add(b"1", "file")
    assert [len(each) for each in archive.history("car")] == [0, 1]


def test_an_event_of_ones_own_is_written_and_read(archive: Any) -> None:
    put(archive, "car", file=b"1")
    written = archive.record_event("inspection", resource="car", instance=1, detail={"by": "eye"})
    assert (written.event, written.resource, written.project) == ("inspection", "car", "main/main")
    assert list(archive.events())[-1] == written
    failed = archive.record_event("inspection", outcome="failure")
    assert (failed.seq, failed.outcome, failed.resource) == (written.seq + 1, "failure", "")
    with pytest.raises(BadInput):
        archive.record_event("ingestion")
    with pytest.raises(ResourceNotFound):
        archive.record_event("inspection", resource="bus")
    assert archive.head().seq == failed.seq


def test_a_live_log_goes_on_with_what_comes(archive: Any) -> None:
    put(archive, "car", file=b"1")
    before = archive.head().seq
    following = archive.events(before, live=True)
    for detail in ("one", "two"):
        written = archive.record_event("inspection", detail={"of": detail})
        assert next(following) == written
    following.close()


# --- packages and parity


@pytest.mark.parametrize("form", ["tar", "zip"])
@pytest.mark.parametrize("layout", ["bag", "instances", "ocfl"])
def test_a_package_goes_out_and_comes_in(archive: Any, layout: str, form: PackageForm) -> None:
    put(archive, "car", file=b"1" * 1000)
    pieces: list[bytes] = []
    size, sha256 = archive.export("car", layout, pieces.append, form=form)
    assert sum(map(len, pieces)) == size
    assert b"".join(pieces).startswith(b"PK") == (form == "zip")
    assert len(sha256) == 64
    assert archive.import_package(iter(pieces), id="bus") == ["bus"]
    assert archive.get("bus").read("file") == b"1" * 1000


@pytest.mark.parametrize("layout", ["bag", "instances", "ocfl"])
def test_what_goes_out_of_any_kind_comes_in_elsewhere(archive: Any, tmp_path: Path, layout: str) -> None:
    put(archive, "car", file=b"1" * 1000, large=b"2" * 70_000)
    with archive.get("car", "a") as transaction:
        transaction.replace(b"3", "file")
        transaction.add(b"1" * 1000, "copy")
    pieces: list[bytes] = []
    archive.export("car", layout, pieces.append)
    with Archive.init(tmp_path / "another", workers=0) as another:
        assert another.import_package(iter(pieces), id="bus") == ["bus"]
        found = another.get("bus")
        read = {entry.path: found.read(entry.path) for entry in found.files()}
        assert read == {"file": b"3", "large": b"2" * 70_000, "copy": b"1" * 1000}
        assert found.head == (1 if layout == "bag" else 2)
        assert [finding.code for finding in another.audit() if finding.failed] == []


def test_an_unknown_layout_is_named_with_those_that_are_known(archive: Any) -> None:
    put(archive, "car", file=b"1")
    with pytest.raises(UnknownLayout, match="instances"):
        archive.export("car", "zip", print)
    with pytest.raises(ResourceNotFound):
        archive.export("bus", "bag", print)


def test_a_package_is_called_what_its_sender_calls_it(archive: Any, tmp_path: Path) -> None:
    packed = pack(make_bag(tmp_path / "bag"), "bag.tar").read_bytes().rstrip(b"\0")
    told: list[Finding] = []
    short = packed + bytes(-len(packed) % 512 + 512)
    archive.import_package([short], id="named", name="bag.tar", notice=told.append)
    archive.import_package([short], id="nameless", notice=told.append)
    assert [finding.where for finding in told] == ["bag.tar", "the package"]
    origins = [event.detail["origin"] for event in archive.events() if event.event == "ingestion"]
    assert origins == [{"path": "bag.tar", "kind": "bag"}, {"kind": "bag"}]
    with pytest.raises(PackageRefused, match=r"^my letters\.tar was refused: B052 my letters\.tar"):
        archive.import_package([b"neither"], name="my letters.tar")


def test_records_that_are_wrong_are_named_by_their_place_in_the_package(archive: Any, tmp_path: Path) -> None:
    put(archive, "car", file=b"1")
    bag = tmp_path / "bag"
    export(archive, "car", "bag", bag)
    (bag / "metadata/instance.json").write_text("[]")
    for each in bag.glob("tagmanifest-*"):
        each.unlink()
    with pytest.raises(PackageRefused, match=r"^bag\.tar/metadata/instance\.json was refused"):
        archive.import_package([pack(bag, "bag.tar").read_bytes()], id="bus", name="bag.tar")


def test_staged_changes_are_a_version_when_asked_for(archive: Any, tmp_path: Path) -> None:
    made = staged(make_object(tmp_path / "object", [{"a": b"1"}]))
    packed = pack(made, "object.tar").read_bytes()
    archive.import_package([packed], id="as it was")
    archive.import_package([packed], id="with them", staged=True)
    assert {id: archive.get(id).number for id in ("as it was", "with them")} == {"as it was": 1, "with them": 2}
    assert archive.get("with them").read("b") == b"only here"


def test_an_empty_package_is_refused(archive: Any) -> None:
    with pytest.raises(BadInput, match="empty"):
        archive.import_package([])
    assert list(archive) == []


def test_what_lacks_parity_gets_it_once(on_a_disk: Any, tmp_path: Path) -> None:
    put(on_a_disk, "car", file=os.urandom(150_000))
    on_a_disk.protect("car")
    parity = tmp_path / "archive" / "parity"
    sets = list((parity / "files").rglob("*.par2"))
    assert sets
    assert on_a_disk.protect("car") == 0
    with pytest.raises(ResourceNotFound):
        on_a_disk.protect("bus")


# --- what cannot be taken as it is


def test_a_link_that_points_with_no_unicode_is_refused(archive: Any, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file").write_bytes(b"1")
    os.symlink(b"\xff\xfe", os.fsencode(folder / "link"))
    with archive.new("car") as transaction:
        with pytest.raises(NameNotUnicode):
            transaction.add(folder)
        assert list(transaction) == []
        transaction.add(b"1", "one")
    assert list(archive.get("car")) == ["one"]


def test_special_files_are_called_what_they_are(archive: Any, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    os.mkfifo(folder / "pipe")
    with archive.new("car") as transaction:
        for source in (folder / "pipe", folder):
            with pytest.raises(NotAPlainFile, match="a named pipe"):
                transaction.add(source)
        with pytest.raises(NotAPlainFile, match="a device"):
            transaction.add("/dev/null")
        assert list(transaction) == []


def test_an_empty_folder_under_a_name_is_kept(archive: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with archive.new("car") as transaction:
        transaction.add(tmp_path / "empty", "named")
    assert archive.get("car").record["folders"] == ["named"]
    with archive.new("bus") as transaction:
        transaction.add(tmp_path / "empty")
    assert "folders" not in archive.get("bus").record


def test_digests_for_a_folder_are_refused(archive: Any, tmp_path: Path) -> None:
    """They say what one file must have; passed over, they would prove nothing."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_bytes(b"1")
    with archive.new("car") as transaction:
        for options in ({"digests": "0" * 64}, {"modified": "2020-01-01T00:00:00Z"}):
            with pytest.raises(BadInput, match="a folder"):
                transaction.add(tmp_path / "folder", **options)
        assert list(transaction) == []


def test_half_a_folder_is_not_kept_when_the_rest_cannot_be(archive: Any, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for number in range(30):
        (folder / f"{number:02}").write_bytes(bytes([number]) * 1000)
    (folder / "20").write_bytes(b"large" * 100_000)
    with archive.new("car") as transaction:
        transaction.add(b"there before", "15")
        with pytest.raises(PathTaken):
            transaction.add(folder)
        assert list(transaction) == ["15"]
        transaction.add(folder, "in")
        assert len(list(transaction)) == 31
    assert archive.get("car").read("15") == b"there before"


# --- transactions


def test_provenance_and_metadata_come_back_with_a_resumed_transaction(archive: Any) -> None:
    transaction = archive.new("car")
    transaction.provenance.append({"instance": "elsewhere"})
    transaction.metadata["title"] = "Auto"
    transaction.leave()
    again = archive.resume(transaction.transaction)
    assert again.provenance == [{"instance": "elsewhere"}]
    assert again.metadata == {"title": "Auto"}
    again.provenance.append("more")
    again.park()
    again.unpark()
    done = again.commit()
    assert done.provenance == [{"instance": "elsewhere"}, "more"]
    assert json.dumps(done.record["provenance"]) == json.dumps(done.provenance)


def test_several_threads_add_at_once(archive: Any) -> None:
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for part in range(3):
                transaction.add(bytes([number]) * (1000 if part else 300_000), f"{number}/{part}")
        except BaseException as error:  # noqa: BLE001 - shown below
            errors.append(error)

    with archive.new("car") as transaction:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
    found = archive.get("car")
    assert len(found) == 18
    assert {found.read(f"{number}/0") for number in range(6)} == {bytes([number]) * 300_000 for number in range(6)}


@pytest.mark.parametrize("end", ["commit", "rollback", "leave"])
def test_a_closed_transaction_refuses_everything_in_the_same_way(archive: Any, end: str) -> None:
    transaction = archive.new("car")
    transaction.add(b"1", "one")
    getattr(transaction, end)()
    asked = {
        "files": lambda: list(transaction.files()),
        "iteration": lambda: list(transaction),
        "membership": lambda: "one" in transaction,
        "add": lambda: transaction.add(b"2", "two"),
        "replace": lambda: transaction.replace(b"2", "one"),
        "delete": lambda: transaction.delete("one"),
        "note_links": lambda: transaction.note_links({"a": "b"}, []),
        "prepare": lambda: transaction.prepare(new_uuid(), archive.config.id),
        "park": transaction.park,
        "unpark": transaction.unpark,
        "leave": transaction.leave,
        "commit": transaction.commit,
        "rollback": transaction.rollback,
    }
    assert [what for what, ask in asked.items() if not refused(ask)] == []


def refused(ask: Any) -> bool:
    try:
        ask()
    except TransactionClosed:
        return True
    return False
