"""A small file that is put into a transaction is stored past the framework, with the answers of the long way."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from muniment.archive import Archive
from muniment.content import Entry
from muniment.errors.archive import TransactionBusy
from muniment.server.native import fast_path, uploads
from muniment.server.native.open_transactions import OpenTransactions
from tests.servers.native.running import Running, serving

LONG_WAY = "?replace=false"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("uploads") / "archive", init={"redundancy": 0}) as running:
        yield running


class Answer:
    """Status, headers without those that differ each time, and body of an answer."""

    def __init__(self, connection: HTTPConnection) -> None:
        found = connection.getresponse()
        self.status = found.status
        own = {name.lower(): value for name, value in found.getheaders()}
        self.headers = {name: value for name, value in own.items() if name not in {"x-request-id", "date"}}
        self.body = found.read()

    def without_names(self) -> tuple[int, dict[str, str], object]:
        document = json.loads(self.body)
        for name in ("path", "instance"):
            document.pop(name, None)
        headers = {name: value for name, value in self.headers.items() if name != "content-length"}
        return self.status, headers, document


def ask(server: Running, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
    place = urlsplit(server.url)
    assert place.hostname
    connection = HTTPConnection(place.hostname, place.port or 80, timeout=60)
    signed = {"Authorization": f"Bearer {server.key}", **{name.replace("_", "-"): it for name, it in headers.items()}}
    connection.request(method, f"/archive/v1{path}", body, {name: it for name, it in signed.items() if it})
    answer = Answer(connection)
    connection.close()
    return answer


def begin(server: Running, **said: object) -> str:
    answer = ask(server, "POST", "/transactions", json.dumps(said).encode(), Content_Type="application/json")
    assert answer.status == 201, answer.body
    return str(json.loads(answer.body)["transaction"])


class Watched:
    """Where small files were stored past the framework."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.threads: list[str] = []
        real = uploads.add_small

        def add(*given: Any, **patience: Any) -> Entry:
            self.threads.append(threading.current_thread().name)
            return real(*given, **patience)

        monkeypatch.setattr(fast_path, "add_small", add)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    return Watched(monkeypatch)


def test_it_is_stored_without_a_thread_and_committed(server: Running, watched: Watched) -> None:
    name = begin(server)
    digest = base64.b64encode(hashlib.sha256(b"one").digest()).decode()
    answer = ask(
        server,
        "PUT",
        f"/transactions/{name}/files/a%20b/%C3%A9.txt",
        b"one",
        Repr_Digest=f"sha-256=:{digest}:",
        Muniment_Modified="2020-01-02T03:04:05Z",
    )
    assert answer.status == 201
    assert json.loads(answer.body)["path"] == "a b/é.txt"
    assert json.loads(answer.body)["modified"] == "2020-01-02T03:04:05Z"
    assert len(watched.threads) == 1
    assert "AnyIO" not in watched.threads[0]
    done = ask(server, "POST", f"/transactions/{name}/commit")
    with Archive(server.place, parity=False) as archive:
        assert archive[json.loads(done.body)["id"]].read("a b/é.txt") == b"one"


CASES = {
    "empty": ("{}", b"", {}),
    "bytes": ("{}", b"some bytes", {}),
    "with a time": ("{}", b"x", {"Muniment_Modified": "2020-01-02T03:04:05+02:00"}),
    "with no time": ("{}", b"x", {"Muniment_Modified": "yesterday"}),
    "with a wrong digest": ("{}", b"x", {"Repr_Digest": "sha-256=:" + base64.b64encode(bytes(32)).decode() + ":"}),
    "with half a digest": ("{}", b"x", {"Content_Digest": "sha-256=:AA"}),
    "two digests that differ": (
        "{}",
        b"x",
        {"Content_Digest": "md5=:AAAAAAAAAAAAAAAAAAAAAA==:", "Repr_Digest": "md5=:AQAAAAAAAAAAAAAAAAAAAA==:"},
    ),
    "upwards": ("..%2F{}", b"x", {}),
    "no utf-8": ("%FF{}", b"x", {}),
    "not signed in": ("{}", b"x", {"Authorization": ""}),
    "a wrong key": ("{}", b"x", {"Authorization": "Bearer mun_nobody"}),
}


@pytest.mark.parametrize("case", CASES)
def test_the_answer_is_that_of_the_long_way(server: Running, watched: Watched, case: str) -> None:
    form, body, headers = CASES[case]
    name = begin(server)
    short = ask(server, "PUT", f"/transactions/{name}/files/{form.format('short')}", body, **headers)
    stored = len(watched.threads)
    long = ask(server, "PUT", f"/transactions/{name}/files/{form.format('long')}{LONG_WAY}", body, **headers)
    assert len(watched.threads) == stored
    assert short.without_names()[:2] == long.without_names()[:2]
    text = json.dumps(short.without_names()[2]).replace("short", "long")
    assert text == json.dumps(long.without_names()[2])


def test_a_transaction_that_is_not_there_and_a_path_taken_are_told_as_ever(server: Running) -> None:
    absent = "/transactions/01a22837-2f99-7fdf-aa80-ad812c9c7ed2/files/x"
    name = begin(server)
    taken = f"/transactions/{name}/files/x"
    assert ask(server, "PUT", taken, b"1").status == 201
    for path, status in ((absent, 404), (taken, 409)):
        short, long = ask(server, "PUT", path, b"1"), ask(server, "PUT", path + LONG_WAY, b"1")
        assert short.status == status
        assert short.without_names() == long.without_names()


def test_one_that_is_busy_is_waited_for_in_a_thread(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[tuple[str, dict[str, float]]] = []
    real = uploads.add_small

    def add(*given: Any, **patience: Any) -> Entry:
        tried.append((threading.current_thread().name, patience))
        if patience:
            raise TransactionBusy(transaction="it")
        return real(*given)

    monkeypatch.setattr(fast_path, "add_small", add)
    name = begin(server)
    assert ask(server, "PUT", f"/transactions/{name}/files/x", b"1").status == 201
    (here, at_once), (there, later) = tried
    assert at_once == {"wait": 0.0}
    assert later == {}
    assert here != there


def test_who_does_not_wait_is_refused_at_once(tmp_path: Path) -> None:
    with Archive.init(tmp_path / "archive", redundancy=0, workers=0) as archive:
        transactions = OpenTransactions(archive, 60)
        begun = archive.new()
        name = begun.transaction
        transactions.keep(begun)
        with (
            transactions.hold(name, archive),
            pytest.raises(TransactionBusy),
            transactions.hold(name, archive, wait=0.0),
        ):
            pytest.fail("two had it")
        with transactions.hold(name, archive, wait=0.0) as found:
            found.rollback()
