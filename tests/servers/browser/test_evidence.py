"""The page of evidence: the report that is kept, cell by cell; seals, drills, PREMIS; told to whom it may be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.app import App
from muniment.app.background import BackgroundServices
from muniment.settings import Settings
from muniment.workflows.copies.drill import drill
from tests.servers.browser.conftest import fill
from tests.servers.browser.visiting import Visitor
from tests.servers.native.running import Running, make_archive, serving
from tests.timing import eventually

POLICY = '[[copies]]\nstore = "vault"\nlayout = "bag"\n'


@pytest.fixture(scope="module")
def proven(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server of an archive with a copy, the seal that came with it, and a drill."""
    folder = tmp_path_factory.mktemp("evidence")
    place = folder / "archive"
    key = make_archive(place)
    fill(place)
    _copy(place, folder / "vault")
    with serving(place, key=key) as running:
        yield running


def _copy(place: Path, vault: Path) -> None:
    working = BackgroundServices(App(Settings(archive=str(place))))
    service = working.copy_service()
    service.registry.add("vault", str(vault))
    service.policies.set(service.archive, "*", POLICY)
    service.plan_all()
    service.replicate("vault")
    assert drill(service, "vault") is not None
    working.close()


@pytest.fixture(scope="module")
def auditor(proven: Running) -> Visitor:
    return Visitor(proven.url).sign_in(proven.key)


def test_the_levels_are_judged_when_asked_for_and_each_cell_opens_its_facts(auditor: Visitor) -> None:
    before = auditor.get("/evidence")
    assert before.heading == "The NDSA Levels were never judged here"
    assert auditor.post("/evidence/ndsa", Sec_Fetch_Site="cross-site").status == 403
    assert auditor.post("/evidence/ndsa").status == 303
    eventually(lambda: "NDSA level" in auditor.get("/evidence").heading, every=0.2)
    page = auditor.get("/evidence")
    links = [link.attributes["href"] for link in page.page.every("a") if "cell=" in link.attributes["href"]]
    assert len(links) == 20
    assert "As of" in page.words
    opened = auditor.get("/evidence?cell=storage-1")
    assert "two complete copies, in different places" in opened.words
    assert "every resource is complete and verified in time in" in opened.words
    assert auditor.get("/evidence?cell=<b>").status == 200
    of_project = auditor.get("/evidence?project=rivermark/maps&cell=control-1")
    assert "who may read, write and remove is determined" in of_project.words


def test_seals_and_drills_of_the_log_are_listed(auditor: Visitor) -> None:
    words = auditor.get("/evidence").words
    assert "The newest seals in stores" in words
    assert "vault" in words
    assert "judged by" in words
    assert "Passed" in words


def test_premis_and_mets_are_one_form_away(auditor: Visitor) -> None:
    premis = auditor.get("/evidence/premis?id=a%2Fb+%3Ci%3E%26%E2%80%AE&form=premis")
    assert premis.headers["content-type"] == "application/xml"
    assert b"<premis:premis" in premis.body or b"<premis " in premis.body
    mets = auditor.get("/evidence/premis?id=harbour&project=rivermark/maps&form=mets")
    assert b"mets" in mets.body[:200]
    assert auditor.get("/evidence/premis?id=").status == 400
    assert auditor.get("/evidence/premis?id=none").status == 404


def test_what_names_rules_and_stores_is_told_to_administrators_alone(proven: Running) -> None:
    key = proven.new_key("watcher", _={"events/read", "resources/read"})
    watcher = Visitor(proven.url).sign_in(key)
    page = watcher.get("/evidence?cell=storage-1")
    assert page.heading == "What proves what this archive did"
    assert "two complete copies" not in page.words
    assert watcher.post("/evidence/ndsa").status == 403
    assert Visitor(proven.url).get("/evidence").heading == "Who are you?"
