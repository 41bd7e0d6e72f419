"""A chapter of the demonstration: the archive behind a server, used by the same commands from elsewhere."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scripts.demo import Demo

BIN = Path(sys.executable).parent
PATIENCE = 30.0


def chapter(demo: Demo) -> None:
    """Let somebody in, serve the archive, and add and read a file by its address."""
    demo.say("Behind a server")
    key = demo.muniment("key", "create", "demo", "--admin", show=False).strip()
    port = _free_port()
    address = f"http://127.0.0.1:{port}"
    command = [str(BIN / "muniment"), "--archive", str(demo.archive), "serve", "--port", str(port)]
    with (demo.work / "server.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as server:
        try:
            _wait(port)
            _use(demo, address, key)
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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(port: int) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit("the server did not start")
