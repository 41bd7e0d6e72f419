"""A worker that is killed while git fetches: the next one waits for that git, and then has the whole mirror."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from muniment.sources import Guard, Session, SourceContext, SourceEntry, open_source
from muniment.testing.servers.gitserver import GitServer
from tests.timing import eventually

WORKER = """
import sys
from pathlib import Path
from muniment.sources import Guard, SourceContext, Session, open_source

with Session(Guard(allow_private_addresses=True)) as session:
    print("begun", flush=True)
    list(open_source("git", {"url": sys.argv[1]}, SourceContext(session, Path(sys.argv[2]))).pages())
"""


def test_a_killed_worker_leaves_a_mirror_the_next_one_can_finish(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    files = {f"file {number}": os.urandom(20_000) for number in range(50)}
    with GitServer(tmp_path / "served") as server:
        repository = server.repository("thing")
        repository.commit(repository.folder_of(files))
        url = f"{server.url}/thing.git"
        for number in range(4):
            slow = server.fail("upload-pack$", delay=1.0, times=9)
            worker = subprocess.Popen([sys.executable, "-c", WORKER, url, scratch], stdout=subprocess.PIPE)
            assert worker.stdout is not None
            worker.stdout.readline()
            asked = len(server.requests)
            wanted = asked + 1 + number % 2
            eventually(lambda wanted=wanted: len(server.requests) >= wanted, every=0.01)  # type: ignore[misc]
            worker.send_signal(signal.SIGKILL)
            worker.wait()
            worker.stdout.close()
            slow.times = 0
        with Session(Guard(allow_private_addresses=True)) as session:
            source = open_source("git", {"url": url}, SourceContext(session, scratch))
            (page,) = source.pages()
            found = {}
            for entry in source.entries(page.items[0]):
                assert isinstance(entry, SourceEntry)
                with source.open(page.items[0], entry) as stream:
                    found[str(entry.path)] = stream.read()
    assert found.pop("@about/history.bundle").startswith(b"# v2 git bundle")
    found.pop("@about/repository.json")
    assert found == files
