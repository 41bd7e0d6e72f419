"""The session against servers that misbehave: cuts, redirects, limits, broken HTTP, wrong certificates."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.errors.sources import (
    AddressRefused,
    CertificateRefused,
    CredentialRefused,
    FileChanged,
    FileCut,
    FileDiffers,
    NotAtService,
    RateLimited,
    RedirectRefused,
    ServiceFailed,
    ServiceRefused,
    ServiceUnreachable,
    UnexpectedAnswer,
)
from muniment.session import Account, Guard, Session
from muniment.session.session import _target
from muniment.testing.certificates import server_and_client_contexts
from muniment.testing.clock import FakeClock
from muniment.testing.servers import Loopback, Reply, Request, Wrong

DATA = bytes(range(256)) * 4096
TOKEN = "s3cret-t0ken"


class Service(Loopback):
    """Gives /file in ranges, /json, and whatever `more` holds."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls)
        self.more: dict[str, Reply] = {}
        self.etag: str | None = '"one"'
        self.data = DATA

    def answer(self, request: Request) -> Reply:
        if request.path in self.more:
            held = self.more[request.path]
            return Reply(held.status, held.body, dict(held.headers), held.etag, held.ranges)
        if request.path == "/file":
            return Reply(200, self.data, etag=self.etag)
        if request.path == "/json":
            return Reply.json({"ok": True})
        raise Wrong(404, "nothing here")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def session(clock: FakeClock) -> Iterator[Session]:
    with Session(Guard(allow_private_addresses=True), clock=clock, timeout=2) as session:
        yield session


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as service:
        yield service


@pytest.fixture
def account(service: Service) -> Account:
    return Account("shelf", (service.url,), {"Authorization": f"Bearer {TOKEN}"}, (TOKEN,))


# --- bodies


def test_a_body_cut_many_times_arrives_whole(session: Session, service: Service, account: Account) -> None:
    service.fail("/file", cut_after=1000, times=40)
    with session.open(account, f"{service.url}/file", "f") as body:
        assert body.read() == DATA
    assert len(service.asked("/file")) == 41
    assert all(request.headers["if-range"] == '"one"' for request in service.asked("/file")[1:])


def test_a_service_that_only_ever_cuts_is_given_up(session: Session, service: Service, account: Account) -> None:
    service.fail("/file", cut_after=0, times=99)
    with pytest.raises(FileCut), session.open(account, f"{service.url}/file", "f") as body:
        body.read()
    assert len(service.asked("/file")) <= 6


def test_a_service_that_breaks_off_early_and_knows_no_ranges_is_given_up(
    session: Session, service: Service, account: Account
) -> None:
    """What it sends again is nothing new: only bytes beyond the furthest count as progress."""
    service.more["/whole"] = Reply(200, DATA, etag='"one"', ranges=False)
    service.fail("/whole", cut_after=70_000, times=1000)
    with pytest.raises(FileCut) as cut, session.open(account, f"{service.url}/whole", "f") as body:
        body.read()
    assert cut.value.retry
    assert len(service.asked("/whole")) <= session.attempts


def test_a_file_that_changed_between_the_cuts_is_not_glued_together(
    session: Session, service: Service, account: Account
) -> None:
    service.fail("/file", cut_after=1000)
    with session.open(account, f"{service.url}/file", "f") as body:
        service.etag, service.data = '"two"', b"other" * 10_000
        with pytest.raises(FileChanged):
            body.read()


def test_without_a_validator_a_cut_is_told_and_not_guessed_over(
    session: Session, service: Service, account: Account
) -> None:
    service.etag = None
    service.fail("/file", cut_after=1000)
    with session.open(account, f"{service.url}/file", "f") as body, pytest.raises(FileCut) as cut:
        body.read()
    assert cut.value.details["size"] == 1000
    assert FileCut.retry


def test_a_weak_validator_is_none(session: Session, service: Service, account: Account) -> None:
    service.etag = 'W/"one"'
    service.fail("/file", cut_after=1000)
    with session.open(account, f"{service.url}/file", "f") as body, pytest.raises(FileCut):
        body.read()


def test_a_service_without_ranges_is_read_again_from_its_beginning(
    session: Session, service: Service, account: Account
) -> None:
    service.more["/whole"] = Reply(200, DATA, etag='"one"', ranges=False)
    service.fail("/whole", cut_after=70_000)
    with session.open(account, f"{service.url}/whole", "f") as body:
        assert body.read() == DATA
    with session.open(account, f"{service.url}/whole", "f", offset=70_000) as body:
        assert body.read() == DATA[70_000:]


def test_a_body_can_be_begun_at_its_end_and_not_beyond(session: Session, service: Service, account: Account) -> None:
    with session.open(account, f"{service.url}/file", "f", offset=len(DATA)) as body:
        assert body.read() == b""
    with pytest.raises(FileChanged):
        session.open(account, f"{service.url}/file", "f", offset=len(DATA) + 1)


def test_a_size_that_is_not_the_announced_one_is_refused_before_a_byte_comes(
    session: Session, service: Service, account: Account
) -> None:
    with pytest.raises(FileDiffers):
        session.open(account, f"{service.url}/file", "f", size=len(DATA) - 1)


def test_a_coding_nobody_asked_for_is_taken_off_also_after_a_cut_and_from_the_middle(
    session: Session, service: Service, account: Account
) -> None:
    packed = gzip.compress(DATA)
    service.more["/x.csv"] = Reply(200, packed, {"Content-Encoding": "gzip"}, etag='"packed"')
    service.fail("/x.csv", cut_after=len(packed) // 2)
    with session.open(account, f"{service.url}/x.csv", "f", size=len(DATA)) as body:
        assert body.read() == DATA
    assert service.requests[-1].headers["range"] == f"bytes={len(packed) // 2}-"
    with session.open(account, f"{service.url}/x.csv", "f", offset=1000) as body:
        assert body.read() == DATA[1000:]


def test_files_that_are_compressed_where_they_lie_come_as_they_are_stored(
    session: Session, service: Service, account: Account
) -> None:
    packed = gzip.compress(DATA)
    service.more["/x.csv.gz"] = service.more["/stored"] = Reply(200, packed, {"Content-Encoding": "gzip"})
    with session.open(account, f"{service.url}/x.csv.gz", "f") as body:
        assert body.read() == packed
    with session.open(account, f"{service.url}/stored", "f", size=len(packed)) as body:
        assert body.read() == packed


def test_a_redirect_is_followed_to_the_address_that_was_meant(
    session: Session, service: Service, account: Account
) -> None:
    service.more["/d/é b.csv"] = Reply(200, b"DATA")
    for charset, sent in (("utf-8", "/d/%C3%A9%20b.csv"), ("latin-1", "/d/%E9%20b.csv")):
        raw = "/d/é b.csv".encode(charset).decode("latin-1")
        service.more["/r"] = Reply(302, headers={"Location": raw})
        if charset == "utf-8":
            with session.open(account, f"{service.url}/r", "f") as body:
                assert body.read() == b"DATA"
        reply = session.send(account, "GET", f"{service.url}/r", {})
        reply.close()
        assert _target(reply.url) == sent


# --- answers


def test_answers_are_read_also_when_compressed_and_never_beyond_their_limit(
    session: Session, service: Service, account: Account
) -> None:
    service.more["/gz"] = Reply(200, gzip.compress(b'{"a": 1}'), {"Content-Encoding": "gzip"})
    assert session.get(account, f"{service.url}/gz").object() == {"a": 1}
    service.more["/bomb"] = Reply(200, gzip.compress(b"0" * 50_000_000), {"Content-Encoding": "gzip"})
    service.more["/large"] = Reply(200, b"0" * 2_000_000)
    for path in ("/bomb", "/large"):
        with pytest.raises(UnexpectedAnswer, match="larger than 1000000 bytes"):
            session.get(account, f"{service.url}{path}", limit=1_000_000)


def test_an_error_page_with_status_200_is_not_taken_for_an_answer(
    session: Session, service: Service, account: Account
) -> None:
    service.more["/page"] = Reply(200, b"<html>We are down</html>", {"Content-Type": "text/html"})
    with pytest.raises(UnexpectedAnswer, match="not JSON"):
        session.get(account, f"{service.url}/page").json()
    service.more["/deep"] = Reply(200, b"[" * 200_000)
    with pytest.raises(UnexpectedAnswer):
        session.get(account, f"{service.url}/deep").json()
    with pytest.raises(UnexpectedAnswer, match="not a JSON list"):
        session.get(account, f"{service.url}/json").list()


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, ServiceRefused), (401, CredentialRefused), (403, CredentialRefused), (404, NotAtService),
     (410, NotAtService),
     (422, ServiceRefused), (500, ServiceFailed), (503, ServiceFailed), (429, RateLimited)],
)  # fmt: skip
def test_each_refusal_has_its_error_and_none_shows_the_token(
    session: Session, service: Service, account: Account, status: int, error: type[Exception]
) -> None:
    body = json.dumps({"message": f"bad token {TOKEN}"}).encode()
    service.fail("/json", status=status, times=99, headers={"Content-Type": "application/json"}, body=body)
    with pytest.raises(error) as refusal:
        session.get(account, f"{service.url}/json?access_token={TOKEN}", what="shelf")
    assert TOKEN not in str(refusal.value)
    assert "shelf" in str(refusal.value)


# --- limits


def test_a_busy_service_is_left_alone_for_as_long_as_it_says(
    session: Session, service: Service, account: Account, clock: FakeClock
) -> None:
    begun = clock.now()
    service.fail("/json", status=429, headers={"Retry-After": "17"})
    session.get(account, f"{service.url}/json")
    assert clock.now() - begun >= 16.9
    assert len(service.requests) == 2


def test_a_service_busy_for_longer_than_a_call_can_wait_is_not_asked_again(
    session: Session, service: Service, account: Account, clock: FakeClock
) -> None:
    service.fail("/json", status=429, headers={"Retry-After": "3600"})
    for _ in range(3):
        with pytest.raises(RateLimited, match=r"before 20\d\d-"):
            session.get(account, f"{service.url}/json")
    assert len(service.requests) == 1
    assert clock.sleeps == []


def test_an_hourly_budget_is_kept_over_many_threads(session: Session, service: Service, clock: FakeClock) -> None:
    account = Account("shelf", (service.url,), hourly_calls=20)

    def call() -> None:
        with contextlib.suppress(RateLimited):
            for _ in range(10):
                session.get(account, f"{service.url}/json")

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(service.requests) == 20


# --- redirects


def test_the_credential_stays_with_its_service(session: Session, service: Service, account: Account) -> None:
    with Service() as elsewhere:
        service.more["/moved"] = Reply(302, headers={"Location": f"{elsewhere.url}/json"})
        service.more["/here"] = Reply(302, headers={"Location": "/json"})
        session.get(account, f"{service.url}/moved", headers={"Cookie": "a=b"})
        session.get(account, f"{service.url}/here")
        assert "authorization" not in elsewhere.requests[0].headers
        assert "cookie" not in elsewhere.requests[0].headers
    assert [request.headers.get("authorization") for request in service.requests] == [f"Bearer {TOKEN}"] * 3


def test_every_hop_is_checked_by_the_guard(service: Service, clock: FakeClock) -> None:
    def resolve(host: str, port: int, **more: int) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1" if host == "inside.example" else host, port))]

    class Lenient(Guard):
        """Lets the first host pass, as if it were a public one."""

        def addresses(self, host: str, port: int) -> list[str]:
            return ["127.0.0.1"] if host == "public.example" else super().addresses(host, port)

    for target in (
        "http://inside.example/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]/",
        "ftp://x/",
        "file:///x",
    ):
        service.more["/out"] = Reply(302, headers={"Location": target})
        with Session(Lenient(resolve=resolve), clock=clock) as session, pytest.raises(AddressRefused):
            session.get(Account("shelf", ()), f"http://public.example:{service.port}/out")


def test_redirects_end(session: Session, service: Service, account: Account) -> None:
    service.more["/round"] = Reply(302, headers={"Location": "/round"})
    with pytest.raises(RedirectRefused):
        session.get(account, f"{service.url}/round")
    assert len(service.requests) == 10


def test_a_redirect_away_from_encryption_is_refused(tmp_path: Path, clock: FakeClock) -> None:
    server, client = server_and_client_contexts(tmp_path)
    with Service(server) as service:
        service.more["/down"] = Reply(302, headers={"Location": "http://127.0.0.1:1/"})
        with Session(Guard(allow_private_addresses=True), clock=clock, tls=client) as session:
            assert session.get(Account("shelf", ()), f"{service.url}/json").object() == {"ok": True}
            with pytest.raises(RedirectRefused, match="not encrypted"):
                session.get(Account("shelf", ()), f"{service.url}/down")


def test_a_certificate_nobody_vouches_for_is_refused_at_once(tmp_path: Path, clock: FakeClock) -> None:
    server, _ = server_and_client_contexts(tmp_path)
    with Service(server) as service, Session(Guard(allow_private_addresses=True), clock=clock) as session:
        with pytest.raises(CertificateRefused):
            session.get(Account("shelf", (service.url,), {"Authorization": TOKEN}), f"{service.url}/json")
        assert service.requests == []
        assert clock.sleeps == []


# --- connections


def test_connections_are_used_again_and_an_ended_one_is_no_failure(
    session: Session, service: Service, account: Account, clock: FakeClock
) -> None:
    for _ in range(5):
        session.get(account, f"{service.url}/json")
    service.more["/last"] = Reply(200, b"{}", {"Connection": "close"})
    session.get(account, f"{service.url}/last")
    session.get(account, f"{service.url}/json")
    assert clock.sleeps == []


def test_silence_ends(clock: FakeClock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        session = Session(Guard(allow_private_addresses=True), clock=clock, timeout=0.1, attempts=2)
        with session, pytest.raises(ServiceUnreachable, match="silent"):
            session.get(Account("shelf", ()), url)


def test_nobody_at_home_is_tried_again_and_told(session: Session, clock: FakeClock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}/"
    with pytest.raises(ServiceUnreachable):
        session.get(Account("shelf", ()), url)
    assert len(clock.sleeps) == 4
    assert clock.sleeps[0] <= 1 < clock.sleeps[-1] <= 8


@pytest.mark.parametrize("text", ["x\r\nHost: b", "x\nY: z"])
def test_nothing_can_be_smuggled_into_a_request(
    session: Session, service: Service, account: Account, text: str
) -> None:
    with pytest.raises(ValueError, match="line break"):
        session.get(account, f"{service.url}/json", headers={"X": text})
    with contextlib.suppress(NotAtService):
        session.get(account, f"{service.url}/json/{text}")
    assert not [request for request in service.requests if "y" in request.headers or request.headers["host"] == "b"]


def test_a_body_that_only_trickles_is_given_up(
    monkeypatch: pytest.MonkeyPatch, session: Session, service: Service
) -> None:
    monkeypatch.setattr("muniment.session.body._WATCHED_SECONDS", 0.2)
    service.fail("/file", trickle=0.05)
    with session.open(Account("shelf", ()), f"{service.url}/file", "f") as body, pytest.raises(FileCut, match="slowly"):
        body.read()
