"""Registrations that broke off or were damaged: made anew, looked at, put right, and checked night by night."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from muniment import Archive
from muniment.content import Entry
from muniment.doors.osf import check
from muniment.doors.osf.context import Parity
from muniment.doors.osf.manifests import disagreements
from muniment.doors.osf.registration import Registration
from muniment.doors.osf.repair import StoreRepair, damages
from muniment.errors.base import MunimentError
from muniment.errors.registration import ContainerExists
from muniment.errors.stores import StoreFailed
from muniment.jobs import Call, JobState
from muniment.stores import Receipt
from muniment.stores.folder import FolderStore
from muniment.stores.protocol import DEFAULTS, Open, PutOptions
from muniment.testing.servers.web import WebServer
from tests.servers.osf.house import PROJECT, House, container, http


class Quiet:
    """The context of a step that nobody watches."""

    def progress(self, *_: object, **__: object) -> None: ...

    def check(self) -> None: ...


class Breaking(FolderStore):
    """A folder whose disk fails at a document of the tree."""

    def put(self, key: str, source: Entry, open: Open, options: PutOptions = DEFAULTS) -> Receipt:
        if key.endswith("http/manifest.json"):
            raise StoreFailed(store=str(self), key=key, reason="the disk is gone")
        return super().put(key, source, open, options)


@pytest.fixture
def site() -> Iterator[WebServer]:
    with WebServer(style="json") as server:
        server.files = {"d/a": b"alpha", "d/large": bytes(range(256)) * 600}
        yield server


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def archived(archive: Any, files: dict[str, bytes]) -> Any:
    """The next instance of a container, as its steps make it."""
    known = "abc" in archive
    transaction = archive.get("abc", "a") if known else archive.new("abc")
    with transaction:
        for path in list(transaction):
            transaction.delete(path)
        for name, data in files.items():
            transaction.add(data, f"http/d/{name}")
        about: dict[str, Any] = {"id": "abc", "title": "t", "description": None, "contributors": []}
        service = {"label": "http", "service": "http", "resource": "d", "prefix": "http/d"}
        transaction.metadata.update({"container": about, "services": [service], "failures": []})
    return archive.get("abc")


def register(store: FolderStore, instance: Any, archive: Any, scratch: Path) -> None:
    scratch.mkdir(exist_ok=True)
    Registration(
        store,
        instance,
        [],
        archive=archive,
        parity=Parity(make=False),
        scratch=scratch,
        context=Quiet(),  # type: ignore[arg-type]  # all it is asked
    ).write()


@pytest.mark.parametrize("files", [{"a": b"1", "b/c": b"2"}, {"a": b"other", "new": b"3"}])
def test_a_registration_that_broke_off_is_made_anew_with_and_without_changes(
    tmp_path: Path, files: dict[str, bytes]
) -> None:
    with Archive.init(tmp_path / "archive", workers=0) as archive:
        first = archived(archive, {"a": b"1", "b/c": b"2"})
        with pytest.raises(StoreFailed):
            register(Breaking(tmp_path / "store"), first, archive, tmp_path / "scratch")
        assert (tmp_path / "store" / "Manifests" / "abc.http.manifest.json").exists()
        register(FolderStore(tmp_path / "store"), archived(archive, files), archive, tmp_path / "scratch")
        register(FolderStore(tmp_path / "fresh"), archive.get("abc"), archive, tmp_path / "scratch")
    below = {place: _tree(tmp_path / place) for place in ("store", "fresh")}
    documents = {path for path in below["fresh"] if not path.startswith(("Files/", "File Metadata/"))}
    assert {path for path in below["store"] if not path.startswith(("Files/", "File Metadata/"))} == documents
    for path in documents - {path for path in documents if path.endswith("manifest.json")}:
        assert (tmp_path / "store" / path).read_bytes() == (tmp_path / "fresh" / path).read_bytes()
    manifest = json.loads((tmp_path / "store" / "Manifests" / "abc.manifest.json").read_bytes())
    assert {each["path"] for each in manifest["services"]["http"]["files"]} == set(files)


def test_a_registration_that_is_complete_is_never_written_over(tmp_path: Path) -> None:
    with Archive.init(tmp_path / "archive", workers=0) as archive:
        store = FolderStore(tmp_path / "store")
        register(store, archived(archive, {"a": b"1"}), archive, tmp_path / "scratch")
        before = {path: (tmp_path / "store" / path).read_bytes() for path in _tree(tmp_path / "store")}
        with pytest.raises(MunimentError, match="never overwritten"):
            register(store, archived(archive, {"a": b"2"}), archive, tmp_path / "scratch")
        assert before.items() <= {p: (tmp_path / "store" / p).read_bytes() for p in _tree(tmp_path / "store")}.items()


def test_the_tree_has_nothing_beside_it_and_no_child_of_a_parent_that_failed(tmp_path: Path, site: WebServer) -> None:
    kid = container("kid", [http(site, "d/")])
    with House(tmp_path) as house:
        assert house.finish(container("top", [http(site, "gone/")], [kid])).state is JobState.FAILED
        assert "Manifests/kid.manifest.json" in house.stored()
        assert not (house.store / "Directory Structures").exists()
        site.files["gone/x"] = b"here"
        changed = container("top", [http(site, "gone/")], [container("kid", [http(site, "d/")], title="another")])
        with pytest.raises(ContainerExists, match="kid"):
            house.submit(changed)
        assert house.finish(container("top", [http(site, "gone/")], [kid])).state is JobState.DONE
        tree = _tree(house.store / "Directory Structures")
        assert {"top/manifest.json", "top/http/gone/x.json", "top/children/kid/http/d/a.json"} <= tree
        assert {path.name for path in house.store.iterdir()} == {
            "Directory Structures", "File Metadata", "Files", "Manifests", "Parities",
        }  # fmt: skip


@pytest.mark.parametrize("lost", [False, True])
def test_content_known_from_an_earlier_registration_is_looked_at_before_it_is_believed(
    tmp_path: Path, site: WebServer, *, lost: bool
) -> None:
    with House(tmp_path) as house:
        house.finish(container("abc", [http(site, "d/")]))
        place = house.store / "Files" / sha256(b"alpha")
        place.unlink() if lost else place.write_bytes(b"alphA")
        assert house.finish(container("def", [http(site, "d/")])).state is JobState.DONE
        assert place.read_bytes() == b"alpha"
        kept = [path.read_bytes() for path in (house.store / ".incoming").glob("damaged-*")]
        assert kept == ([] if lost else [b"alphA"])


def test_damage_is_put_right_from_the_archive_and_without_it_from_parity(tmp_path: Path, site: WebServer) -> None:
    large = site.files["d/large"]
    with House(tmp_path) as house:
        house.finish(container("abc", [http(site, "d/")]))
        store = FolderStore(house.store)
        place, small = house.store / "Files" / sha256(large), house.store / "Files" / sha256(b"alpha")
        (parity, *_) = (house.store / "Parities").iterdir()
        record = house.store / "File Metadata" / f"{sha256(b'alpha')}.json"
        was = {path: path.read_bytes() for path in (place, small, parity, record)}

        def repaired(archive: Any) -> dict[str, str]:
            repair = StoreRepair(store, archive, PROJECT, tmp_path)
            return {damage.key.partition("/")[0]: str(done) for damage, done in repair.repair(list(damages(store)))}

        place.write_bytes(bytes(len(large)))
        small.unlink()
        parity.write_bytes(b"PAR2")
        said = repaired(house.archive)
        assert {path: path.read_bytes() for path in was} == was
        assert "from the archive, abc" in said["Files"]
        assert "made anew" in said["Parities"]
        with Archive.init(tmp_path / "empty", workers=0) as empty:
            place.write_bytes(large[:999] + b"\xaa\xbb" + large[1001:])
            assert repaired(empty) == {"Files": "from its parity"}
            record.write_bytes(b"{}")
            assert repaired(empty) == {"File Metadata": "from its content"}
            assert {path: path.read_bytes() for path in (place, small, parity)} == {
                path: was[path] for path in (place, small, parity)
            }
            assert json.loads(record.read_bytes())["md5"] == json.loads(was[record])["md5"]
            small.write_bytes(b"gone")
            assert "cannot be repaired" in repaired(empty)["Files"]
        assert [damage.key for damage in damages(store)] == [f"Files/{sha256(b'alpha')}"]


def test_a_check_reads_as_much_as_it_may_and_goes_on_the_next_night(tmp_path: Path, site: WebServer) -> None:
    site.files = {f"d/{number}": b"%d" % number * 1000 for number in range(6)}
    with House(tmp_path) as house:
        house.finish(container("abc", [http(site, "d/")]))

        def night() -> Any:
            job = house.ledger.submit(
                check.KIND, Call(check.CHECK, {"bytes": 2500}), requester="tests", given=str(len(seen))
            )
            seen.append(house.wait(job.id))
            (row,) = house.ledger.steps(job.id, name=check.CHECK)
            return row.result["stores"]["0"]

        seen: list[Any] = []
        told = [night() for _ in range(3)]
        assert [each["records"] for each in told] == [3, 3, 3]
        assert (bool(told[0]["after"]), told[0]["after"] < told[1]["after"]) == (True, True)
        (house.store / "Files" / sha256(b"3" * 1000)).write_bytes(b"?")
        states = [(night(), seen[-1].state, seen[-1].reason)[1:] for _ in range(2)]
        assert JobState.FAILED in [state for state, _ in states]
        assert any("registration repair" in reason for _, reason in states)


def test_manifests_that_disagree_with_the_files_are_told_and_left_as_they_are(tmp_path: Path, site: WebServer) -> None:
    with House(tmp_path) as house:
        house.finish(container("top", [http(site, "d/")], [container("kid", [http(site, "d/")])]))
        store = FolderStore(house.store)
        assert list(disagreements(store)) == []
        places = [
            "Manifests/kid.manifest.json",
            "Manifests/top.http.manifest.json",
            "Directory Structures/top/children/kid/http/d/a.json",
        ]
        for key in places:
            place = house.store / key
            was = place.read_bytes()
            for damaged in (None, b"{", was.replace(sha256(b"alpha").encode(), sha256(b"beta").encode())):
                place.unlink() if damaged is None else place.write_bytes(damaged)
                before = _tree(house.store)
                assert key in {each.key for each in disagreements(store)}
                assert (_tree(house.store), list(damages(store))) == (before, [])
                place.write_bytes(was)
        record = house.store / "File Metadata" / f"{sha256(b'alpha')}.json"
        record.write_bytes(record.read_bytes().replace(b'"size": 5', b'"size": 6'))
        told = {(each.key, each.reason) for each in disagreements(store)}
        said = "http/a: the manifest says that its size is 5, and the record 6"
        assert told == {(f"Manifests/{id}.manifest.json", said) for id in ("top", "kid")}


def _tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
