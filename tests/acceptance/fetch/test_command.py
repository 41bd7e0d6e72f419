"""`muniment fetch`: from any source into a resource or its next instance, and on where it was interrupted."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment import Archive
from muniment.testing.servers import Reply, Request
from muniment.testing.servers.web import WebServer
from tests.acceptance.fetch.keeping import Keeper
from tests.timing import eventually


@pytest.fixture
def keeper(tmp_path: Path) -> Keeper:
    return Keeper(tmp_path)


@pytest.fixture
def site() -> Iterator[WebServer]:
    with WebServer(style="json") as server:
        server.files = {"data/a.txt": b"alpha", "data/deep/b.bin": b"\x00" * 3000, "data/empty": b""}
        yield server


def test_an_address_becomes_a_resource_with_the_sources_files_at_its_root(keeper: Keeper, site: WebServer) -> None:
    done = keeper.run("fetch", f"{site.url}/data/", "--id", "tides", "--into", "sea/north", "-m", "the first")
    assert done.stdout == "tides\n"
    assert "instance 1: 3 files" in done.stderr
    assert keeper.files("tides", project="sea/north") == {"a.txt": b"alpha", "deep/b.bin": b"\x00" * 3000, "empty": b""}
    shown = json.loads(keeper.run("show", "tides", "-p", "sea/north", "--json").stdout)
    (source,) = shown["metadata"]["fetched"]["sources"]
    assert (source["service"], source["fields"]) == ("http", {"url": f"{site.url}/data/"})
    assert source["not_taken"], "what the source leaves behind is recorded"


def test_the_same_sources_without_an_id_are_the_next_instance_of_the_same_resource(
    keeper: Keeper, site: WebServer
) -> None:
    first = keeper.fetch(f"{site.url}/data/")
    site.files["data/new"] = b"new"
    del site.files["data/a.txt"]
    second = keeper.fetch("http", f"url={site.url}/data/")
    assert second["id"] == first["id"]
    assert second["result"] == first["result"] | {"instance": 2, "files": 3, "size": 3003, "changed": True}
    assert sorted(keeper.files(first["id"])) == ["deep/b.bin", "empty", "new"]
    assert sorted(keeper.files(first["id"], 1)) == ["a.txt", "deep/b.bin", "empty"]


def test_what_did_not_change_is_neither_fetched_nor_stored_again(keeper: Keeper, site: WebServer) -> None:
    keeper.fetch(f"{site.url}/data/", "--id", "tides")
    before = len(site.asked(r"a\.txt$"))
    again = keeper.fetch(f"{site.url}/data/", "--id", "tides")
    assert (again["result"]["instance"], again["result"]["changed"]) == (1, False)
    assert len(site.asked(r"a\.txt$")) == before
    told = keeper.run("fetch", f"{site.url}/data/", "--id", "tides", "--again")
    assert "nothing changed since instance 1" in told.stderr
    assert len(site.asked(r"a\.txt$")) > before


def test_several_sources_have_a_folder_each(keeper: Keeper, site: WebServer, tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "one.tif").write_bytes(b"II*")
    keeper.fetch(f"{site.url}/data/deep/", f"{site.url}/data/a.txt", str(tmp_path / "scans"), "--id", "all")
    assert sorted(keeper.files("all")) == ["http-2/a.txt", "http/b.bin", "local/one.tif"]
    keeper.fetch(str(tmp_path / "scans"), "--id", "all")
    assert sorted(keeper.files("all")) == ["one.tif"]


def test_files_that_cannot_be_had_are_named_and_the_rest_is_archived(keeper: Keeper, site: WebServer) -> None:
    site.fail(r"a\.txt$", status=403, times=99)
    done = keeper.run("fetch", f"{site.url}/data/", "--id", "tides", status=1)
    assert "not had: a.txt" in done.stderr
    assert sorted(keeper.files("tides")) == ["deep/b.bin", "empty"]
    with Archive(keeper.place, workers=0) as archive:
        (failure,) = archive.get("tides").metadata["fetched"]["failures"]
    assert (failure["file"], failure["service"]) == ("a.txt", "http")


def test_a_source_that_fails_makes_no_instance_and_the_next_fetch_goes_on_with_what_came(
    keeper: Keeper, site: WebServer, tmp_path: Path
) -> None:
    gone = f"{site.url}/gone/"
    failed = keeper.run("fetch", f"{site.url}/data/", gone, "--id", "tides", status=8)
    assert "'tides' could not be fetched: http-2: " in failed.stderr
    with Archive(keeper.place, workers=0) as archive:
        assert "tides" not in archive
    site.files["gone/back"] = b"here it is"
    fetched = len(site.asked(r"b\.bin$"))
    keeper.fetch(f"{site.url}/data/", gone, "--id", "tides")
    assert keeper.files("tides")["http-2/back"] == b"here it is"
    assert len(site.asked(r"b\.bin$")) == fetched


def test_sources_without_a_file_make_no_instance(keeper: Keeper, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    assert "gave no file" in keeper.run("fetch", str(tmp_path / "nothing"), "--id", "x", status=8).stderr


class SlowSite(WebServer):
    """Takes a while for each file, so that there is a middle to be killed in."""

    def answer(self, request: Request) -> Reply:
        if not request.path.endswith("/"):
            time.sleep(0.15)
        return super().answer(request)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_fetch_that_is_ended_in_the_middle_goes_on_with_the_same_command(
    tmp_path: Path, number: signal.Signals
) -> None:
    keeper = Keeper(tmp_path, environment={"MUNIMENT_FETCH_STREAMS": "2", "MUNIMENT_WORK_LEASE": "1"})
    with SlowSite(style="json") as site:
        site.files = {f"data/{n:02}": b"%d" % n * n for n in range(40)}
        words = ("fetch", f"{site.url}/data/", "--id", "tides")
        with subprocess.Popen(keeper.command(*words), env=keeper.environment, stderr=subprocess.PIPE) as running:
            eventually(lambda: len(site.asked(r"/\d\d$")) > 20)
            running.send_signal(number)
            status = running.wait(60)
        assert status == {signal.SIGKILL: -signal.SIGKILL}.get(number, 130)
        keeper.run(*words)
        assert keeper.files("tides") == {f"{n:02}": b"%d" % n * n for n in range(40)}
        asked = Counter(request.path for request in site.asked(r"/\d\d$"))
        assert sum(asked.values()) < 60, "what was stored is not fetched again"
    with Archive(keeper.place, workers=0) as archive:
        assert len(archive.history("tides")) == 1
        assert list(archive.audit()) == []


def test_a_secret_is_given_in_a_file_or_on_standard_input_and_never_shown(keeper: Keeper, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("correct-horse\n", "utf-8")
    with WebServer(style="json", password="correct-horse") as site:
        site.files = {"d/a": b"1"}
        words = ("fetch", "http", f"url={site.url}/d/", "username=reader", "--id", "x")
        refused = keeper.run(*words, "password=correct-horse", status=4)
        assert "correct-horse" not in refused.stderr
        assert "password=@FILE" in refused.stderr
        keeper.run(*words, f"password=@{tmp_path / 'password'}")
        site.files["d/b"] = b"2"
        keeper.run(*words, "password=@-", given="correct-horse\n")
    assert sorted(keeper.files("x")) == ["a", "b"]
    said = "".join(keeper.run("job", "show", job["id"], "--json").stdout for job in _jobs(keeper))
    assert "correct-horse" not in said + keeper.run("show", "x", "--json").stdout


def test_a_fetch_of_other_sources_into_the_same_resource_waits_its_turn(keeper: Keeper, site: WebServer) -> None:
    job = keeper.run("fetch", f"{site.url}/data/", "--id", "tides", "--queue").stdout.strip()
    assert keeper.run("fetch", f"{site.url}/data/", "--id", "tides", "--queue").stdout.strip() == job
    other = keeper.run("fetch", f"{site.url}/data/deep/", "--id", "tides", status=5)
    assert job in other.stderr
    keeper.run("job", "cancel", job)
    keeper.run("fetch", f"{site.url}/data/deep/", "--id", "tides")
    assert sorted(keeper.files("tides")) == ["b.bin"]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("gopher",), "gopher"),
        (("url=https://example.org/",), "no source stands before it"),
        (("http",), "missing the field url"),
        (("s3", "access_key=a", "secret_key=@/nowhere", "bucket=b"), "/nowhere"),
        (("https://example.org/", "--into", "nowhere"), "nowhere"),
    ],
)
def test_what_cannot_be_fetched_is_said_before_anything_begins(
    keeper: Keeper, words: tuple[str, ...], named: str
) -> None:
    refused = keeper.run("fetch", *words, status=4)
    assert named in refused.stderr
    assert _jobs(keeper) == []


def _jobs(keeper: Keeper) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(keeper.run("job", "ls", "--json").stdout)
    return found
