"""What is remembered of a revision is all of it, in few bytes, and of its file the bytes can be had."""

from __future__ import annotations

import gc
import tracemalloc
from dataclasses import replace
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import pytest

from muniment.database import Database
from muniment.doors.nexus.remembered import Remembered, SharedFields
from muniment.doors.nexus.revision import Content, Revision
from muniment.doors.nexus.selections import Selections
from muniment.errors.database import DatabaseUnavailable

SHA = "5" * 64


class Kept:
    """Files that are all the same."""

    def open(self, place: str, offset: int = 0) -> BinaryIO:
        return BytesIO(f"{place}!".encode()[offset:])

    def read(self, place: str, size: int) -> bytes:
        return f"{place}!".encode()

    def is_newest(self, number: int) -> bool:
        return number == 1


KEPT = Kept()


def stored(number: int, at: int = 1) -> Revision:
    name = f"{number:06}.bin"
    place = f"v{at}/content/data/{name}"
    file = {"filename": name, "media_type": "a/b", "bytes": len(place) + 1, "sha256": SHA, "path": name, "uuid": "u"}
    return Revision(
        project="o/p",
        id=f"http://x/{number}",
        iri=f"http://x/{number}",
        kind="file",
        number=at,
        rev=at,
        types=("File",),
        schema="http://x/schema",
        created_at="2026-01-02T03:04:05.678Z",
        created_by="somebody",
        updated_at="2026-01-02T03:04:05.678Z",
        updated_by="somebody",
        file=file,
        contents=(Content(name, len(place) + 1, SHA, KEPT, place),),
    )


DOCUMENT = replace(
    stored(1),
    iri="http://x/another",
    kind="resource",
    type_iris=("http://x/T",),
    tags={"a": 1, "b": 2},
    updated_at="2027-01-02T03:04:05.678Z",
    updated_by="somebody else",
    deprecated=True,
    file={},
    contents=tuple(Content(name, 1, SHA, KEPT, f"v1/{name}") for name in ("a", "b", "c")),
)
DESCRIBED = replace(stored(1), file={**stored(1).file, "described": {"name": "n", "keywords": {"k": "v"}}})
ODD = replace(stored(1), file={**stored(1).file, "odd": Decimal(1)})


@pytest.mark.parametrize("revision", [stored(1), DOCUMENT, DESCRIBED, ODD, replace(DOCUMENT, contents=())])
def test_a_remembered_revision_is_what_it_was(revision: Revision) -> None:
    found = Remembered(revision, KEPT, SharedFields())
    assert found.revision() == revision
    assert list(found.revision().file) == list(revision.file)
    assert (found.updated_at, found.is_package) == (revision.updated_at, False)


def test_it_makes_the_member_that_its_content_makes() -> None:
    member = Remembered(stored(1), KEPT, SharedFields()).member("a/b", 7)
    wanted = stored(1).content.member("a/b", 7)
    assert (member.name, member.size, member.modified, member.digests) == ("a/b", wanted.size, 7, {"sha256": SHA})
    assert member.whole() == wanted.whole() == b"v1/content/data/000001.bin!"
    assert member.open(3).read() == b"content/data/000001.bin!"


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 3, 1), (1, 3, 3)])
def test_earlier_revisions_are_found_whatever_was_read_first(order: tuple[int, ...]) -> None:
    shapes = SharedFields()
    known = Remembered(stored(1, order[0]), KEPT, shapes)
    for at in order[1:]:
        known = known.with_newer(Remembered(stored(1, at), KEPT, shapes))
    assert known.number == max(order)
    for at in range(1, 4):
        found = known.at(at)
        assert (found.revision() if found else None) == (stored(1, at) if at in order else None)


def test_of_a_thousand_revisions_little_is_kept() -> None:
    shapes = SharedFields()
    revisions = [stored(number) for number in range(1_000)]
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        kept = [Remembered(revision, KEPT, shapes) for revision in revisions]
        each = (tracemalloc.get_traced_memory()[0] - before) / len(kept)
    finally:
        tracemalloc.stop()
    assert each < 400


def test_shapes_do_not_grow_without_end() -> None:
    shapes = SharedFields()
    first = shapes.shared((0,))
    for number in range(3_000):
        shapes.shared((number,))
    assert len(shapes) <= 1_000
    assert shapes.shared((0,)) == first


def test_crcs_that_were_loaded_or_kept_are_let_go_of(tmp_path: Path) -> None:
    with Database.open(tmp_path / "control.db") as database:
        crcs = Selections(database, life=60).crcs()
        crcs["sha256:a"] = 1
        assert dict(crcs) == {"sha256:a": 1}
        crcs.keep()
        assert len(crcs) == 0
        crcs.load(["sha256:a"])
        assert crcs["sha256:a"] == 1
        crcs.forget()
        assert "sha256:a" not in crcs


def test_crcs_are_written_down_before_they_are_many(tmp_path: Path) -> None:
    with Database.open(tmp_path / "control.db") as database:
        crcs = Selections(database, life=60).crcs()
        for number in range(4_500):
            crcs[f"sha256:{number}"] = number
        assert len(crcs) == 500
        found = Selections(database, life=60).crcs()
        found.load(["sha256:3999", "sha256:4000"])
        assert dict(found) == {"sha256:3999": 3999}


def test_a_storage_that_refuses_crcs_breaks_no_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Database.open(tmp_path / "control.db") as database:
        crcs = Selections(database, life=60).crcs()

        def refuse(_: object) -> None:
            raise DatabaseUnavailable(place="control.db", reason="it is full")

        monkeypatch.setattr(database, "write", refuse)
        for number in range(2_500):
            crcs[f"sha256:{number}"] = number
        assert len(crcs) < 2_500
