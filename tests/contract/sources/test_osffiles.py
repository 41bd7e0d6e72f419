"""The source `osffiles` on a project and on a registration."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from muniment.errors.sources import ListingEndless, UnexpectedAnswer
from muniment.sources import Failure, Source
from muniment.testing.servers.osf import Osf
from muniment.testing.sources import SourceContract, listed, read

BIG = bytes(range(256)) * 800
FILES = {"a.txt": b"now", "b/c/d ü & e.bin": BIG, "b/empty": b"", "z#?.txt": b"z"}


class TestProject(SourceContract):
    kind = "osffiles"
    calls = "^/v2/nodes/abc12/"
    bodies = "^/v1/resources/.*bin"
    node_kind = "nodes"

    @pytest.fixture
    def server(self) -> Iterator[Osf]:
        with Osf(self.node_kind) as server:
            for number in range(3):
                server.put("a.txt", b"earlier %d" % number)
            for name, data in FILES.items():
                server.put(name, data)
            server.put("on the drive.gdoc", b"drive", "googledrive")
            server.put("x/y", b"github", "github")
            server.wikis = {"home": [b"# 1", b"# 2", "# drei \u00fc".encode()], "notes": [b"n"]}
            yield server

    def given(self, server: Osf) -> dict[str, Any]:
        return {"access_token": server.token, "id": server.node, "host": server.url}

    def refused(self, server: Osf) -> dict[str, str]:
        return {"access_token": "another-token-9876"}

    def missing(self, server: Osf) -> dict[str, str]:
        return {"id": "zzzzz"}

    def files(self, server: Osf) -> dict[str, bytes]:
        others = {"googledrive/on the drive.gdoc": b"drive", "github/x/y": b"github"}
        return {f"osfstorage/{name}": data for name, data in FILES.items()} | others

    @pytest.mark.parametrize(("versions", "contents"), [(True, [2, 1, 0]), (2, [2]), (1, []), (False, [])])
    def test_earlier_versions_come_as_many_as_were_asked_for(
        self, server: Osf, session: Any, tmp_path: Any, versions: Any, contents: list[int]
    ) -> None:
        source = self.make(server, session, tmp_path, versions=versions)
        old = [(item, entry) for item, entry in listed(source) if entry.version and "wikis" not in entry.path]
        assert [read(source, *each) for each in old] == [b"earlier %d" % number for number in contents]
        assert all(entry.of == "osfstorage/a.txt" for _, entry in old)
        (present,) = [entry.present for _, entry in listed(source) if entry.path == "osfstorage/a.txt"]
        assert present == "4"

    def test_versions_that_have_names_in_place_of_numbers_come_too(
        self, server: Osf, session: Any, tmp_path: Any
    ) -> None:
        for data in (b"first", b"second", b"third"):
            server.put("x/y", data, "github")
        old = [each for each in listed(self.make(server, session, tmp_path, versions=True)) if each[1].version]
        found = {entry.version: entry for _, entry in old if entry.of == "github/x/y"}
        assert list(found) == ["rev-3", "rev-2", "rev-1"]
        source = self.make(server, session, tmp_path)
        assert [read(source, *each) for each in old if each[1].of == "github/x/y"] == [b"second", b"first", b"github"]

    def test_the_version_comes_that_was_listed(self, server: Osf, source: Source) -> None:
        item, entry = next(each for each in listed(source) if each[1].path == "osfstorage/a.txt")
        server.put("a.txt", b"later")
        assert read(source, item, entry) == FILES["a.txt"]

    def test_two_files_of_one_name_stay_apart(self, server: Osf, source: Source) -> None:
        server.put("same.txt", b"s", "googledrive")
        server.twins.add("same.txt")
        found = [str(entry.path) for _, entry in listed(source) if entry.path.startswith("googledrive/same")]
        assert found == ["googledrive/same.txt", "googledrive/same (twin-same.txt).txt"]

    def test_a_folder_that_holds_itself_is_an_error(self, server: Osf, source: Source) -> None:
        url = f"{server.url}/v2/{server.kind}/abc12/files/osfstorage/b/"
        below = {"files": {"links": {"related": {"href": url}}}}
        facts = {"kind": "folder", "name": "b", "materialized_path": "/b/b/"}
        body = json.dumps({"data": [{"id": "1", "attributes": facts, "relationships": below}], "links": {}}).encode()
        server.fail("files/osfstorage/b/$", status=200, body=body, times=99)
        with pytest.raises(ListingEndless):
            listed(source)

    def test_the_project_is_described_by_what_it_has(self, server: Osf, source: Source) -> None:
        found = {str(entry.path): (item, entry) for item, entry in listed(source)}
        assert json.loads(read(source, *found["@about/node.json"]))["data"]["attributes"]["title"] == "A study"
        assert json.loads(read(source, *found["@about/contributors.json"])) == server.lists["contributors"]
        assert "@about/schema-responses.json" not in found

    def test_wikis_come_with_their_texts_and_all_their_history(self, server: Osf, source: Source) -> None:
        found = {str(entry.path): (item, entry) for item, entry in listed(source) if "wikis" in entry.path}
        assert {name: read(source, *each) for name, each in found.items() if name.endswith((".md", "/1", "/2"))} == {
            "@about/wikis/home.md": server.wikis["home"][2],
            "@versions/@about/wikis/home.md/2": b"# 2",
            "@versions/@about/wikis/home.md/1": b"# 1",
            "@about/wikis/notes.md": b"n",
        }
        assert "@about/wikis.json" in found

    def test_answers_come_with_what_they_are_answers_to(self, server: Osf, source: Source) -> None:
        server.lists["schema_responses"] = [{"id": str(number), "attributes": {"q1": number}} for number in range(3)]
        href = f"{server.url}/v2/schemas/registrations/s1/"
        server.relationships = {"registration_schema": {"links": {"related": {"href": href}}}}
        server.schemas["/v2/schemas/registrations/s1/"] = [{"id": "s1"}]
        server.schemas["/v2/schemas/registrations/s1/schema_blocks/"] = [{"id": str(number)} for number in range(3)]
        found = {str(entry.path): (item, entry) for item, entry in listed(source)}
        assert json.loads(read(source, *found["@about/schema-responses.json"])) == server.lists["schema_responses"]
        assert json.loads(read(source, *found["@about/registration-schema.json"])) == {"data": {"id": "s1"}}
        assert len(json.loads(read(source, *found["@about/registration-schema-blocks.json"]))) == 3

    def test_a_folder_that_cannot_be_listed_is_a_failure(self, server: Osf, source: Source) -> None:
        server.fail("files/osfstorage/b/c/$", status=403, times=9)
        found = [each for page in source.pages() for item in page.items for each in source.entries(item)]
        assert {each.file for each in found if isinstance(each, Failure)} == {"osfstorage/b/c/"}

    def test_a_listing_that_never_ends_or_leads_away_is_an_error(self, server: Osf, source: Source) -> None:
        first = f"{server.url}/v2/{server.kind}/abc12/files/?page[size]=100"
        for target, error in ((first, ListingEndless), ("https://evil.example/next", UnexpectedAnswer)):
            body = json.dumps({"data": [], "links": {"next": target}}).encode()
            fault = server.fail("abc12/files/$", status=200, body=body, times=99)
            with pytest.raises(error):
                list(source.pages())
            fault.times = 0


class TestRegistration(TestProject):
    node_kind = "registrations"
    calls = "^/v2/registrations/abc12/"
