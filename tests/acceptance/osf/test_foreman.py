"""The foreman over HTTP, as a platform uses it: the cases of the contract one by one."""

from __future__ import annotations

import copy
import functools
import hashlib
import json
import time
from typing import Any

import httpx
import pytest

from muniment.doors.osf import Signer
from muniment.errors.database import DatabaseUnavailable
from muniment.jobs.ledger import Ledger
from muniment.testing.servers.web import WebServer
from tests.acceptance.osf.conftest import PREFIX, ArchiveOpener, OpenTransactions, basic
from tests.servers.osf.house import KEY, Sink, container, http
from tests.timing import eventually

ALPHA = hashlib.sha256(b"alpha").hexdigest()


def changed(path: str, value: Any = None, *, remove: bool = False) -> dict[str, Any]:
    """A good submission with one thing changed: `path` with dots, numbers for places in lists."""
    body = container("abc", [{"http": {"url": "http://127.0.0.1:9/x"}}], [container("kid")])
    *way, last = [int(word) if word.isdigit() else word for word in path.split(".")]
    place: Any = body
    for word in way:
        place = place[word]
    if remove:
        del place[last]
    else:
        place[last] = value
    return body


GONE = object()
FAULTS: list[tuple[Any, str]] = [
    (b"{", "JSON"),
    (b"\xff", "JSON"),
    (b"[" * 100_000, "nested"),
    ({}, "container"),
    ([], "the body"),
    (7, "the body"),
    ("container", "the body"),
    (changed("container", None), "container"),
    (changed("container.metadata", remove=True), "container.metadata"),
    (changed("container.children", remove=True), "container.children"),
    (changed("container.services", remove=True), "container.services"),
    (changed("container.metadata", []), "container.metadata"),
    (changed("container.children", {}), "container.children"),
    (changed("container.services", "x"), "container.services"),
    (changed("container.metadata.id", remove=True), "container.metadata.id"),
    (changed("container.metadata.id", 7), "container.metadata.id"),
    (changed("container.metadata.id", ""), "container.metadata.id"),
    (changed("container.metadata.id", "x" * 62), "62"),
    (changed("container.metadata.id", ".."), "container.metadata.id"),
    (changed("container.metadata.id", "a/b"), "container.metadata.id"),
    (changed("container.metadata.id", "a\nb"), "container.metadata.id"),
    (changed("container.metadata.title", remove=True), "container.metadata.title"),
    (changed("container.metadata.title", None), "container.metadata.title"),
    (changed("container.metadata.description", 5), "container.metadata.description"),
    (changed("container.metadata.contributors", remove=True), "container.metadata.contributors"),
    (changed("container.metadata.contributors", [1]), "container.metadata.contributors"),
    (changed("container.children.0", {"metadata": {}}), "container.children[0].container"),
    (changed("container.children.0", 5), "container.children[0]"),
    (changed("container.children.0.container.metadata.title", remove=True), "children[0].container.metadata.title"),
    (changed("container.children.0.container.metadata.id", "abc"), "twice"),
    (changed("container.children.0.container.metadata.id", "ABC"), "twice"),
    (changed("container.services.0", {"http": {}, "git": {}}), "Invalid service"),
    (changed("container.services.0", {}), "Invalid service"),
    (changed("container.services.0", "http"), "Invalid service"),
    (changed("container.services.0", {"nope": {}}), "Unsupported service nope"),
    (changed("container.services.0", {"local": {"path": "/etc"}}), "Unsupported service local"),
    (changed("container.services.0", {"github": {"repo": "r", "user": "u"}}), "access_token"),
    (changed("container.services.0", {"github": {"repo": "r", "user": "u", "access_token": ""}}), "access_token"),
    (changed("container.services.0", {"github": None}), "container.services[0].github"),
    (changed("container.services.0.http.versions", -1), "container.services[0].http.versions"),
    (changed("container.services.0.http.forceParity", "yes"), "container.services[0].http.forceParity"),
    (changed("container.services.0.http.url", "file:///etc/passwd"), "container.services[0].http.url"),
    (changed("container.services.0.http.url", "http://user:word@host/"), "container.services[0].http.url"),
    (changed("container.metadata.title", "a\ud800"), "container.metadata.title"),
    (changed("container.metadata.id", "a\ud800"), "container.metadata.id"),
    (changed("container.metadata.contributors", ["\udfff"]), "container.metadata.contributors[0]"),
    (changed("container.metadata.contributors", [["A. Writer"]]), "container.metadata.contributors"),
    (changed("container.metadata.title", ["T"]), "container.metadata.title"),
    (changed("container.services.0", {"\ud800": {}}), "container.services[0]"),
    (changed("container.services.0.http.url", "http://a.example/\ud800"), "container.services[0].http.url"),
    (changed("container.services.0.http.url", ["http://a.example/"]), "container.services[0].http.url"),
    (changed("container.services.0.http.password", ["word"]), "container.services[0].http.password"),
    (changed("container.services.0.http.versions", [3]), "container.services[0].http.versions"),
    (
        changed("container.services.0", {"gitlab": {"project": "a/b", "pid": ["c"], "access_token": "a"}}),
        "container.services[0].gitlab.pid",
    ),
    (changed("container.services.0", {"github": {"repo": ["r"], "user": "u", "access_token": "a"}}), "github.repo"),
]


@pytest.mark.parametrize(("body", "said"), FAULTS, ids=[f"{number}-{said}" for number, (_, said) in enumerate(FAULTS)])
def test_every_fault_is_named_and_nothing_is_asked_of_anybody(
    body: Any, said: str, shared_desk: OpenTransactions
) -> None:
    answer = shared_desk.post(body if isinstance(body, bytes) else json.dumps(body).encode())
    assert answer.status_code == 400, answer.text
    problem = answer.json()
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert said in problem["detail"]
    assert shared_desk.get("abc/status").status_code == 404


@pytest.fixture(scope="module")
def shared_desk(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from tests.servers.native.running import serving

    folder = tmp_path_factory.mktemp("foreman")
    with serving(folder / "archive", serve_work=False) as running:
        yield OpenTransactions(running, folder)


def test_all_faults_are_listed_at_once(shared_desk: OpenTransactions) -> None:
    body = container("x" * 62, [{"nope": {}}, {"git": {}}])
    errors = shared_desk.post(body).json()["errors"]
    assert [error["field"] for error in errors] == [
        "container.metadata.id",
        "container.services[0].nope",
        "container.services[1].git.url",
    ]


def test_an_id_of_61_characters_and_no_description_are_taken(shared_desk: OpenTransactions) -> None:
    body = container("x" * 61)
    del body["container"]["metadata"]["description"]
    body["unknown"] = {"is": "ignored"}
    answer = shared_desk.post(body)
    assert answer.status_code == 201, answer.text
    assert set(answer.json()) == {"id", "date", "status"}
    assert answer.json()["status"] == "STARTED"
    assert abs(answer.json()["date"] - time.time()) < 60
    assert type(answer.json()["date"]) is int


def test_who_may_come_in(open_transactions: OpenTransactions) -> None:
    bare = httpx.Client(base_url=open_transactions.running.url)
    answer = bare.get(PREFIX)
    assert answer.status_code == 401
    assert any(value.startswith("Basic ") for value in answer.headers.get_list("www-authenticate"))
    assert bare.get(PREFIX, headers=basic("wrong")).status_code == 401
    assert bare.get(PREFIX, headers={"Authorization": "Basic ???"}).status_code == 401
    assert bare.get(PREFIX, headers=basic(open_transactions.running.key, "any word")).status_code == 200
    assert bare.get(PREFIX, headers={"Authorization": f"Bearer {open_transactions.running.key}"}).status_code == 200
    for method, path in (("POST", ""), ("GET", "x/"), ("GET", "x/files/"), ("GET", "x/status"), ("POST", "callback")):
        assert bare.request(method, PREFIX + path).status_code == 401, path
    reader = open_transactions.running.new_key("reader", _={"resources/read"})
    assert bare.get(PREFIX, headers=basic(reader)).status_code == 200
    assert bare.post(PREFIX, headers=basic(reader), json=container("x")).status_code == 403
    bare.close()


def test_a_container_goes_through_and_is_handed_out(
    open_transactions: OpenTransactions, site: WebServer, sink: Sink
) -> None:
    body = container("abc12", [http(site, "data/")], [container("kid", [http(site, "data/a.txt")])])
    answer = open_transactions.post(body)
    assert answer.status_code == 201
    status = open_transactions.until_told("abc12")
    assert status["status"] == "SUCCESS"
    # The last step, which looks whether everybody was told, ends a moment after the last one was.
    eventually(lambda: (now := open_transactions.get("abc12/status").json()["progress"])["done"] == now["total"])
    (delivery,) = status["callbacks"]
    assert delivery["attempts"] == 1
    assert delivery["status"] == 200
    assert {payload["id"]: payload["status"] for payload in sink.payloads()} == {"abc12": "success", "kid": "success"}
    assert sink.unsigned == []

    assert open_transactions.get().json() == {"containers": ["abc12", "kid"]}
    assert open_transactions.get("", params={"limit": 1}).json() == {"containers": ["abc12"], "next": "abc12"}
    assert open_transactions.get("", params={"limit": 1, "after": "abc12"}).json() == {
        "containers": ["kid"],
        "next": None,
    }
    manifest = open_transactions.get("abc12").json()
    assert manifest == open_transactions.get("abc12/").json()
    assert list(manifest["children"]) == ["kid"]
    assert open_transactions.get("abc12", params={"service": "http"}).json() == manifest["services"]["http"]
    assert open_transactions.get("abc12", params={"service": "github"}).status_code == 404
    files = open_transactions.get("abc12/files").json()["files"]["http"]
    assert {file["path"] for file in files} == {"a.txt", "b.bin", "empty"}
    assert open_transactions.get("kid/status").json()["status"] == "SUCCESS"
    assert open_transactions.post(body).status_code == 409
    assert open_transactions.client.delete(f"{PREFIX}abc12").status_code == 405
    for nobody in ("nobody", "x" * 300, "%2e%2e", "a%2Fb", "callback"):
        assert open_transactions.get(nobody).status_code == 404, nobody
        assert open_transactions.get(f"{nobody}/files/").status_code == 404, nobody


def test_a_file_is_handed_out_by_a_link_that_ends(opening: ArchiveOpener, site: WebServer) -> None:
    open_transactions = opening(link_life=3.0)
    open_transactions.post(container("one", [http(site, "data/")]))
    open_transactions.post(container("two", [http(site, "data/b.bin")]))
    open_transactions.until_told("one")
    open_transactions.until_told("two")
    answer = open_transactions.get(f"one/files/{ALPHA}", params={"name": 'a"b.csv'})
    assert answer.status_code == 302
    bare = httpx.Client(base_url=open_transactions.running.url)
    got = bare.get(answer.headers["location"])
    assert (got.status_code, got.content) == (200, b"alpha")
    assert got.headers["content-disposition"] == "attachment; filename=\"a_b.csv\"; filename*=UTF-8''a%22b.csv"
    answer = open_transactions.get(f"one/files/{ALPHA}", params={"name": 'a"b.csv'})
    part = bare.get(answer.headers["location"], headers={"Range": "bytes=1-2"})
    assert (part.status_code, part.content) == (206, b"lp")
    forged = answer.headers["location"].replace("a%22b", "evil")
    assert bare.get(forged).status_code == 403
    assert bare.get(answer.headers["location"].replace("/one/", "/two/")).status_code == 403
    eventually(lambda: bare.get(answer.headers["location"]).status_code == 403)
    assert bare.get(f"{PREFIX}one/files/{ALPHA}/content").status_code == 403
    assert open_transactions.get(f"two/files/{ALPHA}").status_code == 404
    assert open_transactions.get(f"two/files/{ALPHA}", params={"metadata": ""}).status_code == 404
    metadata = open_transactions.get(f"one/files/{ALPHA}/?metadata").json()
    assert set(metadata) == {"md5", "sha256", "size", "lastModified"}
    for name in ("a/b", "a\nb", "..", "x" * 300):
        assert open_transactions.get(f"one/files/{ALPHA}", params={"name": name}).status_code == 400
    bare.close()


def test_a_damaged_file_breaks_the_download_off(open_transactions: OpenTransactions, site: WebServer) -> None:
    large = b"L" * (3 << 20)
    site.files["data/large"] = large
    open_transactions.post(container("one", [http(site, "data/")]))
    open_transactions.until_told("one")
    store = open_transactions.folder / "archive-registrations" / "Files"
    (store / ALPHA).write_bytes(b"alphA")
    where = open_transactions.get(f"one/files/{ALPHA}").headers["location"]
    assert open_transactions.client.get(where).status_code == 500
    sha256 = hashlib.sha256(large).hexdigest()
    (store / sha256).write_bytes(large[:-1] + b"l")
    with pytest.raises(httpx.RemoteProtocolError):
        open_transactions.client.get(open_transactions.get(f"one/files/{sha256}").headers["location"])


def test_callbacks_are_received_when_their_signature_is_ours(open_transactions: OpenTransactions) -> None:
    body = json.dumps({"status": "success", "id": "x", "failures": [{"file": "a", "reason": "b", "service": "c"}]})
    signed = Signer(KEY).headers(body.encode())
    for path in ("callback", "callback/", "callbacks"):
        where = PREFIX + path
        assert open_transactions.client.post(where, content=body, headers=signed).status_code == 200
    where = PREFIX + "callback"
    assert (
        open_transactions.client.post(where, content=body.replace("success", "failed"), headers=signed).status_code
        == 401
    )
    assert open_transactions.client.post(where, content=body).status_code == 401
    assert open_transactions.client.post(where, content="x").status_code == 400
    assert open_transactions.client.post(where, content="{}").status_code == 400
    late = Signer(KEY, now=lambda: time.time() - 400).headers(body.encode())
    assert open_transactions.client.post(where, content=body, headers=late).status_code == 401


def test_heads_are_answered_like_gets_and_without_a_body(opening: ArchiveOpener, site: WebServer) -> None:
    open_transactions = opening()
    open_transactions.post(container("abc12", [http(site, "data/")]))
    open_transactions.until_told("abc12")
    sha256 = hashlib.sha256(b"\x00" * 3000).hexdigest()
    for place in ("", "abc12", "abc12/status", "abc12/files/", f"abc12/files/{sha256}?metadata"):
        head, get = open_transactions.client.head(PREFIX + place), open_transactions.get(place)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-type"] == get.headers["content-type"]
    link = open_transactions.client.head(f"{PREFIX}abc12/files/{sha256}?name=b.bin")
    assert link.status_code == 302
    head = httpx.head(open_transactions.running.url.rstrip("/") + link.headers["location"])
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "3000")
    assert head.headers["etag"] == f'"{sha256}"'


def test_submissions_have_to_be_signed_where_that_is_set(opening: ArchiveOpener) -> None:
    open_transactions = opening(signed_submissions=True)
    body = json.dumps(container("signed")).encode()
    assert open_transactions.post(body).status_code == 401
    assert open_transactions.post(body, headers=Signer("another").headers(body)).status_code == 401
    legacy = copy.deepcopy(container("signed"))
    legacy = Signer(KEY, legacy=True).sign_document(legacy, ())
    assert open_transactions.post(legacy).status_code == 401
    assert open_transactions.post(body, headers=Signer(KEY).headers(body)).status_code == 201


def test_the_original_s_signatures_end_where_that_is_set(opening: ArchiveOpener) -> None:
    open_transactions = opening(signed_submissions=True, hmac_legacy=True, hmac_legacy_life=60.0)
    for age, status in ((3600, 401), (-3600, 401), (5, 201)):
        signer = Signer(KEY, legacy=True, now=functools.partial(lambda age: time.time() - age, age))
        assert open_transactions.post(signer.sign_document(container(f"aged{age}"), ())).status_code == status
    timeless = Signer(KEY, legacy=True)
    odd = {**container("odd"), "timeStamp": "soon"}
    assert open_transactions.post({**odd, "signature": timeless.legacy_signature(odd, ())}).status_code == 401


def test_the_original_s_signatures_are_taken_where_that_is_set(opening: ArchiveOpener) -> None:
    open_transactions = opening(signed_submissions=True, hmac_legacy=True)
    legacy = Signer(KEY, legacy=True).sign_document(container("old"), ())
    assert open_transactions.post(legacy).status_code == 201
    assert (
        open_transactions.post(
            {**container("old2"), "timeStamp": legacy["timeStamp"], "signature": "0" * 64}
        ).status_code
        == 401
    )


def test_a_ledger_that_cannot_be_reached_is_said_as_the_original_did(
    opening: ArchiveOpener, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_transactions = opening(serve_work=False)

    def away(*_: object, **__: object) -> None:
        raise DatabaseUnavailable(place="postgresql://nobody@127.0.0.1:9/none", reason="Connection refused")

    monkeypatch.setattr(Ledger, "submit", away)
    answer = open_transactions.post(container("abc"))
    assert answer.status_code == 503
    assert answer.json()["status"] == "ERROR"
    assert answer.json()["id"] == "abc"
    assert set(answer.json()) == {"id", "date", "status", "reason"}
    assert "9" not in answer.json()["reason"]
