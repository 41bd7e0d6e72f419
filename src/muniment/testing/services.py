"""Real PostgreSQL, Redis and RabbitMQ on loopback for tests: each started once, and gone when nobody uses it.

`shared(kind, folder)` starts a server, or joins one that another test process has started in the same folder. A
keeper process owns the server and ends it when the last process that joined has ended, in whatever way it ended.
Debian's packages are used: postgresql, redis-server, rabbitmq-server.
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

KINDS = ("postgresql", "postgresql-durable", "redis", "rabbitmq")
"""`postgresql-durable` waits for the disk at each commit, as a real one does: for measuring."""
_START_SECONDS = 60.0
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
    until = time.monotonic() + _START_SECONDS
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


def _program(name: str, *places: str) -> str:
    found = shutil.which(name, path=os.pathsep.join([*places, os.environ.get("PATH", "")]))
    if found is None:
        raise ServiceMissing(f"{name} is not installed; `make test` installs what the tests need")
    return found


# --- each kind: start it in a folder, return (address, process)

Started = tuple[str, int, Callable[[], None]]


def _postgresql(place: Path, *, durable: bool = False) -> Started:
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    initdb = _program("initdb", *map(str, folders))
    postgres = _program("postgres", *map(str, folders))
    port = free_port()
    # It refuses to run as root; its files must then be reachable for the user it runs as.
    user = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
    data = Path(f"/tmp/muniment-pg-{secrets.token_hex(6)}") if user else place / "data"  # noqa: S108 - unguessable
    data.mkdir(mode=0o700)
    who: dict[str, object] = {"cwd": data}
    if user:
        os.chown(data, user.pw_uid, user.pw_gid)
        who |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    subprocess.run(  # type: ignore[call-overload]  # the same keywords for both calls
        [initdb, "-D", data / "d", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C"],
        check=True, stdout=subprocess.DEVNULL, **who,
    )  # fmt: skip
    settings = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": data,
        "fsync": "on"
        if durable
        else "off",  # nothing here outlives the tests; killing clients, which they do, loses nothing by it
        "max_connections": 200,
    }
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    process: subprocess.Popen[bytes] = subprocess.Popen([postgres, "-D", data / "d", "-p", str(port), *options], **who)  # type: ignore[call-overload]  # as above
    _await_port(port, process)
    _await_command([_program("pg_isready", *map(str, folders)), "-q", "-h", "127.0.0.1", "-p", str(port)])

    def stop() -> None:
        process.send_signal(signal.SIGINT)
        process.wait(20)
        shutil.rmtree(data, ignore_errors=True)

    return f"postgresql://postgres@127.0.0.1:{port}/postgres", port, stop


def _redis(place: Path) -> Started:
    port, word = free_port(), secrets.token_hex(8)
    config = place / "redis.conf"
    config.write_text(f'bind 127.0.0.1\nport {port}\nrequirepass {word}\nsave ""\ndir {place}\n')
    process = subprocess.Popen([_program("redis-server"), config])
    _await_port(port, process)

    def stop() -> None:
        process.terminate()
        process.wait(20)

    return f"redis://:{word}@127.0.0.1:{port}/0", port, stop


def _rabbitmq(place: Path) -> Started:
    port, distribution, mapper = free_port(), free_port(), free_port()
    home = place / "home"
    home.mkdir(exist_ok=True)
    environment = {
        **os.environ,
        "HOME": str(home),
        "RABBITMQ_NODENAME": f"muniment{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_MNESIA_BASE": str(place / "mnesia"),
        "RABBITMQ_LOG_BASE": str(place / "log"),
        "RABBITMQ_CONFIG_FILE": str(place / "none"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(place / "plugins"),
        "RABBITMQ_SERVER_START_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        # A port mapper of its own: the usual one belongs to whoever started it first, and outlives its nodes.
        "ERL_EPMD_PORT": str(mapper),
    }
    (place / "plugins").write_text("[].\n")
    program = _program("rabbitmq-server", "/usr/lib/rabbitmq/bin")
    epmd = subprocess.Popen([_program("epmd", *map(str, Path("/usr/lib").glob("erlang/erts-*/bin"))), "-port", str(mapper)], env=environment)  # noqa: E501  # fmt: skip
    process = subprocess.Popen([program], env=environment, start_new_session=True)
    _await_port(port, process)

    def stop() -> None:
        os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        epmd.kill()
        epmd.wait(5)

    return f"amqp://guest:guest@127.0.0.1:{port}//", port, stop


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


_STARTERS: dict[str, Callable[[Path], Started]] = {
    "postgresql": _postgresql,
    "postgresql-durable": partial(_postgresql, durable=True),
    "redis": _redis,
    "rabbitmq": _rabbitmq,
}


def keep(kind: str, place: Path) -> None:
    """Start the server and end it when no process that joined is left. The keeper's whole life."""
    url, port, stop = _STARTERS[kind](place)
    try:
        address = place / "address.new"
        address.write_text(json.dumps(asdict(Service(kind, url, port, os.getpid()))))
        address.rename(place / "address.json")
        while _used(place):
            time.sleep(_LOOK_EVERY)
    finally:
        (place / "address.json").unlink(missing_ok=True)
        stop()


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
