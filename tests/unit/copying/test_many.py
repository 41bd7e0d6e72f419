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

from muniment.archive.copying import Copied, Copier, CopyJob, Failed, Hashed, HashJob, Joined, JoinJob, copy_and_digest
from muniment.errors.archive import WorkerDied
from muniment.errors.content import UnknownDigest
from tests.timing import eventually

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
    eventually(lambda: not any(alive(pid) for pid in pids), told=lambda: "a worker outlived its parent")


@pytest.mark.parametrize("workers", [0, 2])
def test_many_files_arrive_each_once(folder: Path, tmp_path: Path, workers: int) -> None:
    with Copier(("sha512", "sha256"), workers=workers) as copier:
        jobs = (CopyJob(p.name, str(p), str(tmp_path / p.name), p.stat().st_size) for p in folder.iterdir())
        answers = list(copier.copy(jobs))
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
    with Copier(("md5",), workers=workers) as copier:
        answers = list(copier.hash(jobs))
    assert [answer.key for answer in answers if isinstance(answer, Failed)] == ["gone"]
    assert sum(isinstance(answer, Hashed) for answer in answers) == COUNT + 1


def test_each_file_may_ask_for_its_own_digests(folder: Path) -> None:
    path = folder / "large"
    with Copier(("sha512",)) as copier:
        [answer] = copier.hash([HashJob(1, str(path), algorithms=("md5", "sha1", "md5"))])
    assert isinstance(answer, Hashed)
    assert answer.digests == {
        "md5": hashlib.md5(path.read_bytes()).hexdigest(),
        "sha1": hashlib.sha1(path.read_bytes()).hexdigest(),
    }


def test_an_unknown_digest_is_refused() -> None:
    with pytest.raises(UnknownDigest):
        Copier(("crc32",))
    with Copier() as copier, pytest.raises(UnknownDigest):
        list(copier.hash([HashJob(1, "/etc/hostname", algorithms=("crc32",))]))


def test_only_a_little_is_read_ahead_of_the_answers(folder: Path) -> None:
    asked = 0

    def endless() -> Iterator[HashJob]:
        nonlocal asked
        jobs = hash_jobs(folder)
        while True:
            for job in jobs:
                asked += 1
                yield job

    with Copier(("md5",), workers=2) as copier:
        answers = copier.hash(endless())
        for _ in range(5_000):
            next(answers)
        assert asked < 5_000 + 2_000
        answers.close()


def test_two_runs_at_a_time_both_finish(folder: Path) -> None:
    with Copier(("md5",), workers=2) as copier:
        first, second = copier.hash(hash_jobs(folder)), copier.hash(hash_jobs(folder))
        keys = []
        for one, other in zip(first, second, strict=True):
            keys += [one.key, other.key]
    assert sorted(keys) == sorted([job.key for job in hash_jobs(folder)] * 2)


def test_workers_are_used_again_and_end_with_the_copier(folder: Path) -> None:
    with Copier(("md5",), workers=2) as copier:
        list(copier.hash(hash_jobs(folder)))
        before = copier.worker_pids()
        list(copier.hash(hash_jobs(folder)))
        assert copier.worker_pids() == before
        assert len(before) == 2
    assert not any(alive(pid) for pid in before)


def test_breaking_off_ends_the_work_in_hand(folder: Path, tmp_path: Path) -> None:
    with Copier(("md5",), workers=2) as copier:
        jobs = [CopyJob(job.key, job.path, str(tmp_path / job.key), job.size) for job in hash_jobs(folder)]
        answers = copier.copy(jobs)
        next(answers)
        answers.close()
        count = len(os.listdir(tmp_path))
        time.sleep(0.1)
        assert len(os.listdir(tmp_path)) == count < COUNT
        assert len(list(copier.hash(hash_jobs(folder)))) == COUNT + 1


def test_a_worker_that_dies_is_an_error_not_a_silence(folder: Path) -> None:
    with Copier(("md5",), workers=2) as copier:
        answers = copier.hash(hash_jobs(folder) * 3)
        next(answers)
        os.kill(copier.worker_pids()[0], signal.SIGKILL)
        with pytest.raises(WorkerDied, match="signal 9"):
            list(answers)
        assert len(list(copier.hash(hash_jobs(folder)))) == COUNT + 1


def test_a_worker_that_died_with_nothing_in_hand_is_replaced(folder: Path) -> None:
    with Copier(("md5",), workers=2) as copier:
        list(copier.hash(hash_jobs(folder)))
        lost = copier.worker_pids()[0]
        os.kill(lost, signal.SIGKILL)
        while alive(lost):
            time.sleep(0.001)
        assert len(list(copier.hash(hash_jobs(folder)))) == COUNT + 1
        assert lost not in copier.worker_pids()
        assert len(copier.worker_pids()) == 2


def test_a_killed_parent_leaves_no_worker_behind(folder: Path) -> None:
    script = """if True:
        import os, sys
        from muniment.archive.copying import HashJob, Copier
        copier = Copier(("md5",), workers=2)
        def jobs():
            while True:
                yield HashJob(1, sys.argv[1], 9 << 20)
        for number, _ in enumerate(copier.hash(jobs())):
            if number == 4:
                print(*copier.worker_pids(), flush=True)
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
        from muniment.archive.copying import HashJob, Copier
        jobs = [HashJob(n, os.path.join(sys.argv[1], n), 2_000) for n in os.listdir(sys.argv[1])]
        with Copier(("md5",), workers=2) as copier:
            expected = {a.key: a.digests["md5"] for a in copier.hash(jobs)}
            child = os.fork()
            found = {a.key: a.digests["md5"] for a in copier.hash(jobs)}
            assert found == expected
        if not child:
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    """
    subprocess.run([sys.executable, "-c", script, str(folder)], check=True, timeout=30)


def test_workers_that_were_expected_are_there_before_the_first_job(folder: Path) -> None:
    with Copier(["sha256"], workers=2) as copier:
        copier.expect(3)
        assert copier.worker_pids() == []
        copier.expect(COUNT)
        expected = copier.worker_pids()
        assert len(expected) == 2
        assert len(list(copier.hash(hash_jobs(folder)))) == COUNT + 1
        assert copier.worker_pids() == expected


def parts(folder: Path) -> tuple[tuple[str, int, str, str], ...]:
    return tuple(
        (str(path), path.stat().st_size, "sha256", hashlib.sha256(path.read_bytes()).hexdigest())
        for path in sorted(folder.iterdir())
    )


@pytest.mark.parametrize("workers", [0, 2])
def test_files_are_joined_in_their_order(folder: Path, tmp_path: Path, workers: int) -> None:
    files = parts(folder)
    size = 40 << 20  # which is said to be much, so that processes are worth it
    with Copier(workers=workers) as copier:
        jobs = (JoinJob(number, str(tmp_path / str(number)), files[number:], size) for number in range(3))
        answers = {answer.key: answer for answer in copier.join(jobs)}
    assert answers.keys() == {0, 1, 2}
    for number, answer in answers.items():
        assert isinstance(answer, Joined)
        content = (tmp_path / str(number)).read_bytes()
        assert content == b"".join(path.read_bytes() for path in sorted(folder.iterdir())[number:])
        assert (answer.size, answer.sha256) == (len(content), hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize("size", [3_000, 3 << 20])
@pytest.mark.parametrize(
    ("change", "kind"), [("digest", "other"), ("size", "changed"), ("gone", "missing"), ("folder", "special")]
)
def test_of_files_that_are_not_as_said_nothing_is_left(tmp_path: Path, size: int, change: str, kind: str) -> None:
    good, bad, target = tmp_path / "good", tmp_path / "bad", tmp_path / "target"
    for path in (good, bad):
        path.write_bytes(os.urandom(size))
    files = parts(tmp_path)
    if change == "digest":
        bad.write_bytes(os.urandom(size))
    elif change == "size":
        bad.write_bytes(os.urandom(size - 1))
    else:
        bad.unlink()
        if change == "folder":
            bad.mkdir()
    with Copier(workers=0) as copier:
        (answer,) = copier.join([JoinJob("key", str(target), files, size)])
    assert isinstance(answer, Failed)
    assert (answer.key, answer.kind) == ("key", kind)
    assert not target.exists()


def test_what_is_joined_is_no_work_for_the_disk_but_what_is_copied_is(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored: list[object] = []
    monkeypatch.setattr(copy_and_digest, "FLUSH", 1)
    monkeypatch.setattr(os, "posix_fadvise", lambda *told: stored.append(told))
    source = folder / "large"
    with Copier(workers=0) as copier:
        list(copier.join([JoinJob("key", str(tmp_path / "joined"), parts(folder)[:9], 1)]))
        assert stored == []
        list(copier.copy([CopyJob("key", str(source), str(tmp_path / "copied"), 1)]))
        assert stored
