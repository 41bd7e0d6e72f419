"""A real CKAN 2.12 on loopback, with PostgreSQL, Redis and a stand-in for Solr: started once for all tests.

It lives in an environment of its own beside ours, `.venv-ckan`, which `scripts/ckan.sh` makes.
"""

from __future__ import annotations

import configparser
import contextlib
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

from muniment.testing.services import OwnServer, ServiceMissing, free_port, shared

_START_SECONDS = 120.0
_PASSWORD = "a-long-password"  # noqa: S105 - of a test


class CkanProcess(OwnServer):
    """CKAN's own process; its address has a sysadmin's token as the password."""

    kind = "ckan"

    def __init__(self, place: Path) -> None:
        """Keep its files below `place`.

        Raises:
            ServiceMissing: There is no CKAN to start.
        """
        super().__init__(place)
        self._program = Path(sys.prefix).parent / ".venv-ckan" / "bin" / "ckan"
        if not self._program.exists():
            raise ServiceMissing(
                "CKAN is not installed beside this environment; `make test` installs it (scripts/ckan.sh)"
            )
        self._others = contextlib.ExitStack()
        self._token = ""

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://token:{self._token}@127.0.0.1:{self.port}"

    def remove(self) -> None:
        """Stop it, and what it needs."""
        super().remove()
        self._others.close()

    def _start(self) -> subprocess.Popen[bytes]:
        program, place = self._program, self.place
        database = self._others.enter_context(shared("postgresql", place.parent))
        redis = self._others.enter_context(shared("redis", place.parent))
        solr_port = free_port()
        schema = next(program.parent.parent.glob("lib/python3*/site-packages/ckan/config/solr/schema.xml"))
        stand_in = [program.with_name("python"), Path(__file__).with_name("solr.py"), str(solr_port), schema]
        solr = subprocess.Popen(list(map(str, stand_in)))
        self._others.callback(self._end, solr)
        _await(solr_port, solr)
        config = _configure(program, place, database.url, redis.url, solr_port, self.port)
        _ckan(program, config, "db", "init")
        _ckan(program, config, "user", "add", "admin", "email=admin@example.org", f"password={_PASSWORD}")
        _ckan(program, config, "sysadmin", "add", "admin")
        said = _ckan(program, config, "user", "token", "add", "admin", "tests")
        self._token = said.strip().splitlines()[-1].strip()
        command = [program, "-c", config, "run", "-H", "127.0.0.1", "-p", str(self.port), "--disable-reloader"]
        return subprocess.Popen(
            list(map(str, command)), stdout=(place / "ckan.log").open("wb"), stderr=subprocess.STDOUT
        )


def _configure(program: Path, place: Path, database: str, redis: str, solr_port: int, port: int) -> Path:
    name = f"ckan{port}"
    _run([*_psql(database), "-c", f"CREATE DATABASE {name}"])
    config = place / "ckan.ini"
    _run([str(program), "generate", "config", str(config)])
    text = config.read_text()
    values = {
        "sqlalchemy.url": re.sub(r"/[^/]*$", f"/{name}", database),
        "solr_url": f"http://127.0.0.1:{solr_port}/solr/ckan",
        "ckan.redis.url": redis,
        "ckan.storage_path": str(place / "storage"),
        "ckan.site_url": f"http://127.0.0.1:{port}",
    }
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign] # names keep their letters
    parser.read_string(text)
    for key, value in values.items():
        parser.set("app:main", key, value.replace("%", "%%"))
    (place / "storage").mkdir(exist_ok=True)
    with config.open("w") as file:
        parser.write(file)
    return config


def _psql(database: str) -> list[str]:
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/psql"), reverse=True)
    return [str(programs[0]) if programs else "psql", "-q", database]


def _ckan(program: Path, config: Path, *words: str) -> str:
    return _run([str(program), "-c", str(config), *words])


def _run(command: list[str]) -> str:
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=_START_SECONDS, env={**os.environ}
    )
    if done.returncode:
        message = f"{command[0]} failed: {done.stdout[-1500:]}{done.stderr[-1500:]}"
        raise RuntimeError(message)
    return done.stdout


def _await(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    message = f"nothing answers on port {port} (exit status {process.poll()})"
    raise RuntimeError(message)
