"""The how-to `from one machine to many` does what it says when it is typed as printed, from an empty machine."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from muniment import Archive
from muniment.access import AccessStore, Authority
from muniment.database import Database
from muniment.jobs import Call, Ledger
from muniment.testing.servers.web import WebServer
from muniment.testing.services import Service, free_port
from tests.timing import eventually

PAGE = Path(__file__).parents[3] / "docs/howto/from-one-machine-to-many.md"


def test_the_second_stage_moves_everything_to_postgresql(tmp_path: Path, postgresql: Service, place: str) -> None:
    stage = PAGE.read_text("utf-8").split("\n## ")[2]
    assert stage.startswith("2. ")
    printed = "\n".join(re.findall(r"```text\n(.*?)```", stage, re.DOTALL))
    # What differs from machine to machine: addresses and folders. `pip` has nothing to do here.
    name = place.rpartition("/")[2]
    script = printed.replace("postgresql://muniment@db.example.org/muniment", place)
    script = script.replace("createdb muniment", f"createdb {name}_new")
    script = script.replace("/srv/", f"{tmp_path}/").replace("/etc/muniment/", f"{tmp_path}/etc-")
    assert script.count(str(tmp_path)) >= 6
    archive = tmp_path / "archive"
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("MUNIMENT_")},
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PGHOST": "127.0.0.1",
        "PGPORT": str(postgresql.port),
        "PGUSER": "postgres",
    }

    def run(text: str) -> str:
        done = subprocess.run(
            ["bash", "-eu", "-c", f"pip() {{ :; }}\n{text}"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    made = run(f"muniment --archive {archive} init")
    [key] = re.findall(r"mun_\S+", made)
    run(f"muniment --archive {archive} access grant keys/users/administrator resources/read --on museum/photos")
    run(f"muniment --archive {archive} job ls")  # it makes the key file
    with Ledger.open(archive / "control.db") as before:
        before.submit("test", Call("fetch"), requester="ada", key="under way")

    said = run(script)
    assert "copied 1 jobs, 1 keys, 2 revisions of rules" in said
    assert "administrator" in said
    assert "/museum/photos" in said
    with Database.open(place) as database:
        authority = Authority(AccessStore(database))
        caller = authority.identify({"authorization": f"Bearer {key}"}, "")
        assert "admin" in authority.permissions(caller, "/")
        assert [job.key for job in Ledger(database).jobs()] == ["under way"]
    assert (tmp_path / "etc-control.key").stat().st_mode & 0o777 == 0o600
    subprocess.run(["dropdb", f"{name}_new"], env=environment, check=True)


class Machine:
    """A machine on which lines are typed as printed: `export` lasts, what serves or works runs until it is stopped."""

    def __init__(self, folder: Path, environment: dict[str, str], replaced: dict[str, str]) -> None:
        folder.mkdir()
        self._folder = folder
        self._environment = environment
        self._replaced = replaced
        self._lasting = ["pip() { :; }"]
        self._running: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.stop()
        if error is not None:
            for log in sorted(self._folder.glob("*.log")):
                print(log.name, log.read_text(errors="replace")[-3000:])

    def stop(self) -> None:
        for process in self._running:
            process.send_signal(signal.SIGTERM)
        for process in self._running:
            process.wait(60)
        self._running = []

    def type(self, printed: str) -> str:
        """What the lines that end print; the others are started."""
        for old, new in self._replaced.items():
            printed = printed.replace(old, new)
        said = ""
        for line in printed.splitlines():
            if re.match(r"export |umask ", line):
                self._lasting.append(line)
            elif re.search(r"^(\w+=\S+ )?muniment .* (serve|work( --.*)?)$", line):
                with (self._folder / f"{len(self._running)}.log").open("ab") as log:
                    script = "\n".join([*self._lasting, re.sub(r"^(\w+=\S+ )?(.*)", r"\1exec \2", line)])
                    command = ["bash", "-eu", "-c", script]
                    self._running.append(subprocess.Popen(command, env=self._environment, stdout=log, stderr=log))
            elif line.strip():
                done = subprocess.run(
                    ["bash", "-eu", "-c", "\n".join([*self._lasting, line])],
                    env=self._environment,
                    capture_output=True,
                    text=True,
                    check=False,
                    timeout=120,
                )
                assert done.returncode == 0, (line, done.stderr)
                said += done.stdout + done.stderr
        return said


def test_all_stages_are_run_as_printed_from_an_empty_machine(
    tmp_path: Path, postgresql: Service, place: str, redis: Service
) -> None:
    stages = PAGE.read_text("utf-8").split("\n## ")
    blocks = {
        int(stage[0]): re.findall(r"```text\n(.*?)```", stage, re.DOTALL) for stage in stages if stage[0].isdigit()
    }
    port, name = free_port(), place.rpartition("/")[2]
    (tmp_path / "etc").mkdir()
    with WebServer(style="json") as site:
        site.files = {"tides/a": b"alpha", "tides/b": b"beta" * 1000}
        replaced = {
            "/srv/": f"{tmp_path}/",
            "/etc/muniment/": f"{tmp_path}/etc/",
            "createdb muniment": f"createdb {name}_new",
            "postgresql://muniment@db.example.org/muniment": place,
            "redis://:password@broker.example.org/0": f"{redis.url}",
            "http://127.0.0.1:8000/": f"http://127.0.0.1:{port}/",
            "https://archive.example.org/": f"http://127.0.0.1:{port}/",
            "https://data.example.org/": f"{site.url}/",
        }
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("MUNIMENT_")},
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PGHOST": "127.0.0.1",
            "PGPORT": str(postgresql.port),
            "PGUSER": "postgres",
            "MUNIMENT_SERVE_PORT": str(port),
            "MUNIMENT_ALLOW_PRIVATE_ADDRESSES": "true",  # all machines here are one
            "MUNIMENT_SCRATCH": str(tmp_path / "scratch"),
        }

        def serves() -> bool:
            try:
                return httpx.get(f"http://127.0.0.1:{port}/health/live").status_code < 500
            except httpx.TransportError:
                return False

        begin, ask = blocks[1]
        with Machine(tmp_path / "first", environment, replaced) as first:
            [key] = re.findall(r"mun_\S+", first.type(begin))
            eventually(serves)
            assert "tides" in first.type(ask.replace("mun_…", key))
        with Machine(tmp_path / "moved", environment, replaced) as moved:
            moved.type("\n".join(blocks[2]))
        site.files["tides/c"] = b"gamma"
        server, worker = blocks[3]
        with (
            Machine(tmp_path / "server", {**environment, "MUNIMENT_SERVE_WORK": "true"}, replaced) as serving,
            Machine(tmp_path / "worker", environment, replaced) as working,
            Machine(tmp_path / "asking", environment, replaced) as asking,
        ):
            serving.type(server)
            assert (tmp_path / "etc" / "worker.key").stat().st_mode & 0o777 == 0o600
            eventually(serves)
            working.type(worker)
            assert "tides" in asking.type(ask.replace("mun_…", key))
    with Archive(tmp_path / "archive", workers=0) as archive:
        assert {path: archive.get("tides").read(path) for path in archive.get("tides")} == {
            "a": b"alpha", "b": b"beta" * 1000, "c": b"gamma",
        }  # fmt: skip
        assert len(archive.history("tides")) == 2
    subprocess.run(["dropdb", f"{name}_new"], env=environment, check=True)
