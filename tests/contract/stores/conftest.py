"""Real counterparts of stores: each started once for all processes of a test run, when first asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.testing.services import Service, shared
from tests.contract.stores.amazon import Amazon


@pytest.fixture(scope="session")
def ceph(run_folder: Path) -> Iterator[Service]:
    with shared("ceph", run_folder) as service:
        yield service


@pytest.fixture(scope="session")
def swift(run_folder: Path) -> Iterator[Service]:
    with shared("swift", run_folder) as service:
        yield service


@pytest.fixture(scope="session")
def amazon() -> Iterator[Amazon]:
    with Amazon() as service:
        yield service


@pytest.fixture(scope="session")
def webdav(run_folder: Path) -> Iterator[Service]:
    with shared("rclone-webdav", run_folder) as service:
        yield service


@pytest.fixture(scope="session")
def sftp(run_folder: Path) -> Iterator[Service]:
    with shared("rclone-sftp", run_folder) as service:
        yield service


@pytest.fixture(scope="session")
def sshd(run_folder: Path) -> Iterator[Service]:
    with shared("sshd", run_folder) as service:
        yield service
