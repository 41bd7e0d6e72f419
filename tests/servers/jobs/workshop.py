"""A worker process for the tests to kill: `workshop.py LEDGER FOLDER [BROKER]`.

Its steps leave marks in the folder: a file named by the step's key for the effect, made so that doing it twice
equals doing it once, and a line in `log` for every time a step was begun.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path

from muniment.jobs import (
    Again,
    Call,
    CeleryEngine,
    Context,
    Deadlines,
    Done,
    Json,
    Keyring,
    Ledger,
    LocalEngine,
    Registry,
)
from muniment.jobs.local import Pace

PACE = Pace(lease=2.0, poll=0.1, pulse=0.2, sweep=0.3, quiet=0.5, grace=0.2)


class Marking:
    name = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def mark(self, context: Context, text: str = "") -> None:
        with (self.folder / "log").open("a") as log:
            log.write(f"{self.name} {context.key} {os.getpid()}\n")
        (self.folder / f"{self.name}-{context.key}").write_text(text)


class Fan(Marking):
    name = "fan"

    def run(self, given: Json, context: Context) -> Done:
        assert isinstance(given, dict)
        count = given["count"]
        assert isinstance(count, int)
        self.mark(context)
        calls = [Call("leaf", {"n": n, "seconds": given.get("seconds", 0.0)}) for n in range(count)]
        context.spawn(*calls[: count // 2])  # half while it runs, half at its end
        return Done(None, calls, Call("join"))


class Leaf(Marking):
    name = "leaf"

    def run(self, given: Json, context: Context) -> Done:
        assert isinstance(given, dict)
        seconds = given["seconds"]
        assert isinstance(seconds, float)
        time.sleep(seconds)
        self.mark(context)
        return Done(given["n"])


class Join(Marking):
    name = "join"

    def run(self, given: Json, context: Context) -> Done:
        total = sum(child.result for child in context.children() if isinstance(child.result, int))
        self.mark(context, str(total))
        return Done(total)


class Deadly(Marking):
    name = "deadly"

    def run(self, given: Json, context: Context) -> Done:
        self.mark(context)
        os.kill(os.getpid(), signal.SIGKILL)
        return Done()


class Patient(Marking):
    """Says how far it is until somebody cancels it or its worker is stopped."""

    name = "patient"

    def run(self, given: Json, context: Context) -> Done | Again:
        self.mark(context)
        for number in range(20_000):
            context.progress("waiting", number, 20_000, size=number * 10)
            if context.stopping:
                return Again(0.0, "the worker is being stopped")
            time.sleep(0.05)
        return Done()


class Confiding(Marking):
    """Is shown a credential, and tries to tell it in its error."""

    name = "confiding"

    def run(self, given: Json, context: Context) -> Done:
        self.mark(context, str(len(str(context.secrets["token"]))))
        raise OSError(f"the service refused {context.secrets['token']}")


class Waiting(Marking):
    """Waits for somebody else, who answers when there is a file `answer`; a leaf follows it."""

    name = "waiting"
    deadlines = Deadlines(silence=600.0)

    def run(self, given: Json, context: Context) -> Done:
        self.mark(context)
        while not (self.folder / "answer").exists():
            time.sleep(0.05)
        return Done(given, (), Call("leaf", {"n": given, "seconds": 0.0}))


class Hanging(Waiting):
    """The same, and too long."""

    name = "hanging"
    deadlines = Deadlines(silence=2.0)
    failures = 2


def registry(folder: Path) -> Registry:
    kinds = (Fan, Leaf, Join, Deadly, Patient, Confiding, Waiting, Hanging)
    return Registry(kind(folder) for kind in kinds)


def main(place: str, folder: Path, broker: str = "") -> None:
    logging.basicConfig(level=logging.INFO)
    keys = folder / "keys"
    keyring = Keyring.read(keys) if keys.exists() else None

    def open_ledger() -> Ledger:
        return Ledger.open(place, keyring=keyring)

    if broker:
        engine = CeleryEngine(broker, open_ledger, registry(folder), pace=PACE, resend=2.0)
        engine.work(concurrency=2)
        return
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with open_ledger() as ledger, LocalEngine(ledger, registry(folder), threads=3, pace=PACE):
        stop.wait()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
