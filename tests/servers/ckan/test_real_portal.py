"""A real CKAN 2.12: harvested, changed, broken, recovered, and told where its copies are."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from muniment.doors.ckan.harvest import POLL
from muniment.doors.ckan.portals import Portal, PortalSettings
from muniment.doors.ckan.statuses import Status
from muniment.jobs import Call
from muniment.testing.services import shared
from tests.servers.ckan.conftest import QUICK, Harvester


class Api:
    """The portal's own Action API, as an editor uses it."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token = url, token
        self._client = httpx.Client(base_url=url, headers={"Authorization": token}, timeout=60)

    def __call__(self, action: str, **given: Any) -> Any:
        answer = self._client.post(f"/api/3/action/{action}", json=given)
        assert answer.status_code == 200, (action, answer.status_code, answer.text[:500])
        return answer.json()["result"]

    def upload(self, dataset: str, name: str, data: bytes) -> Any:
        answer = self._client.post(
            "/api/3/action/resource_create", data={"package_id": dataset, "name": name}, files={"upload": (name, data)}
        )
        assert answer.status_code == 200, answer.text[:500]
        return answer.json()["result"]


@pytest.fixture
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    base = tmp_path_factory.getbasetemp()
    base = base.parent if base.name.startswith("popen") else base  # one for all processes of a run
    with shared("ckan", Path(base) / "services") as service:
        parts = urlsplit(service.url)
        yield Api(f"http://127.0.0.1:{service.port}", str(parts.password))


@pytest.fixture
def organization(api: Api) -> str:
    name = f"org-{uuid.uuid4().hex[:8]}"
    api("organization_create", name=name, title="An organisation")
    return name


def known(harvester: Harvester, api: Api) -> Portal:
    settings = {**QUICK, "cache_url_root": "https://archive.example.org", "timeout": 20.0}
    return harvester.given.portals.add("p", api.url, PortalSettings.of("p", settings), api.token)


def test_a_real_portal_is_harvested_and_told(harvester: Harvester, api: Api, organization: str) -> None:
    portal = known(harvester, api)
    access = harvester.given.client(portal).access()
    assert (access.sysadmin, access.may_write) == (True, True)
    origin = harvester.origin
    dataset = api("package_create", name=f"d-{uuid.uuid4().hex[:8]}", owner_org=organization, title="Trees")
    file = api("resource_create", package_id=dataset["id"], url=origin.put("/a.csv", etag='"1"'), format="CSV")
    gone = api("resource_create", package_id=dataset["id"], url=f"{origin.url}/gone.csv", format="CSV")
    upload = api.upload(dataset["id"], "own.csv", b"a,b\n1,2\n")
    result = harvester.harvest(organization=organization)[dataset["id"]]
    assert result["write_back"]["patched"] == [file["id"]], result
    assert result["write_back"]["task_status"] == "written"
    shown = {each["id"]: each for each in api("package_show", id=dataset["id"])["resources"]}
    row = harvester.row(file["id"])
    assert (
        shown[file["id"]]["cache_url"]
        == f"https://archive.example.org/archive/{row['kept_as'].replace('/', '/' + file['id'] + '/')}"
    )
    assert shown[file["id"]]["hash"] == row["md5"]
    assert shown[file["id"]]["size"] == 8
    assert harvester.status(gone["id"]) is Status.DOWNLOAD_ERROR
    assert harvester.status(upload["id"]) is Status.ARCHIVED
    assert harvester.row(upload["id"])["kept_as"] is None, "an upload is checked and not copied"
    task = api("task_status_show", entity_id=gone["id"], task_type="archiver", key="muniment")
    assert task["value"] == "Download error"
    assert "404" in task["error"]

    before = api("package_show", id=dataset["id"])["metadata_modified"]
    assert harvester.harvest(organization=organization)[dataset["id"]]["write_back"]["patched"] == []
    assert api("package_show", id=dataset["id"])["metadata_modified"] == before, "nothing is written twice"

    origin.put("/a.csv", b"a,b\n9,9\n", etag='"2"')
    origin.put("/gone.csv", b"back,again\n")
    harvester.harvest(dataset=dataset["name"])
    assert harvester.archive.get(file["id"], project="ckan/p").head == 2
    assert harvester.status(gone["id"]) is Status.ARCHIVED
    again = {each["id"]: each for each in api("package_show", id=dataset["id"])["resources"]}
    assert again[gone["id"]]["cache_url"]
    assert again[file["id"]]["hash"] != shown[file["id"]]["hash"]
    origin.files.clear()
    harvester.harvest(dataset=dataset["name"])
    assert harvester.row(file["id"])["is_broken"] is True
    assert harvester.row(file["id"])["kept_as"]


def test_changes_of_a_real_portal_are_found_by_looking(harvester: Harvester, api: Api, organization: str) -> None:
    known(harvester, api)
    origin = harvester.origin
    dataset = api("package_create", name=f"d-{uuid.uuid4().hex[:8]}", owner_org=organization, private=True)
    file = api("resource_create", package_id=dataset["id"], url=origin.put("/a.csv", etag='"1"'))
    harvester.harvest(dataset=dataset["id"])
    assert harvester.status(file["id"]) is Status.ARCHIVED, "the token opens what is private"
    newest = api("package_show", id=dataset["id"])["metadata_modified"]
    harvester.given.portals.note("p", polled_to=newest)
    api("resource_patch", id=file["id"], url=origin.put("/b.csv"))
    job = harvester.ledger.submit("ckan-poll", Call(POLL, {"portal": "p"}), requester="test")
    harvester.run(job.id)
    queued = [each for each in harvester.ledger.jobs(kind="ckan-dataset") if dataset["id"] in str(each.given)]
    assert len(queued) == 1
    harvester.run(queued[0].id)
    assert harvester.status(file["id"]) is Status.ARCHIVED, dict(harvester.row(file["id"]))
    assert list(harvester.archive.get(file["id"], project="ckan/p")) == ["b.csv"]
    api("package_delete", id=dataset["id"])
    harvester.harvest(dataset=dataset["id"])
    assert harvester.row(file["id"])["gone"] is True
    assert harvester.archive.exists(file["id"], "ckan/p")


def test_a_token_the_portal_does_not_know_is_noticed(harvester: Harvester, api: Api) -> None:
    settings = PortalSettings.of("p", dict(QUICK))
    portal = harvester.given.portals.add("p", api.url, settings, "nobody's")
    access = harvester.given.client(portal).access()
    assert not access.may_write
    assert access.problems
