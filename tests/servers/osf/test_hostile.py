"""Services that fail, lie or mean harm: what can be had is kept, the rest is told, nothing outside is touched."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.jobs import JobState
from muniment.testing.servers import Reply, Request
from muniment.testing.servers.gitserver import GitServer
from muniment.testing.servers.web import WebServer
from tests.servers.osf.house import PROJECT, House, Sink, container, http
from tests.timing import eventually


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as server:
        yield server


@pytest.fixture
def site() -> Iterator[WebServer]:
    with WebServer(style="json") as server:
        server.files = {f"d/{name}": name.encode() * 50 for name in ("good", "bad", "other")}
        yield server


def test_an_error_page_in_place_of_a_file_is_a_failure(tmp_path: Path, site: WebServer, sink: Sink) -> None:
    with House(tmp_path, callback_addresses=sink.url) as house:
        site.fail("/d/bad$", times=99, body=b"<html>Sorry, our fault</html>")
        assert house.finish(container("page", [http(site, "d/")])).state is JobState.DONE
        (told,) = sink.payloads()
        assert told["status"] == "success"
        (failure,) = told["failures"]
        assert (failure["file"], failure["service"]) == ("bad", "http")
        assert "size" in failure["reason"]
        assert set(house.archive.get("page", project=PROJECT)) == {"http/d/good", "http/d/other"}


def test_a_file_that_is_never_given_is_a_failure_and_not_the_end(tmp_path: Path, site: WebServer, sink: Sink) -> None:
    with House(tmp_path, callback_addresses=sink.url) as house:
        site.fail("/d/bad$", times=999, status=403)
        assert house.finish(container("shut", [http(site, "d/")])).state is JobState.DONE
        (failure,) = sink.payloads()[0]["failures"]
        assert "403" in failure["reason"]


def test_a_cut_stream_is_taken_up_again(tmp_path: Path, site: WebServer, sink: Sink) -> None:
    site.files["d/large"] = bytes(range(256)) * 8000
    with House(tmp_path, callback_addresses=sink.url) as house:
        site.fail("/d/large$", times=2, cut_after=500_000)
        assert house.finish(container("cut", [http(site, "d/")])).state is JobState.DONE
        assert sink.payloads()[0]["failures"] == []
        assert house.archive.get("cut", project=PROJECT).read("http/d/large") == site.files["d/large"]


def test_large_files_are_stored_side_by_side_and_one_fault_is_one_failure(
    tmp_path: Path, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("muniment.workflows.fetch.files._SIDE_BY_SIDE", 3)
    with WebServer(style="json") as site, House(tmp_path, callback_addresses=sink.url) as house:
        site.files = {f"d/{number}": bytes([number]) * (2 << 20) for number in range(7)}
        site.files["d/again"] = site.files["d/2"]
        site.files["d/small"] = b"x"
        site.fail("/d/1$", times=1, cut_after=500_000)
        site.fail("/d/3$", times=99, body=b"short")
        site.fail("/d/5$", times=99, status=404)
        assert house.finish(container("big", [http(site, "d/")])).state is JobState.DONE
        (told,) = sink.payloads()
        assert {failure["file"] for failure in told["failures"]} == {"3", "5"}
        instance = house.archive.get("big", project=PROJECT)
        kept = {path: data for path, data in site.files.items() if path not in {"d/3", "d/5"}}
        assert {path: instance.read(path) for path in instance} == {f"http/{path}": data for path, data in kept.items()}
        assert list(house.archive.audit()) == []


def test_a_listing_that_never_ends_fails_the_container_by_name(tmp_path: Path, sink: Sink) -> None:
    class Endless(WebServer):
        def answer(self, request: Request) -> Reply:
            return Reply.json([{"name": "deeper", "type": "directory", "mtime": "x"}])

    with Endless() as site, House(tmp_path, callback_addresses=sink.url) as house:
        assert house.finish(container("deep", [http(site, "d/")])).state is JobState.FAILED
        (told,) = sink.payloads()
        assert told["status"] == "failed"
        assert "does not end" in told["reasons"][0]


def test_a_redirect_to_a_private_address_is_refused_for_that_file_alone(tmp_path: Path, sink: Sink) -> None:
    from muniment.sources import Guard, Session

    class Luring(WebServer):
        def answer(self, request: Request) -> Reply:
            if request.path == "/d/bad":
                return Reply(302, headers={"Location": "http://inside.example/latest/meta-data"})
            return super().answer(request)

    def resolve(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        # The site counts as public here; what it points to does not.
        address = "127.0.0.1" if host == "127.0.0.1" else "169.254.169.254"
        return [(2, 1, 6, "", (address, port))]

    class Outside(Guard):
        def addresses(self, host: str, port: int) -> list[str]:
            return ["127.0.0.1"] if host == "127.0.0.1" else super().addresses(host, port)

    with Luring(style="json") as site, House(tmp_path, callback_addresses=sink.url, work=False) as house:
        site.files = {"d/good": b"good", "d/bad": b"bad"}
        registration_context = house.working.registration_context
        registration_context._makers["session"] = lambda: Session(Outside(resolve=resolve), attempts=1)
        job = house.submit(container("lured", [http(site, "d/")])).job
        engine = house.working.local_engine()
        with engine:
            assert house.wait(job).state is JobState.DONE
        (failure,) = sink.payloads()[0]["failures"]
        assert failure["file"] == "bad"
        assert "inside.example" in failure["reason"]
        assert set(house.archive.get("lured", project=PROJECT)) == {"http/d/good"}


def test_private_addresses_are_refused_by_default(tmp_path: Path, site: WebServer) -> None:
    with House(tmp_path, allow_private_addresses=False) as house:
        job = house.finish(container("inside", [http(site, "d/")]))
        assert job.state is JobState.FAILED
        assert "MUNIMENT_ALLOW_PRIVATE_ADDRESSES" in job.reason
        assert site.requests == []


def test_a_repository_with_hostile_names_submodules_and_hooks_harms_nobody(tmp_path: Path, sink: Sink) -> None:
    trap = tmp_path / "trap"
    with GitServer(tmp_path / "git") as server, House(tmp_path / "house", callback_addresses=sink.url) as house:
        repository = server.repository("evil")
        blob = repository.blob(b"content")
        link = repository.blob(b"/etc/passwd")
        lines = [
            ("100644", b"--upload-pack=touch " + str(trap).encode().replace(b"/", b"_"), blob),
            ("100644", b"$(touch trap)", blob),
            ("100644", b".gitmodules", repository.blob(b'[submodule "x"]\n\tpath = x\n\turl = --exec=touch trap\n')),
            ("100644", b"new\nline", blob),
            ("100644", b"not-utf8-\xff", blob),
            ("120000", b"passwd", link),
            ("160000", b"x", "1" * 40),
        ]
        hook = repository.folder / "hooks" / "post-upload-pack"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {trap}\n")
        hook.chmod(0o755)
        repository.commit(repository.tree(sorted(lines, key=lambda line: line[1])))
        job = house.finish(container("evil", [{"git": {"url": f"{server.url}/evil.git"}}]))
        assert job.state is JobState.DONE, job.reason
        names = set(house.archive.get("evil", project=PROJECT))
        assert "git/evil/$(touch trap)" in names
        assert len(names) >= 3, "the harmless files beside them came"
        evil = house.archive.get("evil", project=PROJECT)
        assert [name for name in names if b"root:" in evil.read(name)] == []
        assert not trap.exists()
        assert not list(tmp_path.rglob("trap"))
        assert sink.payloads()[0]["status"] == "success"
        assert [finding.as_json() for finding in house.archive.audit() if finding.failed] == []


def test_a_file_and_a_folder_of_one_name_come_both_and_their_true_names_are_recorded(
    tmp_path: Path, sink: Sink
) -> None:
    class Twice(WebServer):
        """A folder and a file of one name, as S3 has them."""

        def answer(self, request: Request) -> Reply:
            if request.path == "/d/":
                lines = [{"name": "a", "type": "file", "size": 1, "mtime": "x"}]
                lines.append({"name": "a", "type": "directory", "mtime": "x"})
                return Reply.json(lines)
            if request.path == "/d/a/":
                return Reply.json([{"name": "b", "type": "file", "size": 1, "mtime": "x"}])
            return Reply(200, b"1")

    with Twice() as site, House(tmp_path, callback_addresses=sink.url) as house:
        assert house.finish(container("both", [http(site, "d/")])).state is JobState.DONE
        assert sink.payloads()[0]["failures"] == []
        kept = house.archive.get("both", project=PROJECT)
        assert set(kept) == {"http/d/a", "http/d/a (2)/b", "http/d/@about/names.json"}
        with kept.open("http/d/@about/names.json") as names:
            assert json.load(names) == [{"path": "a (2)/b", "name": "a/b"}]


def test_a_service_that_asks_to_be_left_alone_is_left_alone_and_the_job_waits(tmp_path: Path, site: WebServer) -> None:
    import time

    with House(tmp_path) as house:
        site.fail("/d/$", times=1, status=429, headers={"Retry-After": "120"})
        begun = time.time()
        accepted = house.submit(container("later", [http(site, "d/")]))
        waiting = eventually(lambda: house.foreman.status("later")["waiting"])
        asked = len(site.requests)
        assert waiting[0]["step"] == "osf.service"
        assert begun + 120 <= waiting[0]["again"] <= time.time() + 121
        time.sleep(0.5)
        assert len(site.requests) == asked
        assert not house.ledger.job(accepted.job).ended
        house.foreman.cancel("later", by="tests")
        assert house.wait(accepted.job).state is JobState.CANCELLED


def test_parity_follows_the_cut_off_and_the_service_s_wish(tmp_path: Path, sink: Sink) -> None:
    files = {"d/under": b"u" * 102_399, "d/at": b"a" * 102_400, "d/empty": b"", "d/small": b"s" * 10}
    names = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    with WebServer(style="json") as site, House(tmp_path, callback_addresses=sink.url) as house:
        site.files = files
        assert house.finish(container("plain", [http(site, "d/")])).state is JobState.DONE
        parities = sorted(house.stored("Parities"))
        assert f"Parities/{names['d/at']}.par2" in parities
        assert len(parities) == 2
        assert parities[1].startswith(f"Parities/{names['d/at']}.vol")
        record = house.document(f"File Metadata/{names['d/at']}.par2.json")
        assert sorted(f"Parities/{name}" for name in record) == parities
        overhead = sum((house.store / name).stat().st_size for name in parities) / 102_400
        assert overhead < 0.5
        for name, facts in record.items():
            data = (house.store / "Parities" / name).read_bytes()
            assert facts["sha256"] == hashlib.sha256(data).hexdigest()
            assert facts["md5"] == hashlib.md5(data).hexdigest()
            assert facts["size"] == len(data)
            assert isinstance(facts["lastModified"], int)
        assert house.finish(container("forced", [http(site, "d/", forceParity=True)])).state is JobState.DONE
        protected = {name.partition("/")[2].partition(".")[0] for name in house.stored("Parities")}
        assert protected == {names["d/under"], names["d/at"], names["d/small"]}
        assert sink.of("forced")[0]["failures"] == []


def test_parity_of_a_registration_repairs_its_file(tmp_path: Path) -> None:
    import shutil
    import subprocess

    from muniment.archive.parity.par2 import find_program

    data = bytes(range(256)) * 1000
    sha256 = hashlib.sha256(data).hexdigest()
    with WebServer(style="json") as site, House(tmp_path / "house") as house:
        site.files = {"d/x": data}
        assert house.finish(container("repaired", [http(site, "d/")])).state is JobState.DONE
        bench = tmp_path / "bench"
        bench.mkdir()
        for name in house.stored("Parities"):
            shutil.copy(house.store / name, bench)
        (bench / sha256).write_bytes(data[:1000] + b"\xff\xff\xff\xff" + data[1004:])
        command = [str(find_program()), "repair", f"{sha256}.par2"]
        assert subprocess.run(command, cwd=bench, capture_output=True, check=False).returncode == 0
        assert (bench / sha256).read_bytes() == data
