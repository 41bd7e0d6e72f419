"""Resumable uploads as other people's clients speak them: tus-js-client unmodified, and the protocols' own words."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import http.client
import json
import os
import random
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from muniment.archive import Archive
from tests.servers.native.running import Running, make_archive, served_by_command, serving
from tests.servers.nexus.clients import ENVIRONMENT
from tests.timing import PATIENCE, eventually

PROGRAM = Path(__file__).with_name("programs") / "tus.js"
DATA = random.Random(20).randbytes((5 << 20) + 123)
TUS = {"Tus-Resumable": "1.0.0"}
PIECE = {**TUS, "Content-Type": "application/offset+octet-stream"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("resumable") / "archive") as found:
        yield found


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Transaction:
    """One of the server's, for a resource of its own."""

    running: Running
    id: str
    at: str = ""
    key: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        self.key = self.key or self.running.key
        begun = self.ask("POST", "/archive/v1/transactions", json.dumps({"id": self.id}).encode(), JSON)
        assert begun.status == 201, begun.body
        self.at = f"/archive/v1/transactions/{json.loads(begun.body)['transaction']}"

    @property
    def endpoint(self) -> str:
        return f"{self.running.url.rstrip('/')}{self.at}/resumable"

    def ask(self, method: str, path: str = "", body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
        """One request; a path without a slash before it is below the transaction's resumable uploads."""
        port = int(self.running.url.rstrip("/").rpartition(":")[2])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        place = path if path.startswith("/") else f"{self.at}/resumable"
        try:
            connection.request(
                method,
                place,
                body or None,
                {"Authorization": f"Bearer {self.key}", **(TUS if headers is None else headers)},
            )
            reply = connection.getresponse()
            return Answer(reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read())
        finally:
            connection.close()

    def begin(self, size: int | None, name: str = "file.bin", **more: str) -> str:
        """Begin an upload by tus; its path."""
        length = {"Upload-Defer-Length": "1"} if size is None else {"Upload-Length": str(size)}
        said = {"Upload-Metadata": metadata(filename=name)}
        found = self.ask("POST", headers={**TUS, **length, **said, **fields(more)})
        assert found.status == 201, found.body
        return found.headers["location"]

    def send(self, upload: str, offset: int, data: bytes, **more: str) -> Answer:
        """Send bytes by tus."""
        return self.ask("PATCH", upload, data, {**PIECE, "Upload-Offset": str(offset), **fields(more)})

    def files(self) -> dict[str, str]:
        """What the instance would have: path to sha256."""
        found = json.loads(self.ask("GET", f"{self.at}/files", headers={}).body)
        return {each["path"]: each["digests"]["sha256"] for each in found["files"]}

    def commit(self) -> bytes:
        """Commit it; the content of its only file."""
        assert self.ask("POST", f"{self.at}/commit", headers={}).status == 200
        with Archive(self.running.place, workers=0) as archive:
            instance = archive.instance(self.id)
            (path,) = instance
            return instance.read(path)


JSON = {"Content-Type": "application/json"}


def fields(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def metadata(**said: str) -> str:
    return ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in said.items())


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def problem(answer: Answer) -> str:
    return str(json.loads(answer.body)["type"]).removeprefix("urn:muniment:error:")


def begin_client(transaction: Transaction, file: Path, **given: Any) -> subprocess.Popen[str]:
    """tus-js-client at work on a file."""
    assert ENVIRONMENT.is_dir(), "the clients are not installed; `make test` installs them (scripts/clients.sh)"
    process = subprocess.Popen(
        ["node", str(PROGRAM)],
        env={**os.environ, "NODE_PATH": str(ENVIRONMENT / "node" / "node_modules"), "NO_PROXY": "127.0.0.1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    asks = {"endpoint": transaction.endpoint, "key": transaction.key, "file": str(file), "chunkSize": 1 << 20}
    assert process.stdin is not None
    process.stdin.write(json.dumps({**asks, "metadata": {"filename": "a folder/Größe.bin"}, **given}))
    process.stdin.close()
    process.stdin = None
    return process


def client(transaction: Transaction, file: Path, **given: Any) -> list[dict[str, Any]]:
    """What tus-js-client said, step by step, until it ended."""
    process = begin_client(transaction, file, **given)
    out, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, f"{out}\n{errors}"
    return [json.loads(line) for line in out.splitlines()]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    place = tmp_path / "file.bin"
    place.write_bytes(DATA)
    return place


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"chunkSize": 0},
        {"during": True},
        {"deferred": True},
        {"override": True},
        {"protocol": "ietf-draft-03"},
        {"protocol": "ietf-draft-05"},
        {"protocol": "ietf-draft-05", "during": True},
    ],
    ids=lambda given: "-".join(map(str, [part for pair in given.items() for part in pair])) or "plain",
)
def test_tus_js_client_uploads_a_file(
    running: Running, file: Path, given: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    transaction = Transaction(running, request.node.name)
    said = client(transaction, file, **given)
    assert "done" in said[-1]
    assert base64.b64encode(hashlib.sha256(DATA).digest()).decode() in said[-1]["digest"]
    assert transaction.files() == {"a folder/Größe.bin": sha256(DATA)}
    assert transaction.commit() == DATA


@pytest.mark.parametrize("protocol", ["tus-v1", "ietf-draft-05"])
def test_tus_js_client_goes_on_where_it_stopped(running: Running, file: Path, protocol: str) -> None:
    transaction = Transaction(running, f"stopped {protocol}")
    before = client(transaction, file, stopAt=2 << 20, protocol=protocol)
    assert before[-1] == {"aborted": True}
    url = next(each["url"] for each in before if "url" in each)
    after = client(transaction, file, uploadUrl=url, protocol=protocol)
    accepted = [each["accepted"] for each in after if "accepted" in each]
    assert accepted[0] == (3 << 20)
    assert "done" in after[-1]
    assert transaction.commit() == DATA


def test_tus_js_client_drops_an_upload(running: Running, file: Path) -> None:
    transaction = Transaction(running, "dropped")
    said = client(transaction, file, stopAt=2 << 20, terminate=True)
    url = next(each["url"] for each in said if "url" in each)
    assert said[-1] == {"aborted": True}
    assert transaction.ask("HEAD", "/" + url.split("/", 3)[3]).status == 404
    assert transaction.files() == {}


def test_tus_js_client_lives_through_a_server_that_dies(tmp_path: Path, file: Path) -> None:
    place = tmp_path / "archive"
    key = make_archive(place)
    with served_by_command(place, key=key) as first:
        transaction = Transaction(first, "restarted")
        process = begin_client(transaction, file, chunkSize=256 << 10, retryDelays=[500] * 300)
        assert process.stdout is not None
        said = [json.loads(process.stdout.readline()) for _ in range(5)]
        assert said[-1]["accepted"] == 1 << 20
        assert first.process is not None
        first.process.send_signal(signal.SIGKILL)
        first.process.wait(PATIENCE)
        port = first.url.rstrip("/").rpartition(":")[2]
    with served_by_command(place, "--port", port, key=key) as second:
        out, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, f"{out}\n{errors}"
        said += [json.loads(line) for line in out.splitlines()]
        accepted = [each["accepted"] for each in said if "accepted" in each]
        # What was acknowledged before was not sent again.
        assert accepted == sorted(set(accepted))
        assert accepted[-1] == len(DATA)
        transaction.running = second
        assert transaction.files() == {"a folder/Größe.bin": sha256(DATA)}
        assert transaction.commit() == DATA


def test_what_is_spoken_is_said_to_whoever_asks(running: Running) -> None:
    transaction = Transaction(running, "options")
    for place in (transaction.at + "/resumable", transaction.begin(1)):
        found = transaction.ask("OPTIONS", place, headers={})
        assert (found.status, found.headers["tus-version"], found.headers["tus-resumable"]) == (204, "1.0.0", "1.0.0")
        assert set(found.headers["tus-extension"].split(",")) == {
            "creation",
            "creation-with-upload",
            "creation-defer-length",
            "checksum",
            "termination",
            "expiration",
        }
        assert "sha256" in found.headers["tus-checksum-algorithm"].split(",")
        assert found.headers["tus-max-size"] == str(1 << 44)
        assert "application/partial-upload" in found.headers["accept-patch"]


def test_an_upload_says_where_it_stands_until_it_is_the_transactions(running: Running) -> None:
    transaction = Transaction(running, "standing")
    upload = transaction.begin(6, "a.txt")
    for offset, data in ((0, b"abc"), (3, b"def")):
        stands = transaction.ask("HEAD", upload)
        assert (stands.status, stands.headers["upload-offset"]) == (200, str(offset))
        assert stands.headers["upload-length"] == "6"
        assert stands.headers["upload-metadata"] == metadata(filename="a.txt")
        assert (stands.headers["cache-control"], stands.headers["upload-complete"]) == ("no-store", "?0")
        sent = transaction.send(upload, offset, data)
        assert (sent.status, sent.headers["upload-offset"]) == (204, str(offset + 3))
        assert ("upload-expires" in sent.headers) == (offset == 0)
    assert transaction.files() == {"a.txt": sha256(b"abcdef")}
    # Who did not hear the last answer asks, and may send nothing once more.
    stands = transaction.ask("HEAD", upload)
    assert (stands.headers["upload-offset"], stands.headers["upload-complete"]) == ("6", "?1")
    assert transaction.send(upload, 6, b"").headers["upload-offset"] == "6"
    assert transaction.send(upload, 6, b"x").status == 409
    assert transaction.commit() == b"abcdef"
    assert transaction.ask("HEAD", upload).status == 404


def test_an_empty_file_is_there_at_once(running: Running) -> None:
    transaction = Transaction(running, "empty")
    transaction.begin(0, "empty.txt")
    assert transaction.files() == {"empty.txt": sha256(b"")}


def test_a_length_may_be_said_later_and_not_be_changed(running: Running) -> None:
    transaction = Transaction(running, "deferred")
    upload = transaction.begin(None)
    assert transaction.ask("HEAD", upload).headers["upload-defer-length"] == "1"
    assert transaction.send(upload, 0, b"abc").status == 204
    assert transaction.send(upload, 3, b"def", Upload_Length="2").status == 409
    assert transaction.send(upload, 3, b"d", Upload_Length="5").status == 204
    assert transaction.ask("HEAD", upload).headers["upload-length"] == "5"
    assert transaction.send(upload, 4, b"e", Upload_Length="6").status == 409
    assert transaction.send(upload, 4, b"ef").status == 409
    assert transaction.send(upload, 4, b"e").status == 204
    assert transaction.commit() == b"abcde"


@pytest.mark.parametrize("algorithm", ["sha256", "sha1", "md5", "sha512"])
def test_a_piece_that_is_not_as_its_checksum_says_is_not_kept(running: Running, algorithm: str) -> None:
    transaction = Transaction(running, f"checksum {algorithm}")
    upload = transaction.begin(6)
    right = f"{algorithm} {base64.b64encode(hashlib.new(algorithm, b'abc').digest()).decode()}"
    refused = transaction.send(upload, 0, b"abX", Upload_Checksum=right)
    assert (refused.status, problem(refused)) == (460, "upload-piece-refused")
    assert transaction.ask("HEAD", upload).headers["upload-offset"] == "0"
    for wrong in ("crc32 AAAA", f"{algorithm} AAAA", f"{algorithm} ***", algorithm):
        assert transaction.send(upload, 0, b"abc", Upload_Checksum=wrong).status == 400
    assert transaction.send(upload, 0, b"abc", Upload_Checksum=right).status == 204
    assert transaction.send(upload, 3, b"def").status == 204
    assert transaction.commit() == b"abcdef"


@pytest.mark.parametrize("where", ["metadata", "field"])
def test_a_file_that_is_not_what_was_promised_is_refused(running: Running, where: str) -> None:
    transaction = Transaction(running, f"promised {where}")
    digest = hashlib.sha256(b"abc").digest()
    said = metadata(filename="a", sha256=digest.hex()) if where == "metadata" else metadata(filename="a")
    more = {"Repr-Digest": f"sha-256=:{base64.b64encode(digest).decode()}:"} if where == "field" else {}
    begun = transaction.ask("POST", headers={**TUS, "Upload-Length": "3", "Upload-Metadata": said, **more})
    refused = transaction.send(begun.headers["location"], 0, b"abX")
    assert (refused.status, problem(refused)) == (422, "digest-mismatch")
    assert refused.headers["tus-resumable"] == "1.0.0"
    assert transaction.files() == {}
    assert transaction.ask("HEAD", begun.headers["location"]).status == 404


NAMED = {"Upload-Metadata": metadata(filename="a")}


@pytest.mark.parametrize(
    ("method", "headers", "status", "code"),
    [
        ("POST", {"Tus-Resumable": "0.2.2", "Upload-Length": "1"}, 412, "unknown-protocol"),
        ("POST", {"Upload-Length": "1"}, 412, "unknown-protocol"),
        ("POST", {**TUS}, 400, "bad-request"),
        ("POST", {**TUS, "Upload-Length": "1", "Upload-Defer-Length": "1"}, 400, "bad-request"),
        ("POST", {**TUS, "Upload-Defer-Length": "2"}, 400, "bad-request"),
        ("POST", {**TUS, "Upload-Length": "-1", **NAMED}, 400, "bad-request"),
        ("POST", {**TUS, "Upload-Length": "1"}, 400, "bad-request"),
        ("POST", {**TUS, "Upload-Length": "1", "Upload-Metadata": "filename ***"}, 400, "bad-request"),
        ("POST", {**TUS, "Upload-Length": "1", "Upload-Metadata": "filename YQ==,filename YQ=="}, 400, "bad-request"),
        ("POST", {**TUS, "Upload-Length": "1", "Upload-Metadata": metadata(filename="../a")}, 422, "unsafe-path"),
        ("POST", {**TUS, "Upload-Length": str((1 << 44) + 1), **NAMED}, 413, "body-too-large"),
        ("PATCH", {**TUS, "Upload-Offset": "0"}, 415, "wrong-upload-type"),
        ("PATCH", {**TUS, "Upload-Offset": "0", "Content-Type": "text/plain"}, 415, "wrong-upload-type"),
        ("PATCH", {**PIECE}, 400, "bad-request"),
        ("PATCH", {**PIECE, "Upload-Offset": "1"}, 409, "wrong-upload-offset"),
        ("PATCH", {"Upload-Complete": "?2", "Upload-Offset": "0"}, 400, "bad-request"),
        ("GET", {**TUS}, 405, "wrong-method"),
    ],
)
def test_what_is_not_as_the_protocols_have_it_is_refused(
    running: Running, method: str, headers: dict[str, str], status: int, code: str, request: pytest.FixtureRequest
) -> None:
    transaction = Transaction(running, request.node.name)
    place = transaction.begin(3) if method != "POST" else ""
    found = transaction.ask(method, place, b"abc" if method == "PATCH" else b"", headers)
    assert (found.status, problem(found)) == (status, code)
    if method != "GET":
        assert found.headers["tus-resumable"] == "1.0.0"
    assert ("tus-version" in found.headers) == (status == 412)
    assert transaction.files() == {}


def test_an_upload_that_is_the_transactions_can_still_be_dropped(running: Running) -> None:
    transaction = Transaction(running, "dropped after")
    upload = transaction.begin(3)
    assert transaction.send(upload, 0, b"abc").status == 204
    assert transaction.ask("DELETE", upload).status == 204
    assert transaction.files() == {}
    assert transaction.ask("HEAD", upload).status == 404


def test_nobody_else_goes_on_with_an_upload(running: Running) -> None:
    transaction = Transaction(running, "whose")
    upload = transaction.begin(3)
    for name, grants in (("stranger", {"_o_p": {"resources/write"}}), ("another", {"_": {"admin"}})):
        transaction.key = running.new_key(name, **grants)
        for method in ("HEAD", "DELETE"):
            assert transaction.ask(method, upload).status in {403, 404}
        assert transaction.send(upload, 0, b"abc").status in {403, 404}
    transaction.key = running.key
    assert transaction.ask("HEAD", upload).headers["upload-offset"] == "0"


def test_a_connection_that_hangs_makes_room_for_the_next(running: Running) -> None:
    transaction = Transaction(running, "hanging")
    upload = transaction.begin(4 << 20)
    port = int(running.url.rstrip("/").rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as hanging:
        lines = [
            f"PATCH {upload} HTTP/1.1",
            "Host: x",
            f"Authorization: Bearer {running.key}",
            "Tus-Resumable: 1.0.0",
            "Content-Type: application/offset+octet-stream",
            "Upload-Offset: 0",
            f"Content-Length: {4 << 20}",
        ]
        hanging.sendall(("\r\n".join(lines) + "\r\n\r\n").encode() + DATA[: 2 << 20])
        # It says nothing more, and does not go away either.
        part = next((running.place / "staging" / "open").glob(f"*/uploads/{upload.rpartition('/')[2]}.part"))
        eventually(lambda: part.stat().st_size >= 1 << 20)
        stands = int(transaction.ask("HEAD", upload).headers["upload-offset"])
        assert stands >= 1 << 20
        assert transaction.send(upload, stands, DATA[stands : 4 << 20]).status == 204
    assert transaction.commit() == DATA[: 4 << 20]


def test_what_is_complete_and_was_not_handed_over_is_when_somebody_asks(running: Running) -> None:
    """A server that died after the last byte: who is told that all has come takes it for stored."""
    transaction = Transaction(running, "died between")
    upload = transaction.begin(6)
    assert transaction.send(upload, 0, b"abc").status == 204
    part = next((running.place / "staging" / "open").glob(f"*/uploads/{upload.rpartition('/')[2]}.part"))
    with part.open("ab") as file:
        file.write(b"def")
    assert transaction.files() == {}
    stands = transaction.ask("HEAD", upload)
    assert (stands.headers["upload-offset"], stands.headers["upload-complete"]) == ("6", "?1")
    assert transaction.commit() == b"abcdef"


def test_what_was_lost_on_its_way_into_the_transaction_is_not_called_stored(running: Running) -> None:
    transaction = Transaction(running, "lost between")
    upload = transaction.begin(6)
    assert transaction.send(upload, 0, b"abc").status == 204
    note = next((running.place / "staging" / "open").glob(f"*/uploads/{upload.rpartition('/')[2]}.json"))
    note.write_text(json.dumps({**json.loads(note.read_text()), "taken": {"sha256": sha256(b"abcdef")}}))
    note.with_suffix(".part").unlink()
    assert transaction.ask("HEAD", upload).status == 404
    again = transaction.begin(6)
    assert transaction.send(again, 0, b"abcdef").status == 204
    assert transaction.commit() == b"abcdef"


def test_the_drafts_client_may_say_at_the_end_that_it_is_one(running: Running) -> None:
    transaction = Transaction(running, "draft")
    place = f"{transaction.at}/resumable?path=a.txt"
    begun = transaction.ask("POST", place, b"abc", {"Upload-Complete": "?0"})
    assert (begun.status, begun.headers["upload-offset"], begun.headers["upload-complete"]) == (201, "3", "?0")
    assert begun.headers["upload-limit"].startswith("max-size=")
    upload = begun.headers["location"]
    stands = transaction.ask("HEAD", upload, headers={})
    assert (stands.status, stands.headers["upload-offset"], stands.headers["upload-complete"]) == (204, "3", "?0")
    draft = {"Content-Type": "application/partial-upload", "Upload-Offset": "3"}
    sent = transaction.ask("PATCH", upload, b"def", {**draft, "Upload-Complete": "?1"})
    assert (sent.status, sent.headers["upload-complete"]) == (204, "?1")
    assert transaction.commit() == b"abcdef"


def test_the_drafts_client_may_send_all_at_once(running: Running) -> None:
    transaction = Transaction(running, "draft at once")
    said = {"Content-Disposition": "inline; filename*=UTF-8''Gr%C3%B6%C3%9Fe.txt", "Upload-Complete": "?1"}
    begun = transaction.ask("POST", "", b"abc", said)
    assert (begun.status, begun.headers["upload-complete"]) == (201, "?1")
    assert transaction.files() == {"Größe.txt": sha256(b"abc")}


def test_several_processes_go_on_with_one_upload(tmp_path: Path) -> None:
    with served_by_command(tmp_path / "archive", "--processes", "2") as running:
        transaction = Transaction(running, "shared")
        upload = transaction.begin(None)
        size = len(DATA)
        for number in range(12):
            start = int(transaction.ask("HEAD", upload).headers["upload-offset"])
            stop = size if number == 11 else size * (number + 1) // 12
            more = {"Upload_Length": str(size)} if number == 6 else {}
            assert transaction.send(upload, start, DATA[start:stop], **more).status == 204
        for _ in range(4):
            assert transaction.ask("HEAD", upload).headers["upload-complete"] == "?1"
        assert transaction.commit() == DATA


def test_an_upload_that_another_process_receives_is_locked(running: Running) -> None:
    transaction = Transaction(running, "locked")
    upload = transaction.begin(6)
    assert transaction.send(upload, 0, b"abc").status == 204
    part = next((running.place / "staging" / "open").glob(f"*/uploads/{upload.rpartition('/')[2]}.part"))
    with part.open("ab") as elsewhere:
        fcntl.flock(elsewhere, fcntl.LOCK_EX)
        assert transaction.ask("HEAD", upload).headers["upload-offset"] == "3"
        locked = transaction.send(upload, 3, b"def")
        assert (locked.status, problem(locked)) == (423, "upload-busy")
        assert "retry-after" in locked.headers
        # All has come, but nobody can tell yet what it is: a client of tus takes 423 alone for a reason to ask again.
        elsewhere.write(b"def")
        elsewhere.flush()
        assert transaction.ask("HEAD", upload).status == 423
    assert transaction.ask("HEAD", upload).headers["upload-complete"] == "?1"
    assert transaction.commit() == b"abcdef"
