"""Selections by page: chosen on a resource or put together, refused with all reasons at once, downloaded, gone."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from urllib.parse import urlencode

from muniment.database import Database
from tests.servers.browser.conftest import HOSTILE_NAME
from tests.servers.browser.visiting import Visitor
from tests.servers.native.running import Running

MAPS = "rivermark/maps"
ODD = "a/b <i>&\u202e"


def item(project: str, id: str, rev: int = 0, path: str = "") -> str:
    return json.dumps([project, id, rev, path])


def made(visitor: Visitor, form: list[tuple[str, str]]) -> str:
    body = urlencode(form).encode()
    answer = visitor.ask(
        "POST",
        "/selections",
        body,
        Content_Type="application/x-www-form-urlencoded",
        Sec_Fetch_Site="same-origin",
    )
    assert answer.status == 303, answer.words
    return answer.headers["location"]


def test_files_chosen_on_a_resource_become_a_selection_of_that_instance(keeper: Visitor) -> None:
    form = [("project", MAPS), ("id", "harbour"), ("instance", "1"), ("path", "scans"), ("path", "soundings.csv")]
    here = made(keeper, form)
    page = keeper.get(here)
    assert page.heading.startswith("2 files, ")
    assert f"{MAPS}/harbour/scans/0001.tif" in page.words
    assert "300 minutes" in page.words
    tar = keeper.get(f"{here}/download?form=tar")
    with tarfile.open(fileobj=io.BytesIO(tar.body)) as found:
        member = found.extractfile(f"{MAPS}/harbour/soundings.csv")
        assert member is not None
        # The newest instance has another: the selection stays with what was looked at.
        assert member.read() == b"sheet,depth\n1,12\n2,=HYPERLINK(1)\n"
    part = keeper.get(f"{here}/download?form=tar", Range="bytes=512-1023")
    assert (part.status, part.body) == (206, tar.body[512:1024])
    assert here in keeper.get("/selections").text


def test_things_are_put_together_from_several_projects(keeper: Visitor) -> None:
    basket = [item(MAPS, "harbour", 0, "letters/again.txt"), item("rivermark/odd", ODD)]
    page = keeper.get("/selections/new?" + urlencode([("e", each) for each in basket] + [("q", "harbour")]))
    assert page.heading == "2 things are chosen"
    assert "as tar" in page.words
    here = made(keeper, [("place", MAPS), *(("e", each) for each in basket)])
    archive = keeper.get(f"{here}/download?form=zip")
    names = zipfile.ZipFile(io.BytesIO(archive.body)).namelist()
    assert f"{MAPS}/harbour/letters/again.txt" in names
    assert any(name.endswith("/drawing.svg") for name in names)
    assert HOSTILE_NAME not in keeper.get(here).text


def test_all_that_cannot_be_given_is_named_before_anything_is_made(keeper: Visitor) -> None:
    before = keeper.get("/selections").heading
    basket = [item(MAPS, "none"), item("no/project", "x"), item(MAPS, "harbour", 0, "no.txt"), item(MAPS, "harbour")]
    form = urlencode([("place", MAPS), *(("e", each) for each in basket)]).encode()
    answer = keeper.ask(
        "POST",
        "/selections",
        form,
        Content_Type="application/x-www-form-urlencoded",
        Sec_Fetch_Site="same-origin",
    )
    assert answer.status == 422
    assert answer.words.count("There is nothing here, or nothing for you") == 2
    assert answer.words.count("It has no such file") == 1
    assert keeper.get("/selections").heading == before
    assert keeper.post("/selections", {"place": MAPS}).status == 400
    assert keeper.post("/selections", {"place": MAPS, "e": "no json"}).status == 400
    assert keeper.post("/selections", {"place": MAPS, "e": basket[3]}, Sec_Fetch_Site="cross-site").status == 403
    assert keeper.get("/selections/new?e=[1]").status == 400


def test_who_may_not_read_something_neither_selects_nor_downloads_it(site: Running, keeper: Visitor) -> None:
    here = made(keeper, [("place", MAPS), ("e", item("rivermark/odd", ODD))])
    key = site.new_key("mapper", **{f"_{MAPS}": {"resources/read", "archives/write"}})
    mapper = Visitor(site.url).sign_in(key)
    assert mapper.get(f"{here}/download?form=tar").status == 403
    refused = mapper.post("/selections", {"place": MAPS, "e": item("rivermark/odd", ODD)})
    assert refused.status == 422
    assert "There is nothing here, or nothing for you" in refused.words
    assert mapper.post("/selections", {"place": "rivermark/odd", "e": item(MAPS, "harbour")}).status == 403
    reader = Visitor(site.url).sign_in(site.new_key("reader", **{f"_{MAPS}": {"resources/read"}}))
    assert "/selections" not in [link.attributes["href"] for link in reader.get("/").page.every("a")]
    assert Visitor(site.url).get("/selections").heading == "Who are you?"


def test_a_selection_that_a_program_named_by_an_address_is_led_to(site: Running, keeper: Visitor) -> None:
    first = made(keeper, [("place", MAPS), ("e", item(MAPS, "harbour"))]).rpartition("/")[2]
    with Database.open(site.place / "control.db") as database:
        name = "https://else.example/selections/one"
        query = f"UPDATE nexus_selections SET id = '{name}' WHERE id LIKE '%{first}'"
        database.write(lambda connection: connection.exec_driver_sql(query))
    links = [each.attributes["href"] for each in keeper.get("/selections").page.every("a")]
    here = next(each for each in links if "else.example" in each)
    assert keeper.get(here).status == 200
    assert keeper.get(f"{here}/download?form=tar").status == 200
    assert keeper.get(here.replace("one", "%FF")).status == 422


def test_a_selection_whose_life_is_over_says_so_and_can_be_made_again(site: Running, keeper: Visitor) -> None:
    here = made(keeper, [("place", MAPS), ("e", item(MAPS, "harbour"))])
    with Database.open(site.place / "control.db") as database:
        database.write(lambda connection: connection.exec_driver_sql("UPDATE nexus_selections SET expires_at = 1"))
    gone = keeper.get(here)
    assert (gone.status, gone.heading) == (404, "There is no such selection, or its life is over")
    assert keeper.get(f"{here}/download?form=tar").status == 404
    assert keeper.get("/selections").heading == "No selection waits to be downloaded"
