"""A crowd of writers, readers, an auditor, a repairer and a purger: nobody sees damage that is not there."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from muniment.archive import Archive
from tests.crash.scenes import AGENT, open_archive, workshop

WRITER = """
import json, random, sys
from muniment.archive import Archive
from muniment.errors.base import Conflict
root, number, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
chance = random.Random(number)
stored = []
with Archive(root, workers=0) as archive:
    for turn in range(rounds):
        id = chance.choice(["shared0", "shared1", f"own{number}-{turn}", f"own{number}-{turn}"])
        path, size = f"w{number}/{turn}.bin", chance.choice([10, 3000, 110_000])
        data = chance.randbytes(size)
        while True:
            try:
                with archive.get(id, "a") if archive.exists(id) else archive.new(id) as transaction:
                    transaction.add(data, path)
                break
            except Conflict:
                continue
        stored.append([id, path, data[:10].hex()])
print(json.dumps(stored))
"""
READER = """
import random, sys
from pathlib import Path
from muniment.archive import Archive
from muniment.errors.archive import ResourceNotFound
root, number, stop = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
chance = random.Random(number)
read = 0
with Archive(root, workers=0) as archive:
    while not stop.exists():
        ids = list(archive)
        for id in chance.sample(ids, min(3, len(ids))):
            try:
                instance = archive.get(id)
                for path in chance.sample(list(instance), min(3, len(instance))):
                    instance.read(path)
                    read += 1
            except ResourceNotFound:
                continue
            except Exception as error:
                # A resource may be purged while it is read: then it is gone, and only then.
                if not id.startswith("own") or archive.exists(id):
                    raise
print(read)
"""
AUDITOR = """
import json, sys
from pathlib import Path
from muniment.archive import Archive
root, stop = sys.argv[1], Path(sys.argv[2])
found, rounds = [], 0
with Archive(root, workers=0) as archive:
    while True:
        last = stop.exists()
        for finding in archive.audit():
            if finding.failed or finding.code == "M305":
                found.append(finding.as_json())
        rounds += 1
        if last:
            break
print(json.dumps([rounds, found]))
"""
REPAIRER = """
import json, sys
from pathlib import Path
from muniment.archive import Archive
root, stop = sys.argv[1], Path(sys.argv[2])
left, rounds = [], 0
with Archive(root, workers=0) as archive:
    while True:
        last = stop.exists()
        left += [[done.where, done.how] for done in archive.repair() if not done.repaired]
        rounds += 1
        if last:
            break
print(json.dumps([rounds, left]))
"""
PURGER = """
import json, random, sys, time
from pathlib import Path
from muniment.archive import Archive
root, stop = sys.argv[1], Path(sys.argv[2])
chance = random.Random(3)
purged = []
with Archive(root, workers=0) as archive:
    while not stop.exists():
        own = [id for id in archive if id.startswith("own")]
        if len(own) > 2:
            id = chance.choice(own)
            archive.purge(id, "for the test")
            purged.append(id)
        time.sleep(0.05)
print(json.dumps(purged))
"""


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def answer(process: subprocess.Popen[str]) -> str:
    said, trace = process.communicate(timeout=900)
    assert process.returncode == 0, trace
    return said


def crowd(rounds: int, *, writers: int = 8, readers: int = 4) -> None:
    with workshop() as folder:
        root, stop = folder / "archive", folder / "stop"
        Archive.init(root, mode="dynamic", agent=AGENT, workers=0).close()
        running = [start(WRITER, root, number, rounds) for number in range(writers)]
        others = [start(READER, root, number, stop) for number in range(readers)]
        others += [start(AUDITOR, root, stop), start(REPAIRER, root, stop), start(PURGER, root, stop)]
        try:
            with ThreadPoolExecutor() as pool:
                stored = [file for said in pool.map(answer, running) for file in json.loads(said)]
                stop.touch()
                *read, audited, repaired, purged = pool.map(answer, others)
        finally:
            stop.touch()
            for process in (*running, *others):
                process.kill()
                process.wait()
        assert all(int(count) for count in read)
        assert json.loads(audited)[0] > 0
        assert json.loads(audited)[1] == [], "damage was seen that is not there"
        assert json.loads(repaired)[1] == [], "what was whole was to be repaired"
        judge(root, stored, set(json.loads(purged)))


def judge(root: Path, stored: list[list[str]], purged: set[str]) -> None:
    """Everything that was acknowledged and not purged is there, and index, log and disk agree."""
    assert purged
    with open_archive(root) as archive:
        for id, path, begin in stored:
            if id not in purged:
                assert archive.get(id).read(path)[:10].hex() == begin
        assert set(archive) == {id for id, _, _ in stored} - purged
        assert [repair for repair in archive.repair() if not repair.repaired] == []
        # Parity of purged files may protect others, until a repair looks.
        assert list(archive.audit()) == []
        events = list(archive.events())
        assert [event.seq for event in events] == list(range(1, len(events) + 1))


def test_in_a_crowd_nobody_sees_damage_that_is_not_there() -> None:
    crowd(4)


@pytest.mark.nightly
def test_in_a_crowd_that_stays_long_nobody_sees_damage_that_is_not_there() -> None:
    crowd(60)
