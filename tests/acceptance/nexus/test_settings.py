"""What a keeper sets: the names of Delta, the public address, the most entries, and the life by its old name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

import pytest

from muniment.settings import Settings
from tests.acceptance.nexus.site import EVERYTHING, Client, P, Site, archive_1, furnish

ENCODED = quote(P, safe="*-._")
PUBLIC = "https://archive.example.org"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("delta") / "archive"
    made = Site(folder, selection_names="delta", public_url=f"{PUBLIC}/", selection_entries=3)
    made.user("root", root={"admin"})
    made.user("T", o=EVERYTHING)
    furnish(Client(made.port, made.keys["root"]))
    try:
        yield made
    finally:
        made.close()


def download(t: Client, *entries: Mapping[str, object]) -> dict[str, bytes]:
    made = t.post("/archives/o/p1", {"resources": list(entries)}, "*/*")
    return t.get(made.headers["location"].partition("/v1")[2], "*/*").tar()


def test_the_names_of_delta(t: Client) -> None:
    assert sorted(download(t, *archive_1()["resources"])) == [
        f"o/p1/compacted/{ENCODED}1%3Frev%3D1.json",
        f"o/p2/compacted/{ENCODED}2.json",
        "some/other/nexus-logo.png",
    ]
    both = [{"@type": kind, "resourceId": f"{P}logo"} for kind in ("Resource", "File")]
    assert sorted(download(t, *both)) == [f"o/p1/compacted/{ENCODED}logo.json", "o/p1/file/logo.png"]


def test_delta_refuses_long_file_names_without_a_path(t: Client) -> None:
    t.upload("/files/o/p1/test-resource:long", "f" * 100, b"x", method="PUT")
    entry = {"@type": "File", "resourceId": f"{P}long"}
    made = t.post("/archives/o/p1", {"resources": [entry]}, "*/*")
    found = t.get(made.headers["location"].partition("/v1")[2], "*/*")
    assert (found.status, found.kind) == (400, "FilenameTooLong")
    assert list(download(t, {**entry, "path": "short"})) == ["short"]


def test_addresses_are_the_public_ones_whatever_is_claimed(t: Client) -> None:
    made = t.put("/archives/o/p1/test-resource:public", archive_1(), Host="evil.example")
    assert made.json["_self"] == f"{PUBLIC}/v1/archives/o/p1/test-resource:public"
    sent = t.post("/archives/o/p1", archive_1(), "*/*", X_Forwarded_Host="evil.example")
    assert sent.headers["location"].startswith(f"{PUBLIC}/v1/archives/o/p1/https:%2F%2Farchive.example.org%2Fv1")


def test_too_many_entries_are_refused(t: Client) -> None:
    entries = [{"@type": "Resource", "resourceId": f"{P}{number}"} for number in range(4)]
    made = t.post("/archives/o/p1", {"resources": entries})
    assert (made.status, made.kind) == (400, "DecodingFailed")


@pytest.mark.parametrize(
    ("name", "value", "seconds"),
    [
        ("MUNIMENT_SELECTION_LIFE", "60", 60.0),
        ("MUNIMENT_SELECTION_LIFE", "2 hours", 7200.0),
        ("app.archives.cache-invalidate-after", "5 hours", 18_000.0),
        ("app.archives.cache-invalidate-after", "90m", 5_400.0),
    ],
)
def test_the_life_of_a_selection(monkeypatch: pytest.MonkeyPatch, name: str, value: str, seconds: float) -> None:
    monkeypatch.setenv(name, value)
    assert Settings().selection_life == seconds


def test_a_prefix_before_all_addresses(tmp_path: Path) -> None:
    made = Site(tmp_path / "archive", root_path="/kept/here")
    try:
        made.user("root", root={"admin"})
        # The reverse proxy takes its prefix off; the server puts it before the addresses it gives out.
        root = Client(made.port, made.keys["root"])
        furnish(root)
        assert root.get("/resources/o/p1/_/test-resource:1").json["_self"] == (
            f"http://127.0.0.1:{made.port}/kept/here/v1/resources/o/p1/_/test-resource:1"
        )
        sent = root.post("/archives/o/p1", archive_1(), "*/*").headers["location"]
        assert len(root.get(sent.partition("/v1")[2], "*/*").tar()) == 3
        assert root.upload("/files/o/p1", "large", bytes(3 << 20)).status == 201
    finally:
        made.close()
