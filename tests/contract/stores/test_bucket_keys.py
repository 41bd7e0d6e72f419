"""What decides who was first, at a real S3 and at its stand-in; and archives in real buckets, or why there is none."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from boto3.session import Session

from muniment import Archive
from muniment.app.bucket import BucketArchive
from muniment.archive.bucket.keys import Keys
from muniment.errors.archive import NotEmpty, StaleTransaction
from muniment.errors.stores import ConditionsIgnored, KeyNotFound, StoredWrong
from muniment.stores.protocol import Receipt, Sent
from muniment.stores.s3 import client
from muniment.stores.s3.client import Service as S3Service
from muniment.stores.s3.keys import S3Keys
from muniment.stores.s3.multipart import PART, Checksums
from muniment.testing.keys import FolderKeys
from muniment.testing.servers.web import WebServer
from muniment.testing.services import Service
from tests.contract.stores.test_s3 import CEPH, SWIFT, client_of, new_bucket
from tests.crash.judging import assert_whole, state_of
from tests.servers.browser.visiting import Visitor
from tests.servers.native.running import make_key, served_by_command
from tests.timing import eventually

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.fixture(scope="session")
def bucket(ceph: Service) -> str:
    return new_bucket(client_of(ceph, CEPH))


def in_ceph(ceph: Service, bucket: str) -> S3Keys:
    return S3Keys(bucket, secrets.token_hex(6), S3Service(CEPH, ceph.url))


@pytest.fixture(params=["a folder's", "Ceph's"])
def keys(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Keys]:
    if request.param == "a folder's":
        yield FolderKeys(tmp_path / "keys")
    else:
        yield in_ceph(request.getfixturevalue("ceph"), request.getfixturevalue("bucket"))


def test_keys_and_their_store_share_two_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    make = client._client

    def counted(session: Session, service: S3Service, tries: int, *, signed: bool = True) -> S3Client:
        made.append(tries)
        return make(session, service, tries, signed=signed)

    monkeypatch.setattr(client, "_client", counted)
    S3Keys("bucket", "prefix", S3Service(CEPH, "http://127.0.0.1:1"))
    assert made == [3, 1]


def test_what_goes_in_parts_is_digested_whole_only_where_no_part_is_confirmed(
    ceph: Service, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = tmp_path / "large"
    large.write_bytes(bytes(PART + 1))
    computed: list[set[str]] = []
    receipt = Sent.receipt

    def noted(sent: Sent) -> Receipt:
        found = receipt(sent)
        computed.append(set(found.digests))
        return found

    monkeypatch.setattr(Sent, "receipt", noted)
    keys = in_ceph(ceph, bucket)
    keys.put("large", large)
    assert (computed, keys.requests_made().received) == ([set()], 0)
    monkeypatch.setattr(Checksums, "agree", lambda *_: False)
    keys.put("large", large)
    assert keys.requests_made().received == PART + 1, "it was read back"
    monkeypatch.setattr(keys._store, "open", lambda *_: BytesIO(b"!" + bytes(PART)))
    with pytest.raises(StoredWrong):
        keys.put("large", large)


def test_a_key_is_put_once_and_read_back_by_who_asks_again(keys: Keys, tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_bytes(b"ours")
    assert keys.put_once("a/b", place, note="01-transaction")
    assert keys.put_once("a/b", b"ours"), "the same bytes are ours"
    assert not keys.put_once("a/b", b"theirs")
    assert keys.open("a/b").read() == b"ours"
    assert keys.note("a/b") == "01-transaction"
    assert keys.refuses_twice("a/b", b"ours")
    with pytest.raises(KeyNotFound):
        keys.note("a/c")


def test_of_sixteen_who_put_a_key_one_is_first(keys: Keys) -> None:
    for key in ("race/1", "race/2", "race/3", "race/4"):
        with ThreadPoolExecutor(16) as pool:
            told = list(pool.map(lambda number: keys.put_once(key, f"{number}".encode()), range(16)))  # noqa: B023
        assert told.count(True) == 1
        assert keys.open(key).read() == str(told.index(True)).encode()


def test_keys_are_listed_copied_read_in_part_and_removed(keys: Keys, tmp_path: Path) -> None:
    for key in ("x/1/a", "x/1/b c%", "x/2/ä", "x/file", "y/z"):
        keys.put(key, key.encode())
    keys.put("x/file", b"another")
    assert [(each.key, each.size) for each in keys.list("x/")] == [
        ("x/1/a", 5), ("x/1/b c%", 8), ("x/2/ä", 6), ("x/file", 7),
    ]  # fmt: skip
    assert [each.key for each in keys.list("x/", after="x/1/b c%")] == ["x/2/ä", "x/file"]
    assert list(keys.folders("x/")) == ["1", "2"]
    keys.copy("x/file", "y/copy")
    assert keys.open("y/copy", 2, 3).read() == b"oth"
    assert keys.open("y/copy", 0, 0).read() == b""
    with pytest.raises(KeyNotFound):
        keys.copy("x/nothing", "y/copy")
    keys.remove(["x/1/a", "x/nothing"])
    assert keys.stat("x/1/a") is None
    with pytest.raises(KeyNotFound):
        keys.open("x/1/a")
    large = tmp_path / "large"
    large.write_bytes(bytes(range(256)) * (80 << 10))
    keys.put("large", large)
    assert keys.open("large").read() == large.read_bytes()


def test_a_key_and_keys_below_it_may_be_there_at_once_and_lie_in_the_order_of_keys(keys: Keys) -> None:
    there = ["n", "n!", "n/-", "n/-/x", "n/a", "n/a-", "n/a/b", "n0", f"n{'é' * 200}/{'é' * 200}"]
    for key in reversed(there):
        assert keys.put_once(key, key.encode())
    assert [each.key for each in keys.list("n")] == there
    for after in (*there, "", "n/", "n/a/", "n/b", "m", "o"):
        assert [each.key for each in keys.list("n", after)] == [each for each in there if each > after], after
        assert [each.key for each in keys.list("n/", after)] == [each for each in there[2:7] if each > after], after
    assert list(keys.folders("n/")) == ["-", "a"]
    keys.remove(["n/a/b"])
    assert list(keys.folders("n/")) == ["-"]
    assert [keys.open(each.key).read().decode() for each in keys.list("n/a")] == ["n/a", "n/a-"]


def test_an_archive_in_a_real_bucket_is_written_by_two_machines_and_mirrored(
    ceph: Service, bucket: str, tmp_path: Path
) -> None:
    keys = in_ceph(ceph, bucket)
    with BucketArchive.make(keys, tmp_path / "one", mode="dynamic", workers=0) as first:
        with first.new("car", message="first") as transaction:
            transaction.add(b"four wheels\n", "wheels.txt")
            transaction.add(bytes(3 << 20), "large.bin")
        with BucketArchive(keys, tmp_path / "two", workers=0) as second:
            assert second.get("car").read("wheels.txt") == b"four wheels\n"
            assert second.get("car").open("large.bin", (3 << 20) - 2).read() == b"\0\0"
            late = first.get("car", "a", message="late")
            late.add(b"late\n", "late.txt")
            with second.get("car", "a", message="second") as transaction:
                transaction.add(b"second\n", "second.txt")
            with pytest.raises(StaleTransaction):
                late.commit()
            with second.new("gone") as transaction:
                transaction.add(b"x", "x")
            second.purge("gone", "a mistake")
        assert list(first) == ["car"]
        assert [found.message for found in first.history("car")] == ["first", "second"]
        assert [finding.as_json() for finding in first.audit()] == []
        state = state_of(first)
        first.mirror(tmp_path / "mirror")
    assert [each.key for each in keys.list("intake/")] == []
    with pytest.raises(NotEmpty):
        BucketArchive.make(keys, tmp_path / "one")
    assert_whole(tmp_path / "mirror", state)


def test_a_bucket_that_keeps_versions_and_does_not_heed_conditions_is_refused_by_name(
    ceph: Service, tmp_path: Path
) -> None:
    locked = new_bucket(client_of(ceph, CEPH), locks=True)
    with pytest.raises(ConditionsIgnored, match="first"):
        BucketArchive.make(S3Keys(locked, "", S3Service(CEPH, ceph.url)), tmp_path)


def test_a_service_that_knows_no_conditions_is_refused_by_name(swift: Service, tmp_path: Path) -> None:
    name = new_bucket(client_of(swift, SWIFT))
    keys = S3Keys(name, "", S3Service(SWIFT, swift.url))
    with pytest.raises(ConditionsIgnored, match="Put one server in front of a folder"):
        BucketArchive.make(keys, tmp_path)
    assert [each.key for each in keys.list() if not each.key.startswith("intake/")] == []


def test_an_archive_is_opened_by_its_address(
    ceph: Service, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", CEPH["access_key"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CEPH["secret_key"])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    place = f"s3://{bucket}/by-address?endpoint={ceph.url}"
    with Archive.init(place, workers=0) as archive:
        assert not list(archive)
    made: Any = Archive(place, workers=0)
    with made as archive, archive.new("car") as transaction:
        transaction.add(b"x", "x")
    assert (tmp_path / "cache" / "muniment" / "buckets").is_dir()
    with Archive(place, state=tmp_path / "elsewhere") as archive:
        assert archive.get("car").read("x") == b"x"


def test_the_how_to_of_buckets_runs_as_printed(ceph: Service, tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs/howto/bucket.md").read_text("utf-8")
    printed, *_ = re.findall(r"```text\n(.*?)```", page, re.DOTALL)  # another serves until it is stopped
    name = new_bucket(client_of(ceph, CEPH))
    script = printed.replace("s3://museum/", f"s3://{name}/").replace("https://s3.example.org", ceph.url)
    assert name in script
    assert ceph.url in script
    (tmp_path / "letter.txt").write_text("Dear friend\n")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MUNIMENT_", "AWS_"))}
    environment |= {"AWS_ACCESS_KEY_ID": CEPH["access_key"], "AWS_SECRET_ACCESS_KEY": CEPH["secret_key"]}
    environment |= {"XDG_CACHE_HOME": str(tmp_path), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-eu", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "from-the-bucket" / "letter.txt").read_text() == "Dear friend\n"
    assert done.stdout.count("Everything is as it was recorded.") == 2


def test_a_server_and_its_workers_in_front_of_a_real_bucket(
    ceph: Service, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", CEPH["access_key"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CEPH["secret_key"])
    state, place = tmp_path / "state", f"s3://{bucket}/{secrets.token_hex(6)}?endpoint={ceph.url}"
    Archive.init(place, state=state).close()
    key = make_key(state, "keeper", {"/": {"admin"}})
    settings = {"MUNIMENT_STATE": str(state), "MUNIMENT_SERVE_WORK": "true", "MUNIMENT_ALLOW_PRIVATE_ADDRESSES": "true"}
    known = {"Authorization": f"Bearer {key}"}
    with WebServer() as web, served_by_command(state, key=key, archive=place, **settings) as server:
        web.files["table.csv"] = b"1,2,3\n"
        with Archive(server.url, key=key) as archive:
            with archive.new("car", message="first") as transaction:
                transaction.add(b"four wheels\n", "wheels.txt")
                transaction.add(bytes(3 << 20), "large.bin")
            assert archive.get("car").open("large.bin", (3 << 20) - 2).read() == b"\0\0"
            assert [finding.as_json() for finding in archive.audit()] == []
            visitor = Visitor(server.url).sign_in(key)
            for path in ("/", "/resources/car", "/resources/car/files/wheels.txt", "/jobs", "/copies", "/fixity"):
                assert visitor.get(path).status == 200, path
            assert httpx.get(f"{server.url}health/ready").json()["status"] == "ok"
            wanted = {"sources": [{"http": {"url": f"{web.url}/table.csv"}}], "id": "fetched"}
            asked = httpx.post(f"{server.url}archive/v1/fetches", json=wanted, headers=known)
            assert asked.status_code == 202, asked.text
            eventually(lambda: archive.exists("fetched"), every=0.2)
    with Archive(place, state=tmp_path / "another machine") as archive:
        assert archive.get("fetched").read("table.csv") == b"1,2,3\n"
        assert archive.get("car").read("wheels.txt") == b"four wheels\n"
