"""Containers from submission to registration, on one machine, against loopback servers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from muniment.errors.base import BadInput
from muniment.errors.registration import ContainerExists, ContainerNotFound
from muniment.jobs import JobState
from muniment.sources import find
from muniment.testing.servers.bucket import Bucket
from muniment.testing.servers.gitserver import GitServer
from muniment.testing.servers.web import WebServer
from tests.servers.osf.house import PROJECT, House, Sink, container, http


@pytest.fixture
def site() -> Iterator[WebServer]:
    with WebServer() as server:
        server.files = {"data/a.txt": b"alpha", "data/sub/b.bin": b"beta" * 100, "data/same.txt": b"alpha"}
        yield server


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as server:
        yield server


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_container_becomes_the_tree_of_the_seed(tmp_path: Path, site: WebServer, sink: Sink) -> None:
    with House(tmp_path, callback_addresses=sink.url + "/done") as house:
        job = house.finish(container("abc12", [http(site, "data/")]))
        assert job.state is JobState.DONE, job.reason
        top = "Directory Structures/abc12"
        alpha, beta = sha256(b"alpha"), sha256(b"beta" * 100)
        assert house.stored() == {
            f"{top}/manifest.json",
            f"{top}/http/manifest.json",
            f"{top}/http/data/a.txt.json",
            f"{top}/http/data/same.txt.json",
            f"{top}/http/data/sub/b.bin.json",
            f"File Metadata/{alpha}.json",
            f"File Metadata/{beta}.json",
            f"Files/{alpha}",
            f"Files/{beta}",
            "Manifests/abc12.manifest.json",
            "Manifests/abc12.http.manifest.json",
        }
        assert (house.store / "Files" / alpha).read_bytes() == b"alpha"
        entry = house.document(f"{top}/http/data/sub/b.bin.json")
        assert entry.pop("lastModified") > 0
        assert entry == {
            "name": "b.bin",
            "path": "sub/b.bin",
            "md5": hashlib.md5(b"beta" * 100).hexdigest(),
            "sha256": beta,
            "size": 400,
        }
        metadata = house.document(f"File Metadata/{alpha}.json")
        assert set(metadata) == {"md5", "sha256", "size", "lastModified"}
        manifest = house.document("Manifests/abc12.manifest.json")
        assert manifest["metadata"]["title"] == "The project abc12"
        assert [file["path"] for file in manifest["services"]["http"]["files"]] == ["a.txt", "same.txt", "sub/b.bin"]
        assert manifest["storedAt"] == {"provider": "folder", "container": "store"}
        assert house.document(f"{top}/manifest.json") == manifest
        (told,) = sink.payloads()
        assert (told["status"], told["id"], told["failures"]) == ("success", "abc12", [])
        assert sink.unsigned == []
        instance = house.archive.get("abc12", project=PROJECT)
        assert set(instance) == {"http/data/a.txt", "http/data/same.txt", "http/data/sub/b.bin"}
        assert list(house.archive.audit()) == []


def test_children_at_any_depth_are_resources_and_nest_in_the_manifest(
    tmp_path: Path, site: WebServer, sink: Sink
) -> None:
    tree = container("top", children=[container("mid", [http(site, "data/")], [container("low")])])
    with House(tmp_path, callback_addresses=sink.url) as house:
        assert house.finish(tree).state is JobState.DONE
        assert sorted(payload["id"] for payload in sink.payloads()) == ["low", "mid", "top"]
        manifest = house.document("Manifests/top.manifest.json")
        assert list(manifest["children"]["mid"]["children"]) == ["low"]
        assert manifest["services"] == {}
        assert "Directory Structures/top/children/mid/children/low/manifest.json" in house.stored()
        assert "Directory Structures/top/children/mid/http/data/a.txt.json" in house.stored()
        assert house.archive.get("top", project=PROJECT).metadata["children"] == ["mid"]
        assert house.archive.get("low", project=PROJECT).metadata["parents"] == ["top", "mid"]


def test_a_manifest_says_which_version_a_file_has_at_present(tmp_path: Path) -> None:
    with Bucket("data") as server, House(tmp_path) as house:
        server.put("a", b"old")
        server.put("a", b"new")
        keys = {"access_key": server.access_key, "secret_key": server.secret_key, "session_token": server.session_token}
        fields = {**keys, "bucket": "data", "endpoint": server.url, "region": server.region, "versions": True}
        job = house.finish(container("ver", [{"s3": fields}]))
        assert job.state is JobState.DONE, job.reason
        (file,) = [file for file in house.document("Manifests/ver.s3.manifest.json")["files"] if file["path"] == "a"]
        assert list(file["versions"].values()) == [hashlib.sha256(b"old").hexdigest()]
        assert file["version"] not in file["versions"]


def test_two_services_of_one_kind_are_both_kept(tmp_path: Path, site: WebServer) -> None:
    with House(tmp_path) as house:
        assert house.finish(container("two", [http(site, "data/"), http(site, "data/sub/")])).state is JobState.DONE
        services = house.document("Manifests/two.manifest.json")["services"]
        assert [file["path"] for file in services["http-2"]["files"]] == ["b.bin"]
        assert len(services["http"]["files"]) == 3


def test_a_git_repository_is_taken_in_by_its_tree(tmp_path: Path, sink: Sink) -> None:
    with GitServer(tmp_path / "git") as server, House(tmp_path / "house", callback_addresses=sink.url) as house:
        repository = server.repository("paper")
        repository.commit(repository.folder_of({"README.md": b"hello", "src/x.py": b"1"}))
        job = house.finish(container("git01", [{"git": {"url": f"{server.url}/paper.git"}}]))
        assert job.state is JobState.DONE, job.reason
        manifest = house.document("Manifests/git01.git.manifest.json")
        assert manifest["notTaken"] == list(find("git").leaves), "what the service holds and nobody fetched is recorded"
        files = {file["path"] for file in manifest["files"]}
        assert {"README.md", "src/x.py"} <= files
        assert sink.of("git01")[0]["status"] == "success"


def test_of_six_submissions_with_one_child_at_once_one_is_accepted_and_told_of(
    tmp_path: Path, site: WebServer, sink: Sink
) -> None:
    with House(tmp_path, callback_addresses=sink.url) as house:

        def submit(number: int) -> str:
            body = container(f"parent{number}", [http(site, "data/")], [container("child")])
            try:
                return house.submit(body).job
            except ContainerExists as error:
                return "" if error.details["id"] == "child" else str(error)

        with ThreadPoolExecutor(6) as pool:
            [accepted] = filter(None, pool.map(submit, range(6)))
        assert house.wait(accepted).state is JobState.DONE
        assert [told["status"] for told in sink.of("child")] == ["success"]
        assert sum(len(sink.of(f"parent{number}")) for number in range(6)) == 1


def test_the_same_id_is_refused_while_it_runs_and_after(tmp_path: Path, site: WebServer) -> None:
    body = container("same", [http(site, "data/")], [container("child")])
    with House(tmp_path, work=False) as house:
        first = house.submit(body)
        with pytest.raises(ContainerExists, match="is being registered"):
            house.submit(body)
        with pytest.raises(ContainerExists, match="is being registered"):
            house.submit(container("same"))
        with pytest.raises(ContainerExists, match="child"):
            house.submit(container("child"))
        with pytest.raises(ContainerExists, match="child"):
            house.submit(container("other", children=[container("child")]))
    with House(tmp_path) as house:
        assert house.wait(first.job).state is JobState.DONE
        for again in (body, container("child"), container("other", children=[container("child")])):
            with pytest.raises(ContainerExists, match="is registered"):
                house.submit(again)
        assert len(house.archive.history("same", project=PROJECT)) == 1


def test_files_that_are_too_large_are_failures_and_the_rest_is_kept(tmp_path: Path, sink: Sink) -> None:
    with WebServer(style="json") as site, House(tmp_path, callback_addresses=sink.url, max_file_size=500) as house:
        site.files = {"d/small": b"x" * 400, "d/exact": b"z" * 500, "d/large": b"y" * 600}
        assert house.finish(container("big", [http(site, "d/")])).state is JobState.DONE
        failures = [{"file": "large", "reason": "File is too large.", "service": "http"}]
        assert sink.of("big")[0]["failures"] == failures
        assert sink.of("big")[0]["status"] == "success"
        assert house.document("Manifests/big.failures.manifest.json") == failures
        assert f"Files/{sha256(b'y' * 600)}" not in house.stored()
        assert f"Files/{sha256(b'z' * 500)}" in house.stored()
        assert house.foreman.status("big")["failures"] == failures


def test_a_refused_credential_fails_the_container_by_name_and_leaves_nothing(tmp_path: Path, sink: Sink) -> None:
    with WebServer(password="right-word") as site, House(tmp_path, callback_addresses=sink.url) as house:
        site.files = {"d/a": b"1"}
        body = container("locked", [http(site, "d/", username="reader", password="wrong-word")])
        job = house.finish(body)
        assert job.state is JobState.FAILED
        assert "http" in job.reason
        assert "wrong-word" not in job.reason
        (told,) = sink.payloads()
        assert told["status"] == "failed"
        assert "password" in told["reasons"][0]
        assert not house.archive.exists("locked", project=PROJECT)
        assert house.archive.leftovers() == []
        assert house.foreman.status("locked")["status"] == "FAILED"
        with pytest.raises(ContainerNotFound):
            house.foreman.manifest("locked")
        body["container"]["services"][0]["http"]["password"] = "right-word"
        assert house.finish(body).state is JobState.DONE
        assert [payload["status"] for payload in sink.payloads()] == ["failed", "success"]


def test_a_container_that_failed_is_submitted_again_with_a_new_credential_alone(tmp_path: Path) -> None:
    with WebServer() as free, WebServer(password="right-word") as closed, House(tmp_path) as house:
        free.files = closed.files = {"d/a": b"1"}
        child = container("child", [http(closed, "d/", username="reader", password="wrong-word")])
        assert house.finish(container("locked", [http(free, "d/")], [child])).state is JobState.FAILED
        (wanted,) = house.foreman.credentials_of("locked")
        assert (wanted.container, wanted.service, list(wanted.fields)) == ("child", "http", ["password"])
        for given in ({}, {wanted.name: [""]}, {wanted.name: ["right-word"], "other": ["x"]}):
            with pytest.raises(BadInput, match="credential"):
                house.foreman.submit_again("locked", given, requester="test")
        with pytest.raises(ContainerNotFound):
            house.foreman.submit_again("none", {}, requester="test")
        accepted = house.foreman.submit_again("locked", {wanted.name: ["right-word"]}, requester="test")
        assert house.wait(accepted.job).state is JobState.DONE
        assert house.foreman.status("child")["registered"]
        with pytest.raises(ContainerExists):
            house.foreman.submit_again("locked", {wanted.name: ["right-word"]}, requester="test")


def test_a_failed_child_fails_its_parents_with_the_cause_and_everybody_is_told(
    tmp_path: Path, site: WebServer, sink: Sink
) -> None:
    bad = container("bad", [http(site, "nowhere/")])
    tree = container("top", [http(site, "data/")], [container("good", [http(site, "data/")]), bad])
    with House(tmp_path, callback_addresses=sink.url) as house:
        assert house.finish(tree).state is JobState.FAILED
        told = {payload["id"]: payload for payload in sink.payloads()}
        assert {id: payload["status"] for id, payload in told.items()} == {
            "top": "failed",
            "bad": "failed",
            "good": "success",
        }
        assert "child bad" in told["top"]["reasons"][0]
        assert "nowhere" in told["top"]["reasons"][0]
        site.files["nowhere/now.txt"] = b"here"
        # The child that was finished stays as it is; the others are tried again.
        asked = len(site.asked(r"/data/a\.txt"))
        assert house.finish(tree).state is JobState.DONE
        assert len(site.asked(r"/data/a\.txt")) == asked + 1
        assert len(house.archive.history("good", project=PROJECT)) == 1


def test_a_container_without_services_and_children_is_registered(tmp_path: Path, sink: Sink) -> None:
    with House(tmp_path, callback_addresses=sink.url) as house:
        assert house.finish(container("empty")).state is JobState.DONE
        assert house.document("Manifests/empty.manifest.json")["services"] == {}
        assert sink.of("empty")[0]["status"] == "success"


def test_equal_content_of_two_containers_is_one_object(tmp_path: Path, site: WebServer) -> None:
    with House(tmp_path) as house:
        house.finish(container("one", [http(site, "data/")]))
        before = {key: (house.store / key).stat().st_mtime_ns for key in house.stored("Files")}
        house.finish(container("two", [http(site, "data/")]))
        assert {key: (house.store / key).stat().st_mtime_ns for key in house.stored("Files")} == before
        assert house.foreman.containers() == (["one", "two"], None)
        assert house.foreman.containers(limit=1) == (["one"], "one")
        assert house.foreman.containers(after="one", limit=1) == (["two"], None)


def test_registrations_go_to_every_store(tmp_path: Path, site: WebServer) -> None:
    stores = f"{tmp_path / 'store'},{tmp_path / 'second'}"
    with House(tmp_path, registration_stores=stores) as house:
        assert house.finish(container("both", [http(site, "data/")])).state is JobState.DONE
        second = {str(path.relative_to(tmp_path / "second")) for path in (tmp_path / "second").rglob("*.*")}
        assert "Manifests/both.manifest.json" in second
        where = json.loads((tmp_path / "second/Manifests/both.manifest.json").read_bytes())["storedAt"]
        assert where["container"] == "second"
