"""git over ssh: by a key of the submission's own, from the server whose key was given, and by nothing else."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from muniment.errors.base import BadInput
from muniment.errors.sources import AddressRefused, CredentialRefused, ProgramFailed
from muniment.sources import Guard, Session, SourceContext, SourceEntry, find, open_source
from muniment.testing.servers.gitserver import BareRepository
from muniment.testing.services import Service, own, shared

FIELDS = {"url": "ssh://git@a.example/x.git", "key": "a\nb", "known_host": "ssh-ed25519 AAAA"}


@pytest.fixture(scope="session")
def sshd(run_folder: Path) -> Iterator[Service]:
    with shared("sshd", run_folder) as service:
        yield service


@pytest.fixture
def session() -> Iterator[Session]:
    with Session(Guard(allow_private_addresses=True)) as session:
        yield session


@pytest.fixture
def fields(sshd: Service, run_folder: Path, tmp_path: Path) -> dict[str, Any]:
    repository = BareRepository(tmp_path / "paper.git")
    repository.commit(repository.folder_of({"README.md": b"hello"}))
    (place,) = {path.parent for path in run_folder.rglob("client.pub") if str(sshd.port) in _port_of(path.parent)}
    host = " ".join((place / "host.pub").read_text().split()[:2])
    url = f"ssh://{getpass.getuser()}@127.0.0.1:{sshd.port}{repository.folder}"
    return {"url": url, "key": (place / "client").read_text(), "known_host": host}


def _port_of(place: Path) -> str:
    return (place / "known_hosts").read_text()


def files(session: Session, folder: Path, fields: dict[str, Any]) -> dict[str, bytes]:
    source = open_source("git", fields, SourceContext(session, folder))
    pairs = [(item, entry) for page in source.pages() for item in page.items for entry in source.entries(item)]
    found = {}
    for item, entry in pairs:
        assert isinstance(entry, SourceEntry)
        with source.open(item, entry) as stream:
            found[str(entry.path)] = stream.read()
    return found


def test_a_repository_is_mirrored_with_the_key_that_was_given(
    session: Session, tmp_path: Path, fields: dict[str, Any]
) -> None:
    found = files(session, tmp_path / "scratch", fields)
    assert found["README.md"] == b"hello"
    kept = b"".join(path.read_bytes() for path in (tmp_path / "scratch").rglob("*") if path.is_file())
    assert fields["key"].encode()[40:80] not in kept


def test_another_key_another_server_and_private_addresses_are_refused(
    session: Session, tmp_path: Path, fields: dict[str, Any]
) -> None:
    other = own("sshd", tmp_path / "other").place
    with pytest.raises(CredentialRefused, match="key"):
        files(session, tmp_path / "a", {**fields, "key": (other / "client").read_text()})
    strange = " ".join((other / "host.pub").read_text().split()[:2])
    with pytest.raises(ProgramFailed):
        files(session, tmp_path / "b", {**fields, "known_host": strange})
    with Session(Guard()) as closed, pytest.raises(AddressRefused):
        files(closed, tmp_path / "c", fields)
    assert os.environ.get("GIT_SSH_COMMAND") is None


@pytest.mark.parametrize(
    "changed",
    [
        {"key": ""},
        {"known_host": ""},
        {"known_host": "ssh-ed25519 AAAA\nother ssh-ed25519 BBBB"},
        {"url": "ssh://-oProxyCommand=x/y"},
        {"url": "ssh://git:word@a.example/x"},
        {"url": "git@a.example:x.git"},
        {"url": "ext::sh -c true"},
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_is_asked(changed: dict[str, str]) -> None:
    assert list(find("git").faults(FIELDS)) == []
    assert all(isinstance(fault, BadInput) for fault in find("git").faults({**FIELDS, **changed}))
    assert list(find("git").faults({**FIELDS, **changed}))
