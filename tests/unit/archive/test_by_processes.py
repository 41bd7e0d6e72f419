"""What several processes say of many objects is what one says of them, in the same order."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.archive import Archive
from muniment.archive.copying import answers
from muniment.archive.copying.workers import Worker
from muniment.archive.fixity.audit import objects, run
from muniment.archive.fixity.audit.log import LoggedDigests, check_log
from muniment.archive.index import rebuild
from muniment.content import Finding
from muniment.content.archive import Summary
from muniment.errors.archive import WorkerDied

MANY = 12


@pytest.fixture(autouse=True)
def _few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "FEW_OBJECTS", 3)
    monkeypatch.setattr(rebuild, "FEW_OBJECTS", 3)
    monkeypatch.setattr(answers, "AT_ONCE", 2)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive in which some parity is missing, and much else is as it should not be."""
    place = tmp_path_factory.mktemp("made") / "archive"
    Archive.init(place).close()
    with Archive(place, workers=0, parity=False) as archive:
        for number in range(MANY):
            with archive.new(f"r{number:02} é") as transaction:
                transaction.add(b"%d" % number, "f")
                if number in {1, 5, 6}:
                    transaction.add(b"large" * 30_000, "large")
            if number == 4:
                with archive.get("r04 é", "a") as transaction:
                    transaction.add(b"more", "more")
        roots = [archive.get(f"r{number:02} é").root for number in range(MANY)]
    for root in roots[:-1]:
        for version in root.glob("v*"):
            # What a fast audit asks for of a set that is there.
            sidecar = place / "parity/packs" / version.relative_to(place / "objects") / "pack.par2.json"
            sidecar.parent.mkdir(parents=True)
            sidecar.write_bytes(b"{}")
    _write(roots[0] / "v1/content/data/f", b"longer than it was")
    (roots[2] / "v1/stray").write_bytes(b"")
    (roots[3] / "v1/content/metadata/instance.json").unlink()
    _write(roots[4] / "v1/inventory.json", b"{}")
    _write(roots[7] / "inventory.json", b"{}")
    shutil.rmtree(roots[8] / "v1")
    log = next((place / "events").glob("*/*.jsonl"))
    lines = log.read_bytes().splitlines(keepends=True)
    _write(log, b"".join(line for line in lines if b"r09" not in line))
    return place


def _write(place: Path, data: bytes) -> None:
    place.chmod(0o644)
    place.write_bytes(data)


def _seen(place: Path, workers: int) -> tuple[list[Finding], list[Summary], list[int]]:
    told: list[int] = []

    def tell(step: str, done: int, total: int | None, *, size: int = 0) -> None:
        assert (step, total or done, size) == ("auditing", done, 0)
        told.append(done)

    with Archive(place, workers=workers, parity=False) as archive:
        archive.reindex()
        found = list(archive.audit(fast=True, progress=tell))
        return found, list(archive.resources()), told


def test_findings_and_index_are_those_of_one_process(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made, tmp_path / "A")
    one, two = _seen(tmp_path / "A", 0), _seen(tmp_path / "A", 2)
    assert two[0] == one[0]
    assert two[1] == one[1]
    codes = {finding.code for finding in one[0]}
    assert codes >= {"M101", "M102", "M103", "M105", "M401"}
    assert sum(finding.code == "M401" and "/files/" in finding.expected for finding in one[0]) == 1
    assert len(one[1]) == MANY - 1
    assert two[2][-1] == one[2][-1] == MANY
    assert len(two[2]) > len(one[2])


def test_what_contradicts_the_log_is_looked_at_by_all_means(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made, tmp_path / "A")
    with Archive(tmp_path / "A", workers=0, parity=False) as archive:
        context = archive._context
        look = objects.answering(str(context.layout.root), str(context.layout.state))
        row = look(str(archive.get("r10 é").root))
        assert row is not None
        assert objects.settle(context, row, LoggedDigests(), set()) is None
        logged = LoggedDigests()
        for _ in check_log(context.log, logged, context.layout.locks / "events"):
            pass
        known = objects.settle(context, row, logged, set())
        assert known is not None
        assert (known[0].resource, known[0].head, known[1]) == ("r10 é", 1, [])
        state = known[0]
        for wrong in (
            state._replace(inventories=[(1, "0" * 128)]),
            state._replace(heads=[(1, "1" * 64)]),
            state._replace(large=["2" * 64]),
        ):
            assert objects.settle(context, tuple(wrong), logged, set()) is None


@pytest.mark.parametrize("what", ["reindex", "audit"])
def test_a_process_that_is_killed_is_named(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    class Killed(Worker):
        def send(self, *asked: object) -> None:
            os.kill(self.pid, signal.SIGKILL)
            super().send(*asked)  # type: ignore[arg-type] # as they came

    monkeypatch.setattr(answers, "Worker", Killed)
    shutil.copytree(made, tmp_path / "A")
    with Archive(tmp_path / "A", workers=2, parity=False) as archive, pytest.raises(WorkerDied, match="signal 9"):
        archive.reindex() if what == "reindex" else list(archive.audit(fast=True))


def test_processes_end_with_the_walk(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Worker] = []

    class Noted(Worker):
        def __init__(self, command: list[str]) -> None:
            super().__init__(command)
            started.append(self)

    monkeypatch.setattr(answers, "Worker", Noted)
    shutil.copytree(made, tmp_path / "A")
    with Archive(tmp_path / "A", workers=2, parity=False) as archive:
        walk: Iterator[Finding] = archive.audit(fast=True)
        next(walk)
        walk.close()  # type: ignore[attr-defined] # it is a generator
        assert not any(worker.alive for worker in started)
