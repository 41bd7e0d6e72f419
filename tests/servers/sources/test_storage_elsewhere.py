"""Services that redirect downloads to object storage elsewhere: no credential goes there, and cuts are taken up."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from muniment.errors.sources import FileDiffers, FileError
from muniment.sources import Guard, Item, Session, Source, SourceContext, SourceEntry, open_source
from muniment.testing.clock import FakeClock
from muniment.testing.servers.dataverse import Dataverse
from muniment.testing.servers.osf import Osf
from muniment.testing.servers.storage import Storage
from muniment.testing.sources import listed, read

BIG = bytes(range(256)) * 800


@pytest.fixture
def storage() -> Iterator[Storage]:
    with Storage() as storage:
        yield storage


@pytest.fixture
def session() -> Iterator[Session]:
    with Session(Guard(allow_private_addresses=True), clock=FakeClock(), timeout=10) as session:
        yield session


@pytest.fixture(params=["osffiles", "dataverse"])
def source(
    request: pytest.FixtureRequest, storage: Storage, session: Session, tmp_path: Path
) -> Iterator[tuple[Source, Item, SourceEntry]]:
    """A source, and its one file with its item."""
    service: Any = Osf() if request.param == "osffiles" else Dataverse()
    with service:
        service.storage = storage.signed
        if isinstance(service, Osf):
            service.put("big.bin", BIG)
            given = {"access_token": service.token, "id": service.node, "host": service.url}
        else:
            service.version("1.0", {"big.bin": BIG})
            given = {"api_token": service.token, "doi": service.doi, "host": service.url}
        source = open_source(request.param, given, SourceContext(session, tmp_path))
        item, entry = next(each for each in listed(source) if each[1].path.endswith("big.bin"))
        yield source, item, entry


def test_the_file_comes_and_the_credential_stays(
    source: tuple[Source, Item, SourceEntry], storage: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    assert read(*source) == BIG
    assert len(storage.requests) == 1
    assert "signature-" not in caplog.text


def test_a_cut_is_taken_up_at_a_newly_signed_address(
    source: tuple[Source, Item, SourceEntry], storage: Storage
) -> None:
    storage.once = True
    storage.fail("^/bucket/", cut_after=70_000)
    storage.fail("^/bucket/", cut_after=30_000)
    assert read(*source) == BIG
    assert [request.headers.get("range") for request in storage.requests] == [
        None,
        "bytes=70000-",
        "bytes=100000-",
    ]


def test_a_signature_that_expired_is_the_files_own_trouble(
    source: tuple[Source, Item, SourceEntry], storage: Storage
) -> None:
    storage.fail("^/bucket/", status=403, body=b"<Error>Request has expired</Error>")
    with pytest.raises(FileError) as trouble:
        read(*source)
    assert "signature-" not in str(trouble.value)


def test_damage_in_the_storage_is_seen(source: tuple[Source, Item, SourceEntry], storage: Storage) -> None:
    storage.fail("^/bucket/", damage=True)
    with pytest.raises(FileDiffers):
        read(*source)
