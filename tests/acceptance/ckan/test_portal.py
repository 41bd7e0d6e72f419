"""The CKAN door as a user has it: commands, a served archive, and a portal that is told where its copies are."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from muniment.testing.servers.ckan import Ckan, LinkOrigin
from muniment.workflows.signing import HEADER_SIGNATURE, Signer
from tests.servers.native.running import make_archive, serving
from tests.timing import eventually

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def portal() -> Iterator[Ckan]:
    with Ckan() as server:
        server.sysadmins = {"the-token"}
        yield server


@pytest.fixture
def origin() -> Iterator[LinkOrigin]:
    with LinkOrigin() as server:
        server.put("/good.csv", b"a,b\n1,2\n", etag='"1"')
        server.put("/page", b"<html>", kind="text/html")
        yield server


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    make_archive(tmp_path / "A")
    return tmp_path / "A"


@pytest.fixture
def muniment(archive: Path, tmp_path: Path) -> Command:
    def run(*words: object, status: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "muniment", *map(str, words)],
            env={**os.environ, "MUNIMENT_ARCHIVE": str(archive), "MUNIMENT_ALLOW_PRIVATE_ADDRESSES": "true"},
            cwd=tmp_path,
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == status, (words, done.returncode, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        return done

    return run


def known(muniment: Command, portal: Ckan, origin: LinkOrigin, tmp_path: Path, **settings: Any) -> None:
    """A portal with three links, added by command."""
    portal.add(
        "d",
        "org-a",
        {"id": "good", "url": f"{origin.url}/good.csv"},
        {"id": "gone", "url": f"{origin.url}/gone.csv"},
        {"id": "page", "url": f"{origin.url}/page"},
    )
    (tmp_path / "token").write_text("the-token\n")
    lines = [
        "host_delay = 0.0",
        "retry_after = 0.0",
        *(f"{name} = {json.dumps(value)}" for name, value in settings.items()),
    ]
    (tmp_path / "portal.toml").write_text("\n".join(lines))
    muniment(
        "ckan", "add", "city", portal.url, "--token-file", tmp_path / "token", "--settings", tmp_path / "portal.toml"
    )


def test_a_portal_is_added_harvested_and_reported(
    muniment: Command, portal: Ckan, origin: LinkOrigin, tmp_path: Path
) -> None:
    known(muniment, portal, origin, tmp_path, cache_url_root="https://archive.example.org")
    assert [each["name"] for each in json.loads(muniment("ckan", "ls", "--json").stdout)] == ["city"]
    done = json.loads(muniment("ckan", "harvest", "city", "--wait", "--json").stdout)
    assert (done["state"], done["links"], done["broken"], done["kept"]) == ("done", 3, 1, 1)
    assert "1 of 3 links are broken" in muniment("ckan", "status", "city").stdout
    assert "1/1 datasets, 1/3 links broken (33.3 %)" in muniment("ckan", "report", "city").stdout
    [line] = csv.DictReader(io.StringIO(muniment("ckan", "report", "city", "--format", "csv").stdout))
    assert (line["resource_id"], line["status"]) == ("gone", "Download error")
    shown = json.loads(muniment("ckan", "show", "city", "good", "--json").stdout)
    assert shown["cache_url"].startswith("https://archive.example.org/archive/")
    assert shown["status"] == "Archived successfully"
    assert portal.resource("good")["cache_url"] == shown["cache_url"]
    assert muniment("ls").stdout.count("\n") == 2, "the file, and the portal's description of the dataset"
    muniment("audit")
    origin.files.pop("/good.csv")
    muniment("ckan", "harvest", "city", "--resource", "good", "--wait")
    broken = json.loads(muniment("ckan", "show", "city", "good", "--json").stdout)
    assert broken["is_broken"] is True
    assert broken["cache_url"] == shown["cache_url"], "the copy is offered as it was before the link broke"


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("ckan", "harvest", "nobody"), 3),
        (("ckan", "add", "BAD NAME", "http://127.0.0.1:9"), 4),
        (("ckan", "add", "x", "ftp://127.0.0.1"), 4),
        (("ckan", "add", "x", "http://127.0.0.1:9", "--settings", "nothing.toml"), 4),
        (("ckan", "add", "x", "http://127.0.0.1:9", "--token-file", "nothing"), 4),
        (("ckan", "purge", "nobody"), 4),
        (("ckan", "report", "nobody", "--format", "pdf"), 4),
    ],
)
def test_mistakes_are_told_in_a_line(muniment: Command, words: tuple[str, ...], status: int) -> None:
    done = muniment(*words, status=status)
    assert done.stderr.count("\n") == 1


def test_a_portal_that_does_not_answer_is_not_added(muniment: Command) -> None:
    muniment("ckan", "add", "dead", "http://127.0.0.1:9", status=8)
    assert muniment("ckan", "ls").stdout == ""


def test_copies_records_and_reports_are_served_with_rights(
    muniment: Command, portal: Ckan, origin: LinkOrigin, archive: Path, tmp_path: Path
) -> None:
    known(muniment, portal, origin, tmp_path)
    muniment("ckan", "harvest", "city", "--wait")
    from tests.servers.native.running import make_key

    key = make_key(archive, "reader", {"/ckan/city": {"resources/read"}})
    with serving(archive, key=key, allow_private_addresses=True, serve_work=False, hmac_key="k" * 20) as server:
        url = server.url.rstrip("/")
        client = httpx.Client(base_url=url, auth=(key, ""))
        record = client.get("/ckan/v1/city/resources/good").json()
        assert record["is_broken"] is False
        copy = client.get(record["cache_url"])
        assert copy.content == b"a,b\n1,2\n"
        assert copy.headers["content-type"].startswith("text/csv")
        assert client.get(record["cache_url"], headers={"Range": "bytes=4-"}).content == b"1,2\n"
        etag = {"If-None-Match": copy.headers["etag"]}
        assert client.get(record["cache_url"], headers=etag).status_code == 304
        assert client.head("/archive/latest/good/good.csv").headers["content-length"] == "8"
        moved = client.get("/archive/latest/good/other-name.csv", follow_redirects=True)
        assert moved.content == copy.content
        assert client.get("/archive/2001-01-01T00:00:00Z/good/good.csv").status_code == 404
        assert client.get("/archive/nonsense/good/good.csv").status_code == 404
        assert client.get("/archive/v1").status_code == 200, "the native interface is where it was"
        report = client.get("/ckan/v1/city/report").json()
        assert report["organizations"][0]["broken"] == 1
        lines = client.get("/ckan/v1/city/report", params={"organization": "org-a"}).json()["broken"]
        assert [line["resource_id"] for line in lines] == ["gone"]
        text = client.get("/ckan/v1/city/report", params={"format": "csv"})
        assert text.headers["content-type"].startswith("text/csv")
        assert len(text.text.splitlines()) == 2
        assert client.get("/ckan/v1/city/report", params={"format": "pdf"}).status_code == 400
        assert client.get("/ckan/v1/city/datasets/name-of-d").json()["is_broken"] is True
        assert client.get("/ckan/v1/city/datasets/none").status_code == 404
        assert client.get("/ckan/v1/nobody/report").status_code in {403, 404}
        for path in ("/ckan/v1/city/resources/good", "/ckan/v1/city/report", "/archive/latest/good/good.csv"):
            assert httpx.get(url + path).status_code == 401, path


def test_a_served_archive_looks_by_itself_and_takes_word_of_a_change(
    muniment: Command, portal: Ckan, origin: LinkOrigin, archive: Path, tmp_path: Path
) -> None:
    known(muniment, portal, origin, tmp_path, poll_every=1.0)
    from tests.servers.native.running import make_key

    key = make_key(archive, "writer", {"/ckan/city": {"resources/read", "resources/write"}})
    with serving(archive, key=key, allow_private_addresses=True, hmac_key="k" * 20) as server:
        client = httpx.Client(base_url=server.url.rstrip("/"), auth=(key, ""))

        def state(resource: str) -> Any:
            found = client.get(f"/ckan/v1/city/resources/{resource}")
            return found.json()["status_id"] if found.status_code == 200 else None

        eventually(lambda: state("good") == 0 and state("gone") == 12, every=0.1)
        origin.put("/new.csv")
        portal.datasets["d"]["resources"].append(
            {"id": "new", "url": f"{origin.url}/new.csv", "format": "CSV", "name": "new", "url_type": None}
        )
        body = json.dumps({"package_id": "d"}).encode()
        signed = {**Signer("k" * 20).headers(body), "Content-Type": "application/json"}
        nobody = httpx.Client(base_url=server.url.rstrip("/"))
        assert nobody.post("/ckan/v1/city/changed", content=body).status_code == 401
        wrong = {**signed, HEADER_SIGNATURE: "v2=0"}
        assert nobody.post("/ckan/v1/city/changed", content=body, headers=wrong).status_code in {401, 403}
        assert nobody.post("/ckan/v1/city/changed", content=body, headers=signed).status_code == 202
        eventually(lambda: state("new") == 0, every=0.1)
        assert client.post("/ckan/v1/city/changed", json={"resource_id": "good"}).status_code == 202
        for bad in (b"no json", b"[]", b'{"package_id": 5}', b"{}"):
            assert client.post("/ckan/v1/city/changed", content=bad).status_code == 400
        assert client.post("/ckan/v1/city/changed", json={"resource_id": "nobody"}).status_code == 404
