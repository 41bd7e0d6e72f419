"""What is taken in: our own packages without loss, other people's as far as their formats tell."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from muniment.archive import Archive
from muniment.content import Finding
from muniment.errors.archive import PackageRefused, ResourceExists
from muniment.errors.base import BadInput
from muniment.workflows.export import export
from muniment.workflows.imports import import_package
from tests.acceptance.exchange.making import ID, PROJECT, judged_by_ocfl, new_archive, view, views


def clean(archive: Archive) -> bool:
    """Whether the audit is content and nothing unfinished lies about."""
    left = [path for name in ("open", "scratch") for path in (archive.path / "staging" / name).iterdir()]
    return not [finding for finding in archive.audit() if finding.code != "M401"] and not left


@pytest.mark.parametrize("id", [ID, "empty"])
@pytest.mark.parametrize("name", ["out", "out.tar"])
@pytest.mark.parametrize("layout", ["instances", "ocfl"])
def test_a_history_comes_back_without_loss(
    archive: Archive, other: Archive, tmp_path: Path, layout: str, name: str, id: str
) -> None:
    export(archive, id, layout, tmp_path / name)
    assert import_package(other, tmp_path / name) == [id]
    assert views(other, id) == views(archive, id)
    assert judged_by_ocfl(other.get(id).root) == ""
    assert clean(other)
    ingested = [event for event in other.events() if event.event == "ingestion"]
    assert [event.instance for event in ingested] == list(range(1, archive.get(id).head + 1))
    assert ingested[0].detail["origin"] == {"path": name, "kind": layout, "number": 1}
    assert [item.head for item in other.resources()] == [archive.get(id).head]


@pytest.mark.parametrize("name", ["out", "out.tar"])
def test_a_bag_of_one_instance_comes_back_as_the_first(
    archive: Archive, other: Archive, tmp_path: Path, name: str
) -> None:
    export(archive, ID, "bag", tmp_path / name)
    import_package(other, tmp_path / name)
    came, went = view(other.get(ID)), view(archive.get(ID))
    went["record"]["number"] = went["number"] = 1
    assert came == went
    assert [event.detail["origin"]["number"] for event in other.events() if event.event == "ingestion"] == [3]


def test_a_whole_storage_root_is_taken_in(archive: Archive, other: Archive) -> None:
    assert sorted(import_package(other, archive.path / "objects")) == sorted([ID, "empty"])
    assert views(other) == views(archive)


@pytest.mark.parametrize("mode", ["worm", "dynamic"])
def test_an_archive_of_other_digests_and_mode_takes_it_in(archive: Archive, tmp_path: Path, mode: str) -> None:
    export(archive, ID, "instances", tmp_path / "out.tar")
    with new_archive(tmp_path / "small", mode=mode, digests=("sha256",)) as small:
        import_package(small, tmp_path / "out.tar")
        assert [item["bytes"] for item in views(small)] == [item["bytes"] for item in views(archive)]
        assert clean(small)
        with small.get(ID, "a") as more:
            more.add(b"more", "more")
        assert small.get(ID).head == 4
        assert clean(small)


def test_id_and_project_can_be_given(archive: Archive, other: Archive, tmp_path: Path) -> None:
    export(archive, ID, "instances", tmp_path / "out")
    assert import_package(other, tmp_path / "out", id="new", project="a/b") == ["new"]
    assert (other.get("new").project, other.get("new").record["id"]) == ("a/b", "new")
    assert clean(other)


def test_one_id_does_not_serve_two_resources(archive: Archive, other: Archive) -> None:
    with pytest.raises(BadInput, match="2 resources"):
        import_package(other, archive.path / "objects", id="one")
    assert list(other) == []


def test_what_is_there_is_not_taken_in_again(archive: Archive, tmp_path: Path) -> None:
    export(archive, ID, "ocfl", tmp_path / "out")
    before = views(archive)
    with pytest.raises(ResourceExists):
        import_package(archive, tmp_path / "out")
    assert views(archive) == before
    assert clean(archive)


def a_bag(folder: Path, payload: dict[str, bytes], tags: dict[str, bytes] | None = None, **more: Any) -> Path:
    """A bag as another program might make it: MD5, BagIt 0.97 unless told otherwise."""
    for path, data in payload.items():
        place = folder / "data" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    (folder / "bagit.txt").write_text(
        f"BagIt-Version: {more.get('version', '0.97')}\nTag-File-Character-Encoding: UTF-8\n"
    )
    lines = [
        f"{hashlib.md5(data).hexdigest()}  data/{more.get('written', {}).get(path, path)}\n"
        for path, data in payload.items()
    ]
    (folder / "manifest-md5.txt").write_text("".join(lines))
    for path, data in (tags or {}).items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    return folder


def test_a_foreign_bag_keeps_its_payload_tag_files_and_info(other: Archive, tmp_path: Path) -> None:
    info = b"External-Identifier: hdl:1/2\nContact-Name: A\n B\nSource-Organization: X\n"
    payload = {"a/b.txt": b"b", "c%d": b"c", "bag-tag-files/mine": b"m", "line\nend": b"l"}
    tags = {"bag-info.txt": info, "metadata/mets.xml": b"<mets/>", "metadata/instance.json": b"not ours"}
    bag = a_bag(tmp_path / "bag", payload, tags, written={"line\nend": "line%0Aend"})
    os.utime(bag / "data/a/b.txt", (1_000_000_000, 1_000_000_000))
    (id,) = import_package(other, bag)
    instance = other.get(id)
    assert id == "hdl:1/2"
    assert {path: instance.read(path) for path in instance} == {
        **payload,
        "bag-tag-files-2/metadata/mets.xml": b"<mets/>",
        "bag-tag-files-2/metadata/instance.json": b"not ours",
    }
    assert instance["a/b.txt"].modified == "2001-09-09T01:46:40.000000Z"
    assert instance.metadata["bag"] == {
        "info": [["External-Identifier", "hdl:1/2"], ["Contact-Name", "A B"], ["Source-Organization", "X"]],
        "tag_files": "bag-tag-files-2",
    }
    assert clean(other)


def test_a_bag_without_an_identifier_gets_one(other: Archive, tmp_path: Path) -> None:
    (id,) = import_package(other, a_bag(tmp_path / "bag", {"a": b"a"}))
    assert list(other) == [id]


def test_a_warning_about_a_bag_is_told(other: Archive, tmp_path: Path) -> None:
    told: list[Finding] = []
    bag = a_bag(tmp_path / "bag", {"ends with a point.": b"a"}, version="1.0")
    import_package(other, bag, notice=told.append)
    assert {"B507", "B513"} <= {finding.code for finding in told}


def test_an_invalid_bag_is_refused_with_what_is_wrong(other: Archive, tmp_path: Path) -> None:
    bag = a_bag(tmp_path / "bag", {"a": b"a", "b": b"b"})
    (bag / "data/a").write_bytes(b"?")
    with pytest.raises(PackageRefused, match="data/a"):
        import_package(other, bag)
    assert list(other) == []
    assert clean(other)


def test_what_is_no_package_is_refused(other: Archive, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no tar")
    (tmp_path / "folder").mkdir()
    for name in ("text", "folder", "nowhere"):
        with pytest.raises(PackageRefused):
            import_package(other, tmp_path / name)


def an_object(folder: Path, spec: str = "1.1") -> Path:
    """An OCFL object of another program: three versions, one without user, content directory named otherwise."""
    contents = {"v1/stuff/a": b"a", "v2/stuff/deep/b": b"b"}
    for path, data in contents.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    one, two = (hashlib.sha512(data).hexdigest() for data in contents.values())
    two = two.upper()
    user = {"name": "Somebody", "address": "mailto:somebody@example.org"}
    states = [{one: ["a"]}, {one: ["a", "copy of a"], two: ["deep/b"]}, {two: ["deep/b"]}]
    inventory: dict[str, Any] = {
        "id": "info:foreign/1",
        "type": f"https://ocfl.io/{spec}/spec/#inventory",
        "digestAlgorithm": "sha512",
        "contentDirectory": "stuff",
        "fixity": {"md5": {hashlib.md5(b"a").hexdigest(): ["v1/stuff/a"]}, "blake2b-160": {}},
    }
    manifest = {one: ["v1/stuff/a"], two: ["v2/stuff/deep/b"]}
    for number in (1, 2, 3):
        inventory["head"] = f"v{number}"
        inventory["manifest"] = manifest if number > 1 else {one: ["v1/stuff/a"]}
        inventory["versions"] = {
            f"v{each}": {
                "created": f"2020-01-0{each}T00:00:00+01:00",
                "state": states[each - 1],
                **({"message": f"step {each}", "user": user} if each != 2 else {}),
            }
            for each in range(1, number + 1)
        }
        (folder / f"v{number}").mkdir(exist_ok=True)
        for place in (folder / f"v{number}", folder):
            data = json.dumps(inventory).encode()
            (place / "inventory.json").write_bytes(data)
            (place / "inventory.json.sha512").write_text(f"{hashlib.sha512(data).hexdigest()} inventory.json\n")
    (folder / f"0=ocfl_object_{spec}").write_text(f"ocfl_object_{spec}\n")
    return folder


@pytest.mark.parametrize("spec", ["1.0", "1.1"])
def test_a_foreign_object_comes_in_version_by_version(other: Archive, tmp_path: Path, spec: str) -> None:
    told: list[Finding] = []
    (id,) = import_package(other, an_object(tmp_path / "object", spec), notice=told.append)
    assert id == "info:foreign/1"
    history = other.history(id)
    assert [{path: instance.read(path) for path in instance} for instance in history] == [
        {"a": b"a"},
        {"a": b"a", "copy of a": b"a", "deep/b": b"b"},
        {"deep/b": b"b"},
    ]
    assert [instance.created for instance in history] == [f"2020-01-0{day}T00:00:00+01:00" for day in (1, 2, 3)]
    assert (history[2].message, history[2].agent["name"]) == ("step 3", "Somebody")
    assert "W007" in {finding.code for finding in told}
    assert clean(other)
    assert judged_by_ocfl(history[0].root) == ""


def rewritten(folder: Path, edit: Any) -> Path:
    """A bag of instances whose last record was edited, its manifests made right again."""
    records = sorted(
        folder.glob("data/instances/*/instance.json"), key=lambda path: json.loads(path.read_bytes())["number"]
    )
    record = json.loads(records[-1].read_bytes())
    edit(record)
    records[-1].write_text(json.dumps(record))
    for manifest in folder.glob("*manifest-*.txt"):
        manifest.unlink()
    info = (folder / "bag-info.txt").read_text().splitlines(keepends=True)
    (folder / "bag-info.txt").write_text("".join(line for line in info if not line.startswith("Payload-Oxum")))
    lines = [
        f"{hashlib.sha512(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n"
        for path in sorted(folder.rglob("data/**/*"))
        if path.is_file()
    ]
    (folder / "manifest-sha512.txt").write_text("".join(lines))
    return folder


def _set(**values: Any) -> Any:
    return lambda record: record.update(values)


def _of_file(**values: Any) -> Any:
    return lambda record: record["files"][0].update(values)


@pytest.mark.parametrize(
    "edit",
    [
        _set(number=7),
        _set(instance="other"),
        _set(created="yesterday"),
        _set(created="2020-01-01T00:00:00"),
        _set(agent="me"),
        _set(metadata=[]),
        _set(links={"../out": "x"}),
        _set(folders=["/etc"]),
        _set(files=[{}]),
        _set(files=[1]),
        _of_file(path="../../out"),
        _of_file(path="/etc/passwd"),
        _of_file(path="a\0b"),
        _of_file(digests={"sha512": "00"}),
        _of_file(digests={"crc": "00"}),
        _of_file(ref={"instance": "nobody", "path": "a"}),
        _of_file(size="much"),
    ],
)
def test_records_that_cannot_be_are_refused_whole(archive: Archive, other: Archive, tmp_path: Path, edit: Any) -> None:
    export(archive, ID, "instances", tmp_path / "out")
    with pytest.raises(PackageRefused):
        import_package(other, rewritten(tmp_path / "out", edit))
    assert list(other) == []
    assert clean(other)
    assert not (tmp_path / "out2").exists()


def test_a_file_that_no_record_names_is_refused(archive: Archive, other: Archive, tmp_path: Path) -> None:
    export(archive, ID, "instances", tmp_path / "out")
    (tmp_path / "out/data/instances/unnamed").write_bytes(b"?")
    with pytest.raises(PackageRefused, match="unnamed"):
        import_package(other, rewritten(tmp_path / "out", _set()))


def test_an_edited_bag_is_taken_in_when_its_records_are_right(archive: Archive, other: Archive, tmp_path: Path) -> None:
    export(archive, ID, "instances", tmp_path / "out")
    import_package(other, rewritten(tmp_path / "out", _set(message="edited")))
    assert other.get(ID).message == "edited"
    assert other.get(ID).project == PROJECT


def test_a_compressed_tar_is_taken_in(archive: Archive, other: Archive, tmp_path: Path) -> None:
    export(archive, ID, "instances", tmp_path / "out")
    with tarfile.open(tmp_path / "out.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "out", "out")
    import_package(other, tmp_path / "out.tar.gz")
    assert views(other) == views(archive)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("layout", ["instances", "bag"])
def test_a_pipe_in_the_place_of_any_record_of_a_folder_makes_nobody_wait(
    archive: Archive, other: Archive, tmp_path: Path, layout: str
) -> None:
    export(archive, ID, layout, tmp_path / "out")
    records = [path for path in sorted((tmp_path / "out").rglob("*")) if path.is_file() and "data" not in path.parts]
    assert len(records) > 3
    for record in records:
        kept = record.read_bytes()
        record.unlink()
        os.mkfifo(record)
        with pytest.raises((PackageRefused, BadInput)):
            import_package(other, tmp_path / "out")
        record.unlink()
        record.write_bytes(kept)
    assert list(other) == []
