"""A real S3: OpenStack Swift with its S3 API on loopback, from Debian's package python3-swift.

It checks signatures and the sha256 of what it is sent, and keeps versions. It has no Object Lock and no tags.
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from muniment.testing.services import ServiceMissing

_PYTHON = Path("/usr/bin/python3")
_PROCESS = Path(__file__).with_name("swift_process.py")
_START_SECONDS = 30.0


class Swift:
    """The server for the length of a `with` block; everything it keeps lies in `folder`, which is new or empty."""

    access_key: ClassVar[str] = "test:tester"
    secret_key: ClassVar[str] = "testing"  # noqa: S105 - of a test

    def __init__(self, folder: Path) -> None:
        self.url = ""
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it and wait until it listens.

        Raises:
            ServiceMissing: Debian's package is not installed.
            RuntimeError: It did not start; what it said is in the message.
        """
        look = [str(_PYTHON), "-I", "-c", "import swift.proxy.server, eventlet"]
        if not _PYTHON.exists() or subprocess.run(look, check=False, capture_output=True).returncode:
            raise ServiceMissing("python3-swift is not installed; `make test` installs what the tests need")
        self._folder.mkdir(parents=True, exist_ok=True)
        log = self._folder / "log"
        with log.open("wb") as said:
            # -I: without it this folder would come first in its path, and this module would be its `swift`.
            command = [str(_PYTHON), "-I", str(_PROCESS), str(self._folder)]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        until = time.monotonic() + _START_SECONDS
        while not (self._folder / "port").exists():
            if self._process.poll() is not None or time.monotonic() >= until:
                self._stop()
                raise RuntimeError(f"Swift did not start: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)
        self.url = f"http://127.0.0.1:{(self._folder / 'port').read_text()}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
