"""What crash tests share: buckets whose machines do not wait for this one's disk."""

from __future__ import annotations

import os

import pytest


@pytest.fixture
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is durable of an archive in a bucket is the bucket: a flush of this machine's disk takes only time.

    It would wait for whatever anybody else wrote to that disk, however much that is.
    """
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setattr("muniment.archive.disk.durable._syncfs", lambda _: 0)
