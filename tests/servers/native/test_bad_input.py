"""What clients do wrong, by mistake or on purpose: the right refusal with a reason, never a 500, nothing stored."""

from __future__ import annotations

import base64
import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from muniment import Archive
from muniment.server.logs import redact
from tests.servers.native.running import Running, serving
from tests.timing import eventually

API = "/archive/v1"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    place = tmp_path_factory.mktemp("bad") / "archive"
    with (
        serving(place, serve_failures=10_000, serve_patience=1.0) as running,
        Archive(running.url, key=running.key) as archive,
    ):
        with archive.new("car") as transaction:
            transaction.add(b"0123456789", "folder/file.html")
        yield running


@pytest.fixture(autouse=True)
def nothing_is_stored(server: Running) -> Iterator[None]:
    yield
    with Archive(server.url, key=server.key) as archive:
        assert list(archive) == ["car"]
        assert archive.get("car").head == 1


def ask(server: Running, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
    parts = urlsplit(server.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    sent = {
        "Authorization": f"Bearer {server.key}",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    try:
        connection.request(method, API + path, body, sent)
        answer = connection.getresponse()
        headers = {name.lower(): ", ".join(answer.headers.get_all(name, [])) for name in answer.headers}
        return answer.status, headers, answer.read()
    finally:
        connection.close()


def refused(answer: tuple[int, dict[str, str], bytes], status: int, code: str = "") -> None:
    assert answer[0] == status, answer
    assert answer[1]["content-type"] == "application/problem+json"
    document = json.loads(answer[2])
    assert document["status"] == status
    assert document["detail"]
    if code:
        assert document["type"] == f"urn:muniment:error:{code}"


def raw(server: Running, data: bytes, seconds: float = 10.0) -> bytes:
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), seconds) as connection:
        connection.sendall(data)
        found = b""
        while piece := connection.recv(65536):
            found += piece
        return found


@pytest.mark.parametrize("body", ["{", "[1,2", '{"id": NaN}', "", '"x"', "[]", "null", "[" * 100_000, b"\xff\xfe"])
def test_malformed_json_is_refused(server: Running, body: Any) -> None:
    answer = ask(server, "POST", "/transactions", body, Content_Type="application/json")
    assert answer[0] in {400, 422}, answer
    refused(answer, answer[0])


@pytest.mark.parametrize(
    "given",
    [
        {"id": 5},
        {"id": ["a"]},
        {"on": "old", "id": "a"},
        {"on": "existing"},
        {"nonsense": 1},
        {"project": "no project"},
        {"id": "a\x00b"},
        {"id": "x" * 5000},
        {"id": "\ud800"},
    ],
)
def test_wrong_types_and_values_are_refused(server: Running, given: Any) -> None:
    answer = ask(server, "POST", "/transactions", json.dumps(given), Content_Type="application/json")
    assert answer[0] in {400, 422}, answer


DEEP = "[" * 900 + "]" * 900


@pytest.mark.parametrize(
    ("method", "place", "body"),
    [
        ("PUT", "/metadata", '{"metadata": {"a": NaN}}'),
        ("PUT", "/metadata", '{"metadata": {"a": -Infinity}}'),
        ("PUT", "/metadata", '{"metadata": {"a": 1e999}}'),
        ("PUT", "/metadata", '{"metadata": {"a": "\\ud800"}}'),
        ("PUT", "/metadata", '{"metadata": {"\\udfff": 1}}'),
        ("PUT", "/metadata", f'{{"metadata": {{"a": {DEEP}}}}}'),
        ("PUT", "/metadata", f'{{"metadata": {{"a": {"9" * 4000}}}}}'),
        ("PUT", "/metadata", f'{{"metadata": {{"a": {"9" * 5000}}}}}'),
        ("PUT", "/metadata", f'{{"metadata": {{}}, "provenance": {DEEP}}}'),
        ("PUT", "/metadata", '{"metadata": [1]}'),
        ("POST", "/links", '{"links": {"link": ""}}'),
        ("POST", "/links", '{"links": {"../link": "x"}}'),
        ("POST", "/links", '{"links": {"link": "x", "link/below": "x"}}'),
        ("POST", "/links", '{"links": {"link": "\\ud800"}}'),
        ("POST", "/links", '{"links": {"link": "x"}, "folders": ["link"]}'),
        ("POST", "/links", '{"folders": ["a/../b"]}'),
        ("POST", "/uploads", '{"path": "file", "size": -1}'),
        ("POST", "/uploads", '{"path": "file", "size": 99999999999999999999}'),
        ("POST", "/uploads", '{"path": "file", "modified": "not a time"}'),
        ("POST", "/uploads", '{"path": "file", "modified": "2020-01-01T00:00:00"}'),
        ("POST", "/uploads", '{"path": "file", "modified": {"a": 1}}'),
        ("POST", "/uploads", '{"path": "\\ud800"}'),
        ("POST", "/commit", '{"message": "\\ud800"}'),
    ],
)
def test_what_could_not_be_read_back_is_not_taken(server: Running, method: str, place: str, body: str) -> None:
    transaction = json.loads(ask(server, "POST", "/transactions", "{}", Content_Type="application/json")[2])
    at = f"/transactions/{transaction['transaction']}"
    answer = ask(server, method, f"{at}{place}", body, Content_Type="application/json")
    assert answer[0] in {400, 409, 422}, answer
    refused(answer, answer[0])
    for modified in ("not a time", "2020-01-01T00:00:00", "9999-12-31T23:59:59-12:00"):
        answer = ask(server, "PUT", f"{at}/files/file", b"x", Muniment_Modified=modified)
        refused(answer, 422, "bad-value")
    assert ask(server, "DELETE", at)[0] == 204, "the transaction is as it was, and goes"


@pytest.mark.parametrize(
    "number", ["%D9%A3", "9" * 4000, "v" + "1" * 4000, "-1", "0", "%C2%B2", "1_0", "..%2f1", "%ff"]
)
def test_an_instance_is_asked_for_in_plain_digits(server: Running, number: str) -> None:
    answer = ask(server, "GET", f"/resources/car/instances/{number}")
    assert answer[0] in {400, 404, 422}, answer


@pytest.mark.parametrize(
    "query", ["after=%ff", "after=%ed%a0%80", "project=%ed%a0%80", "limit=9999999999999999999", "limit=%D9%A3"]
)
def test_a_list_is_asked_for_in_text_and_numbers(server: Running, query: str) -> None:
    answer = ask(server, "GET", f"/resources?{query}")
    assert answer[0] in {200, 400, 404, 422}, answer


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/resources/car/instances/1/files/%2e%2e%2f%2e%2e%2fmuniment.json", 422),
        ("/resources/car/instances/1/files/folder/%2e%2e/%2e%2e/x", 422),
        ("/resources/car/instances/1/files/../../../muniment.json", 422),
        ("/resources/car/instances/1/files/a%00b", 422),
        ("/resources/car/instances/1/files/%c0%ae%c0%ae/x", 422),
        ("/resources/car/instances/1/files/%ff", 422),
        ("/resources/%c0%ae%c0%ae/instances/1/files", 422),
        ("/resources/%00", 422),
        ("/resources/..%2f..%2fetc%2fpasswd", 404),
        ("/resources/car/instances/0", 404),
        ("/resources/car/instances/99999999999999999999", 404),
        ("/resources/car/instances/%F0%9F%98%80", 404),
        ("/resources/car/instances/1/files//etc/passwd", 422),
        ("/transactions/..%2f..", 404),
        ("/transactions/0/uploads/..", 404),
        ("/groups/..%2f..%2fmuniment", 400),
        ("/nothing", 404),
    ],
)
def test_paths_that_are_traps_lead_nowhere(server: Running, path: str, status: int) -> None:
    refused(ask(server, "GET", path), status)


def test_ten_thousand_headers_are_too_many(server: Running) -> None:
    headers = b"".join(b"X-%d: y\r\n" % number for number in range(10_000))
    answer = raw(server, b"GET /archive/v1 HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 431 "), answer[:200]


def test_endless_headers_end(server: Running) -> None:
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), 10) as connection:
        connection.sendall(b"GET /archive/v1 HTTP/1.1\r\n")
        with pytest.raises(OSError):
            connection.sendall(b"".join(b"X-%d: %s\r\n" % (number, b"y" * 1000) for number in range(50_000)))


def test_a_body_of_5_gib_where_1_mib_is_allowed_is_refused_unread(server: Running) -> None:
    head = f"POST {API}/transactions HTTP/1.1\r\nHost: x\r\nContent-Length: {5 << 30}\r\n\r\n".encode()
    answer = raw(server, head + b"{" * 1000)
    # The rest of it is never sent: who read it all first would answer nothing, or 408.
    assert answer.startswith(b"HTTP/1.1 413 "), answer[:200]


def test_an_endless_body_is_cut(server: Running) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(64):
            yield b" " * 65536

    parts = urlsplit(server.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    headers = {"Authorization": f"Bearer {server.key}", "Content-Type": "application/json"}
    try:
        connection.request("POST", f"{API}/transactions", endless(), headers, encode_chunked=True)
        assert connection.getresponse().status in {400, 413}
    except (BrokenPipeError, ConnectionResetError):
        pass  # refused while it was still sending
    finally:
        connection.close()


def test_a_client_that_sends_nothing_more_is_not_waited_for(server: Running) -> None:
    head = f"POST {API}/transactions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.key}\r\n"
    answer = raw(server, f"{head}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{".encode())
    assert answer.startswith((b"HTTP/1.1 408 ", b"HTTP/1.1 400 ")), answer[:200]


def test_no_http_at_all_is_refused(server: Running) -> None:
    assert raw(server, b"\x16\x03\x01\x00\xa5\x01\x00 nonsense\r\n\r\n").startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Range": "bytes=10-"}, 416),
        ({"Range": "bytes=5-2"}, 200),
        ({"Range": "bytes=0-1,3-4"}, 200),
        ({"Range": "lines=1-2"}, 200),
        ({"Range": "bytes=-3"}, 206),
        ({"Range": "bytes=8-100"}, 206),
        ({"Range": "bytes=0-3", "If_Range": '"other"'}, 200),
    ],
)
def test_ranges_are_answered_by_the_book(server: Running, headers: dict[str, str], status: int) -> None:
    answer = ask(server, "GET", "/resources/car/instances/1/files/folder/file.html", **headers)
    assert answer[0] == status, answer
    expected = {"bytes=-3": b"789", "bytes=8-100": b"89"}.get(headers["Range"], b"0123456789")
    if status == 416:
        assert answer[1]["content-range"] == "bytes */10"
    else:
        assert answer[2] == expected


def test_files_are_never_shown_as_pages_of_ours(server: Running) -> None:
    status, headers, body = ask(server, "GET", "/resources/car/instances/1/files/folder/file.html")
    assert (status, body) == (200, b"0123456789")
    assert headers["content-type"] == "application/octet-stream"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-disposition"].startswith("attachment;")
    assert "sandbox" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["repr-digest"] == headers["content-digest"]
    digest = base64.b64decode(headers["repr-digest"].rpartition("sha-256=:")[2].rstrip(":"))
    assert headers["etag"] == f'"{digest.hex()}"'
    again = ask(server, "GET", "/resources/car/instances/1/files/folder/file.html", If_None_Match=headers["etag"])
    assert (again[0], again[2]) == (304, b"")


def test_a_head_tells_what_a_get_would(server: Running) -> None:
    path = "/resources/car/instances/1/files/folder/file.html"
    whole, head = ask(server, "GET", path), ask(server, "HEAD", path)
    assert (head[0], head[2]) == (200, b"")
    for name in ("content-length", "etag", "repr-digest", "content-type"):
        assert head[1][name] == whole[1][name]


def test_a_stale_version_is_refused(server: Running) -> None:
    given = json.dumps({"on": "existing", "id": "car"})
    wrong = ask(server, "POST", "/transactions", given, Content_Type="application/json", If_Match='"old"')
    refused(wrong, 412, "wrong-version")
    etag = ask(server, "GET", "/resources/car")[1]["etag"]
    right = ask(server, "POST", "/transactions", given, Content_Type="application/json", If_Match=etag)
    assert right[0] == 201
    assert ask(server, "DELETE", f"/transactions/{json.loads(right[2])['transaction']}")[0] == 204


def test_the_same_idempotency_key_begins_one_transaction(server: Running) -> None:
    given = json.dumps({"id": "bus"})
    headers = {"Content_Type": "application/json", "Idempotency_Key": "one"}
    first, second = (ask(server, "POST", "/transactions", given, **headers) for _ in range(2))
    assert first[0] == second[0] == 201
    assert first[2] == second[2]
    refused(ask(server, "POST", "/transactions", '{"id": "tram"}', **headers), 409, "key-used-differently")
    assert ask(server, "DELETE", f"/transactions/{json.loads(first[2])['transaction']}")[0] == 204


def test_two_commits_of_one_transaction_make_one_instance(tmp_path: Path) -> None:
    with serving(tmp_path / "archive") as server:
        begun = ask(server, "POST", "/transactions", '{"id": "car"}', Content_Type="application/json")
        place = f"/transactions/{json.loads(begun[2])['transaction']}"
        assert ask(server, "PUT", f"{place}/files/one", b"1")[0] == 201
        assert ask(server, "POST", f"{place}/commit")[0] == 200
        refused(ask(server, "POST", f"{place}/commit"), 404, "leftover-not-found")
        refused(ask(server, "POST", "/transactions", '{"id": "car"}', Content_Type="application/json"), 409)


def test_an_aborted_upload_stores_nothing(server: Running) -> None:
    begun = ask(server, "POST", "/transactions", "{}", Content_Type="application/json")
    place = f"/transactions/{json.loads(begun[2])['transaction']}"
    for size in (100, 5_000_000):
        head = f"PUT {API}{place}/files/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.key}\r\n"
        parts = urlsplit(server.url)
        with socket.create_connection((parts.hostname or "", parts.port or 0), 10) as connection:
            connection.sendall(f"{head}Content-Length: {size}\r\n\r\n".encode() + b"y" * (size // 2))
    eventually(lambda: json.loads(ask(server, "GET", f"{place}/files")[2])["files"] == [])
    uploads = server.place / "staging" / "open" / place.rpartition("/")[2] / "uploads"
    eventually(lambda: not uploads.is_dir() or not list(uploads.iterdir()))
    assert ask(server, "DELETE", place)[0] == 204


def test_a_truncated_tar_is_not_imported(server: Running) -> None:
    whole = ask(server, "GET", "/resources/car/export?layout=instances")[2]
    for body in (whole[:-5000], whole[:700], b"nonsense" * 1000, whole.replace(b"0123456789", b"0123456780")):
        refused(ask(server, "POST", "/imports?id=copy", body, Content_Type="application/x-tar"), 422, "package-refused")
    refused(ask(server, "POST", "/imports", whole, Content_Type="application/x-tar"), 409, "resource-exists")


@pytest.mark.parametrize(
    "credentials",
    [
        "Bearer",
        "Bearer x",
        "Bearer mun_" + "a" * 16 + "_" + "a" * 52,
        "Basic !!!",
        "Basic " + base64.b64encode(b"nobody:x").decode(),
        "Digest x",
        "Bearer " + "x" * 20_000,
        # {"alg":"none"} . {"sub":"root","iss":"x"} .
        "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJyb290IiwiaXNzIjoieCJ9.",
    ],
)
def test_wrong_credentials_get_a_challenge(server: Running, credentials: str) -> None:
    for path in ("", "/resources", "/resources/car", "/resources/nobody", "/events", "/transactions/x"):
        answer = ask(server, "GET", path, Authorization=credentials)
        refused(answer, 401)
        assert "Bearer" in answer[1]["www-authenticate"]


def test_a_key_works_as_a_basic_user_name_too(server: Running) -> None:
    credentials = base64.b64encode(f"{server.key}:".encode()).decode()
    assert ask(server, "GET", "/resources/car", Authorization=f"Basic {credentials}")[0] == 200


def test_refusals_do_not_tell_what_is_there(server: Running) -> None:
    elsewhere = server.new_key("elsewhere", _other_place={"resources/read", "resources/write"})
    nowhere = server.new_key("nowhere")
    for key, status in ((elsewhere, 404), (nowhere, 403)):
        there = ask(server, "GET", "/resources/car", Authorization=f"Bearer {key}")
        missing = ask(server, "GET", "/resources/bus", Authorization=f"Bearer {key}")
        assert there[0] == missing[0] == status
        assert there[2].replace(b"car", b"") == missing[2].replace(b"bus", b"")
        for path in (
            "/resources/car?project=main/main",
            "/resources/bus?project=main/main",
            "/events?project=main/main",
        ):
            assert ask(server, "GET", path, Authorization=f"Bearer {key}")[0] == 403
    listed = ask(server, "GET", "/resources", Authorization=f"Bearer {elsewhere}")
    assert json.loads(listed[2])["resources"] == []


def test_nobody_without_rights_changes_anything(server: Running) -> None:
    reader = server.new_key("reader", _={"resources/read"})
    begun = ask(server, "POST", "/transactions", '{"id": "bus"}', Content_Type="application/json")
    place = f"/transactions/{json.loads(begun[2])['transaction']}"
    calls = [
        ("POST", "/transactions", b"{}"),
        ("GET", place, None),
        ("PUT", f"{place}/files/x", b"1"),
        ("PUT", f"{place}/files/x", b"1" * 3_000_000),
        ("POST", f"{place}/files", b"[]\n"),
        ("POST", f"{place}/uploads", b'{"path": "x"}'),
        ("POST", f"{place}/commit", b"{}"),
        ("DELETE", place, None),
        ("DELETE", "/resources/car", b'{"reason": "x"}'),
        ("POST", "/imports", b"tar"),
        ("POST", "/repair", b"{}"),
        ("POST", "/reindex", None),
        ("POST", "/recover", None),
        ("GET", "/transactions", None),
        ("GET", "/events", None),
        ("PUT", "/groups/01a1fd6a-5dd9-7796-a45c-03a5a3599d2a", b'{"parts": []}'),
    ]
    for method, path, body in calls:
        answer = ask(server, method, path, body, Authorization=f"Bearer {reader}", Content_Type="application/json")
        assert answer[0] == 403, (method, path, answer)
    assert ask(server, "GET", "/resources/car", Authorization=f"Bearer {reader}")[0] == 200
    assert ask(server, "DELETE", place)[0] == 204


def test_too_many_failures_must_wait(tmp_path: Path) -> None:
    with serving(tmp_path / "archive", serve_failures=3) as server:
        statuses = [ask(server, "GET", "", Authorization=f"Bearer wrong{number}")[0] for number in range(5)]
        assert statuses == [401, 401, 401, 429, 429]
        answer = ask(server, "GET", "", Authorization="Bearer wrong")
        refused(answer, 429, "too-many-failures")
        assert 0 < int(answer[1]["retry-after"]) <= 61


def test_refusals_are_recorded_but_cannot_flood_the_log(tmp_path: Path) -> None:
    with serving(tmp_path / "archive", serve_failures=10_000) as server:
        for number in range(60):
            ask(server, "GET", "", Authorization=f"Bearer wrong{number}")
        with Archive(server.url, key=server.key) as archive:
            refusals = [event for event in archive.events() if event.event == "access refusal"]
        assert 1 <= len(refusals) <= 20
        assert all("wrong" not in json.dumps(event.as_json()) for event in refusals)


def test_no_secret_gets_into_a_line_of_the_log() -> None:
    key = "mun_abcdefghijklmnop_" + "q" * 52
    event = {
        "event": f"sent Authorization: Bearer {key}",
        "authorization": f"Basic {key}",
        "nested": {"token": key, "url": f"https://{key}@example.org/?key={key}&x=1"},
        "list": [f"Basic {key}"],
        "api_key": key,
        "password": key,
    }
    assert key not in json.dumps(redact(None, "info", event))


def test_what_is_internal_stays_inside(server: Running) -> None:
    for path in ("/resources/car", "/resources/car/instances/1/files", "/resources/nobody"):
        assert str(server.place).encode() not in ask(server, "GET", path)[2]
