"""Large sets: shared out to worker processes, streamed back, and nothing left when it ends badly."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.archive.intake import Copied, CopyJob, Failed, Hashed, HashJob, Intake
from muniment.errors.archive import WorkerDied
from muniment.errors.content import UnknownDigest

COUNT = 1_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    dice = random.Random(7)
    for number in range(COUNT):
        (folder / f"{number:04} é\n").write_bytes(dice.randbytes(dice.randint(0, 3_000)))
    (folder / "large").write_bytes(dice.randbytes(9 << 20))
    return folder


def hash_jobs(folder: Path) -> list[HashJob]:
    return [HashJob(path.name, str(path), path.stat().st_size) for path in folder.iterdir()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + 10
    while any(alive(pid) for pid in pids):
        assert time.monotonic() < deadline, "a worker outlived its parent"
        time.sleep(0.01)


@pytest.mark.parametrize("workers", [0, 2])
def test_many_files_arrive_each_once(folder: Path, tmp_path: Path, workers: int) -> None:
    with Intake(("sha512", "sha256"), workers=workers) as intake:
        jobs = (CopyJob(p.name, str(p), str(tmp_path / p.name), p.stat().st_size) for p in folder.iterdir())
        answers = list(intake.copy(jobs))
    assert len(answers) == COUNT + 1
    for answer in answers:
        assert isinstance(answer, Copied)
        content = (folder / answer.key).read_bytes()
        assert (tmp_path / answer.key).read_bytes() == content
        assert answer.digests["sha512"] == hashlib.sha512(content).hexdigest()
        assert answer.digests["sha256"] == hashlib.sha256(content).hexdigest()
    assert {answer.key for answer in answers} == {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("workers", [0, 2])
def test_one_bad_file_among_many_is_the_only_one_that_fails(folder: Path, workers: int) -> None:
    jobs = hash_jobs(folder)
    jobs.insert(500, HashJob("gone", str(folder / "not there"), 10))
    with Intake(("md5",), workers=workers) as intake:
        answers = list(intake.hash(jobs))
    assert [answer.key for answer in answers if isinstance(answer, Failed)] == ["gone"]
    assert sum(isinstance(answer, Hashed) for answer in answers) == COUNT + 1


def test_each_file_may_ask_for_its_own_digests(folder: Path) -> None:
    path = folder / "large"
    with Intake(("sha512",)) as intake:
        [answer] = intake.hash([HashJob(1, str(path), algorithms=("md5", "sha1", "md5"))])
    assert isinstance(answer, Hashed)
    assert answer.digests == {
        "md5": hashlib.md5(path.read_bytes()).hexdigest(),
        "sha1": hashlib.sha1(path.read_bytes()).hexdigest(),
    }


def test_an_unknown_digest_is_refused() -> None:
    with pytest.raises(UnknownDigest):
        Intake(("crc32",))
    with Intake() as intake, pytest.raises(UnknownDigest):
        list(intake.hash([HashJob(1, "/etc/hostname", algorithms=("crc32",))]))


def test_only_a_little_is_read_ahead_of_the_answers(folder: Path) -> None:
    asked = 0

    def endless() -> Iterator[HashJob]:
        nonlocal asked
        jobs = hash_jobs(folder)
        while True:
            for job in jobs:
                asked += 1
                yield job

    with Intake(("md5",), workers=2) as intake:
        answers = intake.hash(endless())
        for _ in range(5_000):
            next(answers)
        assert asked < 5_000 + 2_000
        answers.close()


def test_two_runs_at_a_time_both_finish(folder: Path) -> None:
    with Intake(("md5",), workers=2) as intake:
        first, second = intake.hash(hash_jobs(folder)), intake.hash(hash_jobs(folder))
        keys = []
        for one, other in zip(first, second, strict=True):
            keys += [one.key, other.key]
    assert sorted(keys) == sorted([job.key for job in hash_jobs(folder)] * 2)


def test_workers_are_used_again_and_end_with_the_intake(folder: Path) -> None:
    with Intake(("md5",), workers=2) as intake:
        list(intake.hash(hash_jobs(folder)))
        before = intake.worker_pids()
        list(intake.hash(hash_jobs(folder)))
        assert intake.worker_pids() == before
        assert len(before) == 2
    assert not any(alive(pid) for pid in before)


def test_breaking_off_ends_the_work_in_hand(folder: Path, tmp_path: Path) -> None:
    with Intake(("md5",), workers=2) as intake:
        jobs = [CopyJob(job.key, job.path, str(tmp_path / job.key), job.size) for job in hash_jobs(folder)]
        answers = intake.copy(jobs)
        next(answers)
        answers.close()
        count = len(os.listdir(tmp_path))
        time.sleep(0.1)
        assert len(os.listdir(tmp_path)) == count < COUNT
        assert len(list(intake.hash(hash_jobs(folder)))) == COUNT + 1


def test_a_worker_that_dies_is_an_error_not_a_silence(folder: Path) -> None:
    with Intake(("md5",), workers=2) as intake:
        answers = intake.hash(hash_jobs(folder) * 3)
        next(answers)
        os.kill(intake.worker_pids()[0], signal.SIGKILL)
        with pytest.raises(WorkerDied, match="signal 9"):
            list(answers)
        assert len(list(intake.hash(hash_jobs(folder)))) == COUNT + 1


def test_a_worker_that_died_with_nothing_in_hand_is_replaced(folder: Path) -> None:
    with Intake(("md5",), workers=2) as intake:
        list(intake.hash(hash_jobs(folder)))
        lost = intake.worker_pids()[0]
        os.kill(lost, signal.SIGKILL)
        while alive(lost):
            time.sleep(0.001)
        assert len(list(intake.hash(hash_jobs(folder)))) == COUNT + 1
        assert lost not in intake.worker_pids()
        assert len(intake.worker_pids()) == 2


def test_a_killed_parent_leaves_no_worker_behind(folder: Path) -> None:
    script = """if True:
        import os, sys
        from muniment.archive.intake import HashJob, Intake
        intake = Intake(("md5",), workers=2)
        def jobs():
            while True:
                yield HashJob(1, sys.argv[1], 9 << 20)
        for number, _ in enumerate(intake.hash(jobs())):
            if number == 4:
                print(*intake.worker_pids(), flush=True)
    """
    parent = subprocess.Popen([sys.executable, "-c", script, str(folder / "large")], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent:
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 2
        assert all(alive(pid) for pid in pids)
        parent.kill()
    wait_until_gone(pids)


def test_a_forked_child_does_not_talk_through_its_parents_workers(folder: Path) -> None:
    script = """if True:
        import os, sys
        from muniment.archive.intake import HashJob, Intake
        jobs = [HashJob(n, os.path.join(sys.argv[1], n), 2_000) for n in os.listdir(sys.argv[1])]
        with Intake(("md5",), workers=2) as intake:
            expected = {a.key: a.digests["md5"] for a in intake.hash(jobs)}
            child = os.fork()
            found = {a.key: a.digests["md5"] for a in intake.hash(jobs)}
            assert found == expected
        if not child:
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    """
    subprocess.run([sys.executable, "-c", script, str(folder)], check=True, timeout=30)


def test_workers_that_were_expected_are_there_before_the_first_job(folder: Path) -> None:
    with Intake(["sha256"], workers=2) as intake:
        intake.expect(3)
        assert intake.worker_pids() == []
        intake.expect(COUNT)
        expected = intake.worker_pids()
        assert len(expected) == 2
        assert len(list(intake.hash(hash_jobs(folder)))) == COUNT + 1
        assert intake.worker_pids() == expected
