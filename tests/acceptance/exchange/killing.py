"""Kill a process at each of its changes to the disk while it imports, and look at what it left.

Run as a program of its own, because it forks: `killing.py ARCHIVE PACKAGE WORK STRIDE RESOURCES INSTANCES`. A child
is killed at change 1, 1 + STRIDE and so on, until one gets through; the parent opens the archive each time.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

from muniment.archive import Archive
from muniment.workflows.imports import import_package

CHANGES = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "os.truncate", "os.utime"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def kill_at(change: int) -> None:
    """Kill this process when it is about to change the disk for the `change`th time."""
    left = change

    def hook(event: str, args: tuple[object, ...]) -> None:
        nonlocal left
        if event in CHANGES or (event == "open" and isinstance(args[2], int) and args[2] & WRITING):
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def import_and_die(archive: Path, package: Path, change: int) -> bool:
    """Whether the import got through before it was killed."""
    child = os.fork()
    if not child:
        try:
            with Archive(archive, parity=False, workers=1) as opened:
                kill_at(change)
                import_package(opened, package)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFEXITED(status)


def look(archive: Path, package: Path, resources: int, instances: int) -> str:
    """What is wrong with the archive, nothing when it is wholly as before or wholly as after the import."""
    with Archive(archive, parity=False, workers=1) as opened:
        ids = list(opened)
        if len(ids) not in {0, resources}:
            return f"{len(ids)} of {resources} resources"
        if heads := [len(opened.history(id)) for id in ids if len(opened.history(id)) != instances]:
            return f"{heads} of {instances} instances"
        found = [finding.message for finding in opened.audit() if finding.code != "M401"]
        left = list((archive / "staging/open").iterdir())
        if found or left or opened.leftovers():
            return f"{found} {left}"
        ingested = [event.instance for event in opened.events() if event.event == "ingestion"]
        if ingested != list(range(1, instances + 1)) * len(ids):
            return f"events for {ingested}"
        if [item.head for item in opened.resources()] != [instances for _ in ids]:
            return "the index is behind"
        if not ids:
            import_package(opened, package)
        again = [len(opened.history(id)) for id in opened]
        return "" if again == [instances] * resources else "the second import is not whole"


def main() -> None:
    template, package, work = (Path(word) for word in sys.argv[1:4])
    resources, instances = (int(word) for word in sys.argv[5:7])
    change, done, before, after = 1, False, 0, 0
    while not done:
        place = work / str(change)
        shutil.copytree(template, place)
        done = import_and_die(place, package, change)
        with Archive(place, parity=False, workers=1) as opened:
            there = bool(list(opened))
        before, after = before + (not there), after + there
        wrong = look(place, package, resources, instances)
        if wrong:
            sys.exit(f"killed at change {change}: {wrong}")
        shutil.rmtree(place)
        change += int(sys.argv[4])
    print(change, before, after)


if __name__ == "__main__":
    main()
