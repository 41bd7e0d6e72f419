"""Several threads add to one transaction at once: everything is there once, and what collides is refused."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from muniment.archive import Archive
from muniment.archive.copying import write_stream
from muniment.archive.ingest import content_writer as additions
from muniment.errors.archive import PathCollides, PathTaken
from tests.crash.judging import assert_judges_agree


def test_many_threads_add_different_and_equal_content(archive: Archive) -> None:
    content = {f"d{number % 5}/{number}": b"%d" % (number % 90) * 3000 for number in range(180)}
    with archive.new("many") as transaction, ThreadPoolExecutor(8) as pool:
        entries = list(pool.map(lambda path: transaction.add(content[path], path)[0], content))
        assert [entry.path for entry in entries] == list(content)
    instance = archive.get("many")
    assert {path: instance.read(path) for path in instance} == content
    assert list(archive.audit()) == []
    stored = [path for path in Path(archive.path, "objects").rglob("data/d*/*") if path.is_file()]
    assert len(stored) == 90
    assert_judges_agree(archive)


@pytest.mark.parametrize(("one", "other", "error"), [("a/b", "a/b", PathTaken), ("a", "a/b", PathCollides)])
def test_of_two_that_cannot_both_be_there_one_is_refused(
    archive: Archive, one: str, other: str, error: type[Exception]
) -> None:
    meeting = threading.Barrier(2)

    class Slow:
        """Comes to its end only when the other has been looked at too."""

        def __init__(self, data: bytes) -> None:
            self._pieces = [data, b""]

        def read(self, _: int) -> bytes:
            meeting.wait(10)
            return self._pieces.pop(0)

    def add(path: str) -> str:
        try:
            transaction.add(Slow(path.encode()), path)
        except error:
            return "refused"
        return path

    with archive.new("two") as transaction, ThreadPoolExecutor(2) as pool:
        results = list(pool.map(add, (one, other)))
        transaction.add(b"more", "z")
    assert results.count("refused") == 1
    (kept,) = set(results) - {"refused"}
    assert set(archive.get("two")) == {kept, "z"}
    assert archive.get("two").read(kept) == kept.encode()
    assert_judges_agree(archive)


@pytest.mark.parametrize("order", [("a", "a/b/c"), ("a/b/c", "a")])
def test_a_place_given_to_one_thread_is_nobody_elses_folder_before_its_file_is_made(
    archive: Archive, order: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    placed = threading.Barrier(2)

    def when_both_have_their_places(source: Iterable[bytes], target: str, algorithms: Iterable[str]) -> object:
        placed.wait(10)
        return write_stream(source, target, algorithms)

    def add(path: str) -> str:
        try:
            transaction.add([path.encode()], path)
        except PathCollides:
            return "refused"
        return path

    with archive.new("two") as transaction, ThreadPoolExecutor(2) as pool:
        monkeypatch.setattr(additions, "write_stream", when_both_have_their_places)
        results = [future.result() for future in [pool.submit(add, path) for path in order]]
    (kept,) = set(results) - {"refused"}
    assert archive.get("two").read(kept) == kept.encode()
    assert_judges_agree(archive)
