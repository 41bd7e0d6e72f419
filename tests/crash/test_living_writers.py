"""A writer that uploads for long shows that it lives, so that no recovery takes its upload for abandoned."""

from __future__ import annotations

import itertools
import os
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from muniment.app.bucket import BucketArchive
from muniment.archive.bucket import home, recovery
from muniment.archive.bucket import intake as of_intake
from muniment.archive.bucket.intake import Intake
from muniment.testing.keys import FolderKeys, Request
from tests.crash.buckets import opened
from tests.timing import PATIENCE

HALF = of_intake.ALIVE_EVERY / 2


def test_a_writer_puts_its_beginning_anew_once_an_hour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock on which a pack takes a quarter of an hour, and as many as are on their way at once no longer."""
    keys = FolderKeys(tmp_path / "bucket")
    clock = 0.0
    begun: list[float] = []
    mutex = threading.Lock()

    def slowly(_: int, request: Request, when: str) -> None:
        nonlocal clock
        if when == "after" and request.kind == "put" and request.key.startswith("intake/"):
            with mutex:
                clock += HALF / 2 / of_intake.UPLOADS if "/pack/" in request.key else 0
                if request.key.endswith("begin"):
                    begun.append(clock)

    monkeypatch.setattr(of_intake, "PACK", 8)  # so that each file is one put
    monkeypatch.setattr(home, "Intake", partial(Intake, clock=lambda: clock))
    with BucketArchive.make(keys, tmp_path / "state", workers=0) as archive:
        with archive.new("film") as transaction:
            for number in range(60):
                transaction.add(f"reel {number}\n".encode(), f"{number}.txt")
            keys.fault = slowly
        keys.fault = None
        assert len(archive.get("film")) == 60
    gaps = [later - sooner for sooner, later in itertools.pairwise([*begun, clock])]
    assert max(gaps) <= of_intake.ALIVE_EVERY + 2 * HALF, gaps
    assert min(gaps[:-1]) >= of_intake.ALIVE_EVERY, "once an hour, and not with every put"
    assert len(begun) > 3


def test_nobody_kills_the_upload_of_one_file_that_takes_longer_than_uploads_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = FolderKeys(tmp_path / "bucket")
    begun = threading.Semaphore(0)
    killed: list[object] = []

    def shown_twice() -> bool:
        return begun.acquire(timeout=PATIENCE) and begun.acquire(timeout=PATIENCE)

    def hang(_: int, request: Request, when: str) -> None:
        if request.kind == "put" and when == "after" and request.key.endswith("/begin"):
            begun.release()
        if request.kind != "put" or when != "before" or not request.key.endswith("/big/1"):
            return
        assert shown_twice(), "nothing was put while the file was on its way"
        old = time.time() - recovery.ABANDONED - 60
        for each in FolderKeys(tmp_path / "bucket").list():
            os.utime(keys.tree.place(each.key), (old, old))
        while begun.acquire(blocking=False):
            pass
        assert shown_twice(), "it was put once and not again"
        with opened(FolderKeys(tmp_path / "bucket"), tmp_path / "other") as other:
            killed.extend(other.recovered)
            assert len(other.leftovers()) == 1

    monkeypatch.setattr(of_intake, "ALIVE_EVERY", 0.05)
    with BucketArchive.make(keys, tmp_path / "state", workers=0) as archive:
        keys.fault = hang
        with archive.new("film") as transaction:
            transaction.add(bytes(of_intake.LARGEST_SMALL + 1), "film.bin")
        keys.fault = None
        assert list(archive) == ["film"]
    assert killed == []
