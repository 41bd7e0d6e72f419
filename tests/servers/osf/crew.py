"""Workers as processes of their own, `muniment work`, which are killed as if their machine had lost power."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from muniment.settings import Settings
from tests.servers.osf.house import KEY


class Crew:
    """`size` workers for a house; `archive` names it as they shall reach it, a folder or a URL."""

    def __init__(self, settings: Settings, folder: Path, *, size: int = 2, **environment: str) -> None:
        place = Path(settings.archive or "")
        self._environment = {
            **os.environ,
            "MUNIMENT_ARCHIVE": str(settings.archive),
            "MUNIMENT_DIGEST_PROCESSES": "0",
            "MUNIMENT_SECRETS_FILE": str(settings.secrets_file or place / "control.key"),
            "MUNIMENT_ALLOW_PRIVATE_ADDRESSES": "true",
            "MUNIMENT_REGISTRATION_STORES": settings.registration_stores,
            "MUNIMENT_HMAC_KEY": KEY,
            "MUNIMENT_WORK_LEASE": str(settings.work_lease),
            "MUNIMENT_SCRATCH": str(folder / "scratch"),
            **({"MUNIMENT_LEDGER": settings.ledger} if settings.ledger else {}),
            **({"MUNIMENT_BROKER": settings.broker.get_secret_value()} if settings.broker else {}),
            **environment,
        }
        if settings.callback_addresses:
            self._environment["MUNIMENT_CALLBACK_ADDRESSES"] = settings.callback_addresses.get_secret_value()
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / "workers.log"
        self._size = size
        self.workers: list[subprocess.Popen[bytes]] = []

    def hire(self) -> subprocess.Popen[bytes]:
        """One worker more, with its children in a process group of its own."""
        with self.log.open("ab") as out:
            command = [sys.executable, "-m", "muniment", "work", "--concurrency", "2"]
            worker = subprocess.Popen(command, env=self._environment, stdout=out, stderr=out, start_new_session=True)
        self.workers.append(worker)
        return worker

    def kill(self, worker: subprocess.Popen[bytes]) -> None:
        """As if its machine had lost power."""
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait(10)
        self.workers.remove(worker)

    def __enter__(self) -> Self:
        for _ in range(self._size):
            self.hire()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        for worker in list(self.workers):
            self.kill(worker)
        if error is not None:
            print(self.log.read_text(errors="replace")[-6000:])
