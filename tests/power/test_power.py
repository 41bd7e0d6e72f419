"""The power is cut at a call that changes the disk, on every way in which an archive is written: nothing is lost.

The filesystem is shut down without its log being written out, mounted again and judged: every resource is wholly old
or wholly new, programs that are not ours find it valid, and what returned before the cut is there. Run by
`make test-power`; it takes root and loop devices.
"""

from __future__ import annotations

import os
import random
import tempfile
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from muniment.archive import Archive, commit_several
from muniment.errors.base import MunimentError
from muniment.testing import faults
from muniment.testing.faults import Fault, Outcome, cut_power
from muniment.workflows.export import export
from muniment.workflows.imports import import_package
from muniment.workflows.migrate import migrate
from tests.crash.judging import State, assert_usable, assert_whole, state_of
from tests.crash.scenes import AGENT, new_resource, next_instance, open_archive, prepare, purge
from tests.power.disk import Disk, why_not

pytestmark = [
    pytest.mark.nightly,
    pytest.mark.skipif(bool(why_not()), reason=why_not() or "it can run here"),
    pytest.mark.timeout(3600),
]
CUTS = int(os.environ.get("MUNIMENT_POWER_CUTS", "36"))
"""Cuts on each way and filesystem, beside those after the work has returned."""
AFTER = 6
PARITY = frozenset({"M401", "M402", "M403"})
"""Parity takes its place after the commit, so a cut may leave it owed: a repair makes it."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to change an archive: `change` is made on it, below `outside` lies what was prepared elsewhere.

    With `together` all resources are old afterwards, or all new.
    """

    change: Callable[[Archive, Path], object]
    mode: str = "preservation"
    spoil: bool = False
    together: bool = False


def bring(archive: Archive, outside: Path) -> None:
    import_package(archive, outside / "package.tar", id="imported")


def copy_from(archive: Archive, outside: Path) -> None:
    with open_archive(outside / "other") as other:
        migrate(other, archive, ["migrated"])


def in_a_group(archive: Archive, _: Path) -> None:
    """Two transactions that belong together, prepared, decided and committed."""
    group, parts = "01a00000-0000-7000-8000-000000000000", [archive.new("first"), archive.get("old", "a")]
    for number, transaction in enumerate(parts):
        transaction.add(f"{number}\n".encode() * 40_000, f"{number}.bin")
        transaction.prepare(group, archive.config.id)
    archive.decide(group, [{"archive": archive.config.id, "transaction": part.transaction} for part in parts])
    for transaction in parts:
        transaction.commit()
    archive.forget(group)


def several(archive: Archive, _: Path) -> None:
    """More than a dozen resources at once, and a further instance: so their folders share a flush too."""
    transactions = [archive.get("old", "a"), *(archive.new(f"one-{number}") for number in range(13))]
    for number, transaction in enumerate(transactions):
        transaction.add(f"{number}\n".encode() * 4_000, f"{number}.bin")
    for done in commit_several(transactions):
        if isinstance(done, Exception):
            raise done


def repair(archive: Archive, _: Path) -> None:
    list(archive.repair())


WAYS = {
    "add": Way(lambda archive, _: new_resource(archive)),
    "add to existing": Way(lambda archive, _: next_instance(archive)),
    "add in worm mode": Way(lambda archive, _: next_instance(archive), "worm"),
    "purge": Way(lambda archive, _: purge(archive), "dynamic"),
    "import": Way(bring),
    "migrate": Way(copy_from),
    "two-phase commit": Way(in_a_group, together=True),
    "several at once": Way(several),
    "repair": Way(repair, spoil=True),
}


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="muniment-power-", dir="/var/tmp") as place:
        yield Path(place)


@pytest.fixture(params=["ext4", "xfs"])
def disk(request: pytest.FixtureRequest, folder: Path) -> Iterator[Disk]:
    with Disk(folder, request.param) as made:
        yield made


def prepare_outside(folder: Path) -> None:
    """A package to import and an archive to migrate from."""
    with Archive.init(folder / "other", redundancy=0, agent=AGENT, workers=0) as other:
        for number in range(2):
            with other.new("migrated") if not number else other.get("migrated", "a") as transaction:
                transaction.add(f"{number}\n".encode() * 40_000, f"{number}.bin")
        export(other, "migrated", "instances", folder / "package.tar")


def spoil(root: Path) -> None:
    for name in ("a.txt", "deep/b.txt"):
        (path,) = (root / "objects").rglob(name)
        path.write_bytes(b"!" + path.read_bytes()[1:])


def run(root: Path, change: Callable[[Archive], object], fault: Fault) -> Outcome:
    def task(counting: faults.Counting) -> None:
        with open_archive(root) as archive, counting():
            change(archive)

    return faults.run(task, str(root), fault)


def chosen(count: int, seed: str) -> list[int]:
    """Which calls are struck, counted from 1; 0 stands for a cut after the work has returned."""
    dice = random.Random(seed)
    return sorted(dice.sample(range(1, count + 1), min(CUTS, count))) + [0] * AFTER


def told(error: Exception) -> str:
    """The end of its trace."""
    return "".join(traceback.format_exception(error)[-4:])


def judge(root: Path, states: list[State], *, repair_first: bool, together: bool = False) -> None:
    """Recover the archive, have it judged, complete its parity, and write to it."""
    found = None
    if not repair_first:
        found = assert_whole(root, *states, allowed=PARITY)
    with open_archive(root) as archive:
        assert all(done.repaired for done in archive.repair())
    found = assert_whole(root, *states)
    assert not together or found in states, "some are old and some are new"
    assert_usable(root, found)


def test_a_cut_of_power_takes_what_was_not_synced(disk: Disk) -> None:
    (disk.place / "safe").write_bytes(b"x" * 10_000)
    os.sync()
    (disk.place / "lost").write_bytes(b"x" * 10_000)
    cut_power(str(disk.place / "nothing" / "yet"))
    with pytest.raises(OSError):
        (disk.place / "more").write_bytes(b"x")
    disk.remount()
    assert (disk.place / "safe").read_bytes() == b"x" * 10_000
    assert not (disk.place / "lost").exists()


def test_an_index_whose_disk_fails_is_kept_in_memory(disk: Disk, folder: Path) -> None:
    root, state = folder / "archive", disk.place / "state"
    prepare(root, "preservation")
    with Archive(root, state=state, agent=AGENT, workers=0) as archive:
        assert list(archive) == ["old", "twice"]
        cut_power(str(disk.place))
        new_resource(archive)
        assert list(archive) == ["fresh", "old", "twice"]
        assert archive.count() == 3
        assert [finding for finding in archive.audit() if finding.failed] == []
    disk.remount()
    with Archive(root, state=state, agent=AGENT, workers=0) as archive:
        assert list(archive) == ["fresh", "old", "twice"]


def test_what_is_asked_of_a_disk_that_failed_gets_an_error_with_a_name(disk: Disk) -> None:
    root = disk.place / "archive"
    prepare(root, "dynamic", redundancy=5)
    with open_archive(root) as archive:
        old = archive.get("old")
        disk.drop_caches()
        cut_power(str(disk.place))
        asked: list[Callable[[], object]] = [
            lambda: list(archive),
            archive.count,
            lambda: old.read("a.txt"),
            lambda: archive.history("twice"),
            lambda: list(archive.events()),
            archive.head,
            lambda: list(archive.audit()),
            lambda: list(archive.audit("old")),
            lambda: list(archive.repair()),
            lambda: new_resource(archive),
            lambda: purge(archive),
            archive.reindex,
            archive.leftovers,
            archive.recover,
            lambda: open_archive(root),
        ]
        for ask in asked:
            try:
                ask()
            except MunimentError:
                continue


@pytest.mark.parametrize("name", WAYS)
def test_a_cut_of_power_leaves_what_was_or_what_was_to_be(name: str, disk: Disk, folder: Path) -> None:
    way, root = WAYS[name], disk.place / "archive"
    prepare_outside(folder)
    prepare(root, way.mode, redundancy=5)
    with open_archive(root) as archive:
        before = state_of(archive)
    if way.spoil:
        spoil(root)
    os.sync()
    disk.keep()

    def change(archive: Archive) -> object:
        return way.change(archive, folder)

    clean = run(root, change, Fault(0, "power"))
    assert not clean.error, clean.trace
    with open_archive(root) as archive:
        after = state_of(archive)
    wrong: list[str] = []
    points = chosen(len(clean.calls), name)
    for at in points:
        disk.put_back()
        outcome = run(root, change, Fault(at, "power"))
        assert outcome.killed == bool(at), f"{at}: {outcome.trace}"
        if not at:
            assert not outcome.error, outcome.trace
            cut_power(str(disk.place))
        disk.remount()
        call = clean.calls[at - 1] if at else "its return"
        try:
            judge(root, [before, after] if at else [after], repair_first=way.spoil, together=way.together)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told with where it was
            wrong.append(f"cut at {call}: {told(error)}")
    print(f"{name}: {len(points)} cuts, {len(wrong)} faults")
    assert not wrong, "\n\n".join([f"{len(wrong)} of {len(points)} cuts", *wrong])


def test_a_cut_of_power_while_an_archive_is_made_leaves_none_or_a_whole_one(disk: Disk) -> None:
    root = disk.place / "archive"
    disk.keep()

    def make(counting: faults.Counting) -> None:
        with counting():
            Archive.init(root, agent=AGENT, workers=0).close()

    clean = faults.run(make, str(root), Fault(0, "power"))
    assert not clean.error, clean.trace
    wrong: list[str] = []
    points = chosen(len(clean.calls), "init")
    for at in points:
        disk.put_back()
        outcome = faults.run(make, str(root), Fault(at, "power")) if at <= len(clean.calls) else clean
        assert outcome.killed == bool(at), f"{at}: {outcome.trace}"
        if not at:
            cut_power(str(disk.place))
        disk.remount()
        call = clean.calls[at - 1] if at else "its return"
        try:
            if not at or (root / "muniment.json").exists():
                with open_archive(root) as archive:
                    assert list(archive) == []
                    assert [finding.as_json() for finding in archive.audit() if finding.failed] == []
            else:
                Archive.init(root, agent=AGENT, workers=0).close()
            assert_usable(root, {})
        except Exception as error:  # noqa: BLE001 - as above
            wrong.append(f"cut at {call}: {told(error)}")
    print(f"init: {len(points)} cuts, {len(wrong)} faults")
    assert not wrong, "\n\n".join([f"{len(wrong)} of {len(points)} cuts", *wrong])
