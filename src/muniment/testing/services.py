"""Real servers on loopback for tests: each started once, and gone when nobody uses it.

`shared(kind, folder)` starts a server, or joins one that another test process has started in the same folder. A
keeper process owns the server and ends it when the last process that joined has ended, in whatever way it ended.
`own(kind, folder)` is a server for one test, which may stop it and start it again.
Debian's packages are used: postgresql, redis-server, rabbitmq-server, and those `storage_services` names.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Self

KINDS = (
    "postgresql",
    "postgresql-durable",
    "redis",
    "rabbitmq",
    "ceph",
    "swift",
    "sshd",
    "rclone-webdav",
    "rclone-sftp",
    "ckan",
)
"""`postgresql-durable` waits for the disk at each commit, as a real one does: for measuring."""
_START_SECONDS = 60.0
_SLOW_START_SECONDS = 240.0
"""For what needs others first, and what is several daemons."""
_LOOK_EVERY = 0.5


class ServiceMissing(RuntimeError):
    """The server's Debian package is not installed."""


@dataclass(frozen=True, slots=True)
class Service:
    """A running server. `url` has its password in it, if it has one."""

    kind: str
    url: str
    port: int
    pid: int


def free_port() -> int:
    """A loopback port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def shared(kind: str, folder: Path) -> Iterator[Service]:
    """The server of this kind that all who name this folder share.

    Raises:
        ServiceMissing: Its Debian package is not installed.
        RuntimeError: It did not start; its log is in the message.
    """
    place = folder / kind
    users = place / "users"
    users.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ticket = users / f"{os.getpid()}-{secrets.token_hex(4)}"
        ticket.touch()
        service = _running(place) or _start_keeper(kind, place)
    try:
        yield service
    finally:
        ticket.unlink(missing_ok=True)


def _running(place: Path) -> Service | None:
    try:
        service = Service(**json.loads((place / "address.json").read_text()))
    except (OSError, ValueError):
        return None
    return service if _alive(service.pid) else None


def _start_keeper(kind: str, place: Path) -> Service:
    (place / "address.json").unlink(missing_ok=True)
    log = (place / "keeper.log").open("wb")
    command = [sys.executable, "-m", "muniment.testing.services", kind, str(place)]
    keeper = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
    log.close()
    until = time.monotonic() + (_SLOW_START_SECONDS if kind in {"ckan", "ceph"} else _START_SECONDS)
    while time.monotonic() < until:
        service = _running(place)
        if service is not None:
            keeper.returncode = 0  # it outlives us on purpose, and Python is not to complain of that
            return service
        if keeper.poll() is not None:
            break
        time.sleep(0.05)
    said = (place / "keeper.log").read_text(errors="replace")
    if "ServiceMissing" in said:
        raise ServiceMissing(said.strip().splitlines()[-1])
    raise RuntimeError(f"{kind} did not start: {said[-2000:]}")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def program(name: str, *places: str) -> str:
    """Where a program is: in PATH, in `places`, or where those of a system's keeper lie.

    Raises:
        ServiceMissing: It is not installed.
    """
    found = shutil.which(name, path=os.pathsep.join([*places, os.environ.get("PATH", ""), "/usr/sbin", "/sbin"]))
    if found is None:
        raise ServiceMissing(f"{name} is not installed; `make test` installs what the tests need")
    return found


# --- each kind: where its files are, how it is started, and what it held


class OwnServer:
    """A server in the hands of one process: stopped and started again on the same port, with all it held or without.

    Use it in a `with`: it starts at once, and is gone at the end with all its files.
    """

    kind = ""

    def __init__(self, place: Path) -> None:
        """Keep its files below `place`, which is there."""
        self.place = place
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address, with its password if it has one."""
        raise NotImplementedError

    @property
    def running(self) -> bool:
        """Whether it was started, and neither stopped nor died since."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it, and return when it answers.

        Raises:
            ServiceMissing: Its Debian package is not installed.
            RuntimeError: It did not start.
        """
        self._process = self._start()
        _await_port(self.port, self._process)

    def stop(self) -> None:
        """End it as its own service script would, and keep its files."""
        if self._process is not None:
            self._end(self._process)
            self._process = None

    def forget(self) -> None:
        """Throw away what it held, while it is stopped."""
        raise NotImplementedError

    def remove(self) -> None:
        """Stop it and throw away its files."""
        self.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def _start(self) -> subprocess.Popen[bytes]:
        raise NotImplementedError

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        process.wait(20)


class PostgreSQL(OwnServer):
    """PostgreSQL; with `durable` it waits for the disk at each commit, as a real one does."""

    kind = "postgresql"

    def __init__(self, place: Path, *, durable: bool = False) -> None:
        """Make its files: below /tmp where it has to run as another user than we do."""
        super().__init__(place)
        folders = list(map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)))
        self._programs = {name: program(name, *folders) for name in ("initdb", "postgres", "pg_isready")}
        # It refuses to run as root; its files must then be reachable for the user it runs as.
        user = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        self._data = Path(f"/tmp/muniment-pg-{secrets.token_hex(6)}") if user else place / "data"  # noqa: S108 - unguessable
        self._data.mkdir(mode=0o700)
        self._who: dict[str, object] = {"cwd": self._data}
        if user:
            os.chown(self._data, user.pw_uid, user.pw_gid)
            self._who |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        self._fsync = "on" if durable else "off"  # what killed clients lose does not depend on it
        self._make()

    @property
    def url(self) -> str:
        """Its address."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start it, and return when it takes questions."""
        super().start()
        _await_command([self._programs["pg_isready"], "-q", "-h", "127.0.0.1", "-p", str(self.port)])

    def forget(self) -> None:
        """Be as new."""
        shutil.rmtree(self._data / "d")
        self._make()

    def remove(self) -> None:
        """Stop it and throw away its files."""
        super().remove()
        shutil.rmtree(self._data, ignore_errors=True)

    def _make(self) -> None:
        options = ["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C"]
        command = [self._programs["initdb"], "-D", self._data / "d", *options]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **self._who)  # type: ignore[call-overload]  # keywords of Popen

    def _start(self) -> subprocess.Popen[bytes]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self._data,
            "fsync": self._fsync,
            "max_connections": 200,
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        command = [self._programs["postgres"], "-D", self._data / "d", "-p", str(self.port), *options]
        return subprocess.Popen(command, **self._who)  # type: ignore[call-overload,no-any-return]  # as above

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        process.send_signal(signal.SIGINT)  # it does not wait for its clients to leave
        process.wait(20)


class Redis(OwnServer):
    """Redis, which writes what it holds to its disk when it is stopped."""

    kind = "redis"

    def __init__(self, place: Path) -> None:
        """Choose a password."""
        super().__init__(place)
        self._word = secrets.token_hex(8)

    @property
    def url(self) -> str:
        """Its address, with its password."""
        return f"redis://:{self._word}@127.0.0.1:{self.port}/0"

    def forget(self) -> None:
        """Lose all messages, as a Redis that keeps them in memory alone does."""
        (self.place / "dump.rdb").unlink(missing_ok=True)

    def _start(self) -> subprocess.Popen[bytes]:
        config = self.place / "redis.conf"
        lines = ("bind 127.0.0.1", f"port {self.port}", f"requirepass {self._word}", "save 3600 1", f"dir {self.place}")
        config.write_text("".join(f"{line}\n" for line in lines))
        return subprocess.Popen([program("redis-server"), config])


class RabbitMQ(OwnServer):
    """RabbitMQ, with a port mapper of its own: the usual one belongs to whoever started it first, and outlives it."""

    kind = "rabbitmq"

    def __init__(self, place: Path) -> None:
        """Choose its ports."""
        super().__init__(place)
        distribution, mapper = free_port(), free_port()
        home = place / "home"
        home.mkdir(exist_ok=True)
        (place / "plugins").write_text("[].\n")
        self._environment = {
            **os.environ,
            "HOME": str(home),
            "RABBITMQ_NODENAME": f"muniment{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_MNESIA_BASE": str(place / "mnesia"),
            "RABBITMQ_LOG_BASE": str(place / "log"),
            "RABBITMQ_CONFIG_FILE": str(place / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(place / "plugins"),
            "RABBITMQ_SERVER_START_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(mapper),
        }
        self._mapper = [
            program("epmd", *map(str, Path("/usr/lib").glob("erlang/erts-*/bin"))),
            "-port",
            str(mapper),
        ]
        self._epmd: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def forget(self) -> None:
        """Lose all messages and queues."""
        shutil.rmtree(self.place / "mnesia", ignore_errors=True)

    def remove(self) -> None:
        """Stop it, and its port mapper."""
        super().remove()
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd.wait(5)
            self._epmd = None

    def _start(self) -> subprocess.Popen[bytes]:
        server = program("rabbitmq-server", "/usr/lib/rabbitmq/bin")
        if self._epmd is None:
            self._epmd = subprocess.Popen(self._mapper, env=self._environment)
        return subprocess.Popen([server], env=self._environment, start_new_session=True)

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"nothing answers on port {port} (exit status {process.poll()})")


def _await_command(command: list[str]) -> None:
    until = time.monotonic() + _START_SECONDS
    while subprocess.run(command, check=False).returncode != 0:
        if time.monotonic() >= until:
            raise RuntimeError(f"{command[0]} was never content")
        time.sleep(0.05)


def _ckan(place: Path) -> OwnServer:
    from muniment.testing.servers import ckan_process  # noqa: PLC0415 - it needs this module

    return ckan_process.CkanProcess(place)


def _storage(kind: str, place: Path) -> OwnServer:
    from muniment.testing import storage_services as storage  # noqa: PLC0415 - it is built on this module

    makers: dict[str, Callable[[Path], OwnServer]] = {
        "ceph": storage.Ceph,
        "swift": storage.SwiftS3,
        "sshd": storage.Sshd,
        "rclone-webdav": partial(storage.RcloneServe, protocol="webdav"),
        "rclone-sftp": partial(storage.RcloneServe, protocol="sftp"),
    }
    return makers[kind](place)


_SERVERS: dict[str, Callable[[Path], OwnServer]] = {
    **{kind: partial(_storage, kind) for kind in ("ceph", "swift", "sshd", "rclone-webdav", "rclone-sftp")},
    "postgresql": PostgreSQL,
    "postgresql-durable": partial(PostgreSQL, durable=True),
    "redis": Redis,
    "rabbitmq": RabbitMQ,
    "ckan": _ckan,
}


def own(kind: str, place: Path) -> OwnServer:
    """A server of this kind for one test alone, not started yet; `place` is a folder of its own."""
    place.mkdir(parents=True, exist_ok=True)
    return _SERVERS[kind](place)


def keep(kind: str, place: Path) -> None:
    """Start the server and end it when no process that joined is left. The keeper's whole life."""
    server = _SERVERS[kind](place)
    try:
        server.start()
        address = place / "address.new"
        address.write_text(json.dumps(asdict(Service(kind, server.url, server.port, os.getpid()))))
        address.rename(place / "address.json")
        while _used(place):
            time.sleep(_LOOK_EVERY)
    finally:
        (place / "address.json").unlink(missing_ok=True)
        server.remove()


def _used(place: Path) -> bool:
    """Whether a joined process lives. Looked at under the lock, so that nobody joins a server that is ending."""
    with (place / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        for ticket in (place / "users").iterdir():
            if _alive(int(ticket.name.split("-")[0])):
                return True
            ticket.unlink(missing_ok=True)
        (place / "address.json").unlink(missing_ok=True)
        return False


if __name__ == "__main__":
    keep(sys.argv[1], Path(sys.argv[2]))
