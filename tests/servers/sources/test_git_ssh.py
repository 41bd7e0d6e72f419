"""git over ssh: by a key of the submission's own, from the server whose key was given, and by nothing else."""

from __future__ import annotations

import base64
import getpass
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from muniment.errors.base import BadInput, MunimentError
from muniment.errors.sources import AddressRefused, CredentialRefused, FileUnavailable, ProgramFailed
from muniment.sources import Guard, Session, SourceContext, SourceEntry, find, open_source
from muniment.testing.servers.gitserver import BareRepository, GitServer
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


class LfsHost:
    """An ssh server that says, as GitHub's and GitLab's do, where Git LFS keeps the files of its repositories."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lfs = GitServer(folder / "none", password="today", user="lfs")
        self.sshd = own("sshd", folder / "sshd")
        self.asked = folder / "asked"
        self.said = folder / "said"
        (folder / "bin").mkdir()
        program = folder / "bin" / "git-lfs-authenticate"
        program.write_text(f'#!/bin/sh\necho "$1 $2" >> {self.asked}\nexec cat {self.said}\n')
        program.chmod(0o700)
        forced = folder / "forced"
        forced.write_text(f'#!/bin/sh\nPATH={folder}/bin:$PATH exec sh -c "$SSH_ORIGINAL_COMMAND"\n')
        forced.chmod(0o700)
        known = self.sshd.place / "authorized"
        known.write_text(f'command="{forced}" {known.read_text()}')
        self.say("today")

    def say(self, password: str, **more: object) -> None:
        basic = base64.b64encode(f"lfs:{password}".encode()).decode()
        answer = {"href": f"{self.lfs.url}/x.git/info/lfs", "header": {"Authorization": f"Basic {basic}"}, **more}
        self.said.write_text(json.dumps(answer))

    def fields(self, repository: BareRepository) -> dict[str, str]:
        place = self.sshd.place
        return {
            "url": f"ssh://{getpass.getuser()}@127.0.0.1:{self.sshd.port}{repository.folder}",
            "key": (place / "client").read_text(),
            "known_host": " ".join((place / "host.pub").read_text().split()[:2]),
        }


@pytest.fixture
def host(tmp_path: Path) -> Iterator[LfsHost]:
    made = LfsHost(tmp_path)
    with made.sshd, made.lfs:
        yield made


def repository_with(host: LfsHost, count: int) -> BareRepository:
    repository = BareRepository(host.folder / "o'brien paper.git")
    pointers = {f"{number}.mp4": host.lfs.keep_lfs(b"%d" % number * 5000) for number in range(count)}
    repository.commit(repository.folder_of({"README.md": b"hello", **pointers}))
    return repository


def test_files_of_lfs_come_from_where_the_server_says_over_ssh(session: Session, tmp_path: Path, host: LfsHost) -> None:
    repository = repository_with(host, 3)
    found = files(session, tmp_path / "scratch", host.fields(repository))
    assert {name: found[name] for name in ("0.mp4", "1.mp4", "2.mp4")} == {
        f"{number}.mp4": b"%d" % number * 5000 for number in range(3)
    }
    assert host.asked.read_text() == f"{repository.folder} download\n", "asked once for all"


def test_what_it_says_is_asked_again_when_its_time_is_over_or_it_is_refused(
    session: Session, tmp_path: Path, host: LfsHost
) -> None:
    fields = host.fields(repository_with(host, 2))
    host.say("today", expires_in=1)
    assert files(session, tmp_path / "a", fields)["1.mp4"] == b"1" * 5000
    assert len(host.asked.read_text().splitlines()) == 2
    host.say("yesterday", expires_at="2999-01-01T00:00:00Z")
    with pytest.raises(FileUnavailable, match="LFS server answered 401"):
        files(session, tmp_path / "b", fields)
    assert len(host.asked.read_text().splitlines()) == 4


@pytest.mark.parametrize("said", ["", "[]", '{"href": "x", "expires_in": "soon"}', "Not implemented"])
def test_a_server_that_does_not_say_fails_its_lfs_files_and_no_other(
    session: Session, tmp_path: Path, host: LfsHost, said: str
) -> None:
    fields = host.fields(repository_with(host, 1))
    host.said.write_text(said)
    if not said:
        (host.folder / "bin" / "git-lfs-authenticate").unlink()
    source = open_source("git", fields, SourceContext(session, tmp_path / "scratch"))
    (item,) = next(iter(source.pages())).items
    entries = {str(entry.path): entry for entry in source.entries(item) if isinstance(entry, SourceEntry)}
    with source.open(item, entries["README.md"]) as stream:
        assert stream.read() == b"hello"
    with pytest.raises(FileUnavailable, match="over ssh"):
        source.open(item, entries["0.mp4"])


def test_a_private_address_is_not_asked_for_lfs_either(session: Session, tmp_path: Path, host: LfsHost) -> None:
    """What a server says over ssh is checked as any other address."""
    fields = host.fields(repository_with(host, 1))
    host.said.write_text(json.dumps({"href": "file:///etc/passwd"}))
    with pytest.raises(MunimentError) as refused:
        files(session, tmp_path / "scratch", fields)
    assert "address" in str(refused.value)


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
