"""Repair stopped anywhere: what could be repaired still can, and nothing is ever gone from its place."""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from muniment.archive import Archive
from muniment.content import Finding
from muniment.testing import faults
from muniment.testing.faults import Fault, Outcome
from tests.crash.judging import State, assert_whole, copy_archive, state_of
from tests.crash.scenes import AGENT, open_archive, workshop

LARGE = random.Random(5).randbytes(150_000)
EVERY = pytest.mark.parametrize("every", [13, pytest.param(1, marks=pytest.mark.nightly)], ids=["some", "each"])


def prepare(root: Path, mode: str) -> State:
    with Archive.init(root, mode=mode, agent=AGENT, workers=0) as archive:
        with archive.new("r") as transaction:
            transaction.add(LARGE, "large.bin")
            transaction.add(b"alpha\n" * 50, "a.txt")
            transaction.add(b"beta\n" * 50, "deep/b.txt")
        with archive.get("r", "a") as transaction:
            transaction.add(b"gamma\n", "g.txt")
        return state_of(archive)


def flip(path: Path, at: int = 0) -> Path:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    return path


def find(root: Path, pattern: str) -> Path:
    return min(root.glob(pattern))


def content(root: Path) -> list[Path]:
    """A large file and two small ones of one version."""
    folder = find(root, "objects/*/*/*/v1/content/data")
    return [flip(folder / "large.bin", 1000), flip(folder / "a.txt"), flip(folder / "deep/b.txt", 7)]


def records(root: Path) -> list[Path]:
    """Both files of one version's record, and the root's copy."""
    return [
        flip(find(root, "objects/*/*/*/v1/inventory.json"), 30),
        flip(find(root, "objects/*/*/*/v2/inventory.json.sha512"), 3),
        flip(find(root, "objects/*/*/*/inventory.json"), 40),
    ]


def parity(root: Path) -> list[Path]:
    """A set of a large file and a pack."""
    return [flip(find(root, "parity/files/*/*/*.vol*.par2"), 99), flip(find(root, "parity/packs/*/*/*/v1/pack.index"))]


def lost(root: Path) -> list[Path]:
    """A small file that is not there, and a link where another should be."""
    folder = find(root, "objects/*/*/*/v1/content/data")
    (folder / "a.txt").unlink()
    (folder / "deep/b.txt").unlink()
    (folder / "deep/b.txt").symlink_to("../../nowhere")
    return [folder / "deep/b.txt"]


DAMAGES: list[Callable[[Path], list[Path]]] = [content, records, parity, lost]


class Stage:
    """A damaged archive, and what a repair of it does when nothing goes wrong."""

    def __init__(self, folder: Path, damage: Callable[[Path], list[Path]], mode: str) -> None:
        self.mode = mode
        self.prepared = folder / "prepared"
        self.state = prepare(self.prepared, mode)
        self.damaged = [path.relative_to(self.prepared) for path in damage(self.prepared)]
        self._folder = folder
        self._count = 0
        self.clean = self.strike(Fault())[1]
        assert not self.clean.error, self.clean.trace
        self.done: list[bool] = self.clean.answer

    def strike(self, fault: Fault) -> tuple[Path, Outcome]:
        self._count += 1
        root = copy_archive(self.prepared, self._folder / f"struck-{self._count}")

        def task(counting: faults.Counting) -> list[bool]:
            with open_archive(root) as archive, counting():
                return [repair.repaired for repair in archive.repair()]

        return root, faults.run(task, str(root), fault)

    def judge(self, root: Path, what: str) -> None:
        """Nothing is gone from its place; and another repair ends as one that nothing disturbed."""
        try:
            gone = [path for path in self.damaged if not os.path.lexists(root / path)]
            assert gone == [], "gone from its place"
            with open_archive(root) as archive:
                again = [repair.repaired for repair in archive.repair()]
                assert all(again) or self.mode == "worm", again
                assert state_of(archive) == self.state
                findings = list(archive.audit())
            if self.mode == "worm":
                self._judge_worm(root, findings)
            elif self._count % 8 == 0:
                assert_whole(root, self.state)
            else:
                assert {finding.code for finding in findings} <= {"M502"}
        except Exception as error:
            raise AssertionError(what) from error

    def _judge_worm(self, root: Path, findings: list[Finding]) -> None:
        """Every damaged file is as it was, and all that is wrong with the archive is that it has them."""
        for path in self.damaged:
            assert _seen(root / path) == _seen(self.prepared / path)
        named = {finding.where for finding in findings if finding.failed}
        assert named <= {str(path) for path in self.damaged} | {f"{path.with_suffix('')}" for path in self.damaged}


def _seen(path: Path) -> str | bytes:
    return os.readlink(path) if path.is_symlink() else path.read_bytes()


MODES = pytest.mark.parametrize("mode", ["preservation", "worm"])
KINDS = pytest.mark.parametrize("damage", DAMAGES, ids=[damage.__name__ for damage in DAMAGES])


@MODES
@KINDS
@EVERY
def test_a_repair_killed_anywhere_loses_nothing(damage: Callable[[Path], list[Path]], mode: str, every: int) -> None:
    with workshop() as folder:
        stage = Stage(folder, damage, mode)
        assert stage.done, "there was nothing to repair"
        for at in range(1, len(stage.clean.calls) + 1):
            call = stage.clean.calls[at - 1]
            if at % every and not (
                mode == "preservation" and call.startswith(("rename objects", "rename parity", "link"))
            ):
                continue
            root, outcome = stage.strike(Fault(at))
            assert outcome.killed
            stage.judge(root, f"killed at {call}")


@KINDS
@pytest.mark.parametrize("strike", ["once", "onwards"])
@EVERY
def test_a_repair_that_the_storage_refuses_loses_nothing(
    damage: Callable[[Path], list[Path]], strike: faults.Strike, every: int
) -> None:
    with workshop() as folder:
        stage = Stage(folder, damage, "preservation")
        for at in range(1, len(stage.clean.calls) + 1):
            call = stage.clean.calls[at - 1]
            if at % every and not call.startswith(("rename objects", "rename parity", "link")):
                continue
            root, outcome = stage.strike(Fault(at, strike, errno.EIO))
            assert not outcome.error or outcome.expected_error, outcome.trace
            stage.judge(root, f"refused at {call}, {outcome.trace}")


@KINDS
@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(2, 8))])
def test_a_power_cut_during_a_repair_loses_nothing(damage: Callable[[Path], list[Path]], seed: int) -> None:
    choose = random.Random(seed).randrange
    with workshop() as folder:
        stage = Stage(folder, damage, "preservation")
        for at in range(1, len(stage.clean.calls) + 1, 6):
            root, outcome = stage.strike(Fault(at))
            took = faults.lose_power(str(root), outcome, choose)
            stage.judge(root, f"cut at {stage.clean.calls[at - 1]}, which took {took}")
