"""A chapter of the demonstration: the archive behind a server, used by the same commands from elsewhere."""

from __future__ import annotations

import http.client
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scripts.demo import Demo

BIN = Path(sys.executable).parent
PATIENCE = 180.0
"""Seconds: the machine may be busy, and a server that lives is waited for."""
_SHOWN = 2000


def chapter(demo: Demo) -> None:
    """Let somebody in, serve the archive, and add and read a file by its address."""
    demo.say("Behind a server")
    key = demo.muniment("key", "create", "demo", "--admin", show=False).strip()
    port = _free_port()
    address = f"http://127.0.0.1:{port}"
    command = [str(BIN / "muniment"), "--archive", str(demo.archive), "serve", "--port", str(port)]
    with (demo.work / "server.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as server:
        try:
            _wait(port, server, demo.work / "server.log")
            _use(demo, address, key)
            _look(demo, port, key)
        finally:
            server.terminate()
    demo.note("over HTTP", "the same commands, with the address for the folder; files checked on both sides")


def _use(demo: Demo, address: str, key: str) -> None:
    here = demo.environment
    # The key goes by the environment: never on a command line, where everybody on the machine could read it.
    demo.environment = {**os.environ, "MUNIMENT_ARCHIVE": address, "MUNIMENT_KEY": key}
    letter = demo.work / "letter.txt"
    letter.write_text("Sent over the wire.\n", "utf-8")
    try:
        demo.muniment("add", letter, "--id", "letter", "-m", "From elsewhere")
        demo.muniment("get", "letter", "letter.txt")
        demo.muniment("show", "letter")
        demo.muniment("audit", "letter")
    finally:
        demo.environment = here


def _look(demo: Demo, port: int, key: str) -> None:
    """See that the first page answers, and say what it says; a person opens the address in a browser."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request("GET", "/", headers={"Accept": "text/html", "Authorization": f"Bearer {key}"})
    page = connection.getresponse().read().decode("utf-8")
    connection.close()
    heading = re.search(r"<h1>([^<]*)</h1>", page)
    if heading is None:
        raise SystemExit("the first page says nothing")
    demo.note("in a browser", f"the first page says: {heading[1]} (make demo SERVE=1 leaves it open)")


def keep_serving(demo: Demo) -> None:
    """Leave the archive open for a browser until somebody presses Ctrl-C."""
    key = demo.muniment("key", "create", "visitor", "--admin", show=False).strip()
    port = _free_port()
    command = [str(BIN / "muniment"), "--archive", str(demo.archive), "serve", "--port", str(port)]
    # The settings of the chapters before: a ledger works with the stores it was told of, and says so of others.
    environment = {
        **demo.environment,
        "MUNIMENT_ALLOW_PRIVATE_ADDRESSES": "true",
        "MUNIMENT_REGISTRATION_STORES": str(demo.work / "osf/registrations"),
        "MUNIMENT_SERVE_TITLE": "The demonstration",
    }
    place = demo.work / "pages.log"
    with place.open("wb") as log, subprocess.Popen(command, env=environment, stdout=log, stderr=log) as server:
        try:
            _wait(port, server, place)
            print(f"\nOpen http://127.0.0.1:{port}/ and sign in with the key\n  {key}\nCtrl-C ends it.", flush=True)
            server.wait()
        except KeyboardInterrupt:
            print("Ended.")
        finally:
            server.terminate()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the server takes connections; of one that ended, or takes too long, show what it wrote."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    why = f"it ended with status {server.poll()}" if server.poll() is not None else f"not within {PATIENCE:g} s"
    written = log.read_text("utf-8", "replace")[-_SHOWN:]
    raise SystemExit(f"the server did not start, {why}; it wrote:\n{written}")
