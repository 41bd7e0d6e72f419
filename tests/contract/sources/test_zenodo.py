"""The source `zenodo` on a record, on a draft and on a community."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from muniment.errors.sources import CredentialRefused, FieldMissing, FieldWrong, UnexpectedAnswer
from muniment.sources import Failure, Source
from muniment.testing.servers.zenodo import Zenodo
from muniment.testing.sources import SourceContract, listed, read

BIG = bytes(range(256)) * 800
FILES = {"readme.md": b"hello", "a folder/ü & co.bin": BIG, "empty": b""}


class TestRecord(SourceContract):
    kind = "zenodo"
    calls = "^/api/records/v3"
    bodies = "bin/content$"
    paged = False

    @pytest.fixture
    def server(self) -> Iterator[Zenodo]:
        with Zenodo() as server:
            server.record("v1", {"readme.md": b"first"}, "all")
            server.record("v2", {"readme.md": b"second"}, "all")
            server.record("v3", FILES, "all")
            server.record("v4", {"readme.md": b"later"}, "all")
            server.record("other", {"data.csv": b"1,2"})
            server.record("closed", {"secret.csv": b"3,4"})
            server.restricted.add("closed")
            server.hidden |= {"v1", "v2", "v3", "v4"}
            server.communities["lab"] = ["v3", "other", "closed"]
            yield server

    def given(self, server: Zenodo) -> dict[str, Any]:
        return {"id": "https://doi.org/10.5281/zenodo.v3", "access_token": server.token, "host": server.url}

    def refused(self, server: Zenodo) -> dict[str, str]:
        return {"access_token": "another-token-9876"}

    def missing(self, server: Zenodo) -> dict[str, str]:
        return {"id": "nothing"}

    def files(self, server: Zenodo) -> dict[str, bytes]:
        return dict(FILES)

    @pytest.mark.parametrize(("versions", "numbers"), [(True, ["2", "1"]), (2, ["2"]), (1, []), (False, [])])
    def test_earlier_versions_come_as_many_as_were_asked_for(
        self, server: Zenodo, session: Any, tmp_path: Any, versions: Any, numbers: list[str]
    ) -> None:
        source = self.make(server, session, tmp_path, versions=versions)
        old = [(item, entry) for item, entry in listed(source) if entry.version]
        assert [entry.version for _, entry in old] == numbers
        assert [read(source, *each) for each in old] == [b"second", b"first"][: len(numbers)]

    def test_the_id_of_all_versions_stands_for_the_newest(self, server: Zenodo, session: Any, tmp_path: Any) -> None:
        source = self.make(server, session, tmp_path, id="all", versions=2)
        assert [entry.path for _, entry in listed(source)] == [
            "@about/record.json", "readme.md", "@about/record 3.json", *(f"@versions/3/{name}" for name in FILES)
        ]  # fmt: skip

    def test_a_draft_comes_with_its_owners_token(self, server: Zenodo, session: Any, tmp_path: Any) -> None:
        server.record("new", {"a.csv": b"1"})
        server.drafts.add("new")
        source = self.make(server, session, tmp_path, id="new")
        assert {str(entry.path): read(source, item, entry) for item, entry in listed(source)}["a.csv"] == b"1"

    def test_files_that_were_never_completed_are_failures(self, server: Zenodo, source: Source) -> None:
        server.unfinished.add("empty")
        (page,) = source.pages()
        failures = [each for each in source.entries(page.items[0]) if isinstance(each, Failure)]
        assert [(each.file, each.reason) for each in failures] == [("empty", "The file was never uploaded completely.")]

    def test_what_is_restricted_needs_the_token(self, server: Zenodo, session: Any, tmp_path: Any) -> None:
        with pytest.raises(CredentialRefused, match="access_token"):
            listed(self.make(server, session, tmp_path, access_token=None))
        source = self.make(server, session, tmp_path, id="closed", access_token=None)
        (page,) = source.pages()
        failures = [each for each in source.entries(page.items[0]) if isinstance(each, Failure)]
        assert [each.reason for each in failures] == ["The record's files are restricted (status 403)."]

    def test_the_record_is_described(self, source: Source) -> None:
        found = {str(entry.path): (item, entry) for item, entry in listed(source)}
        assert json.loads(read(source, *found["@about/record.json"]))["metadata"]["title"] == "Record v3"

    @pytest.mark.parametrize(
        "id",
        ["v3", "10.5281/zenodo.v3", "doi:10.5281/zenodo.v3", "https://zenodo.org/records/v3", "10.1234/v3",
         "https://zenodo.org/doi/10.5281/zenodo.v3"],
    )  # fmt: skip
    def test_a_record_is_named_by_its_id_address_or_doi(
        self, server: Zenodo, session: Any, tmp_path: Any, id: str
    ) -> None:
        assert self.make(server, session, tmp_path, id=id).resource == "v3"

    def test_nothing_named_and_nonsense_are_refused(self, server: Zenodo, session: Any, tmp_path: Any) -> None:
        with pytest.raises(FieldMissing, match="id"):
            self.make(server, session, tmp_path, id=None, community="")
        with pytest.raises(FieldWrong, match="id"):
            self.make(server, session, tmp_path, id="../../x y")


class TestCommunity(TestRecord):
    calls = "^/api/communities/lab/records"
    paged = True

    def given(self, server: Zenodo) -> dict[str, Any]:
        return {"community": "lab", "access_token": server.token, "host": server.url}

    def missing(self, server: Zenodo) -> dict[str, str]:
        return {"community": "nothing"}

    def files(self, server: Zenodo) -> dict[str, bytes]:
        files = {f"v3/{name}": data for name, data in FILES.items()}
        return files | {"other/data.csv": b"1,2", "closed/secret.csv": b"3,4"}

    def test_the_record_is_described(self, source: Source) -> None:
        found = {str(entry.path): (item, entry) for item, entry in listed(source)}
        assert json.loads(read(source, *found["@about/community.json"]))["slug"] == "lab"
        assert json.loads(read(source, *found["@about/other/record.json"]))["id"] == "other"

    def test_a_community_that_is_not_listed_whole_says_so(self, server: Zenodo, source: Source) -> None:
        server.most = 2
        failures = [failure for page in source.pages() for failure in page.failures]
        assert [each.reason[:34] for each in failures] == ["The service lists 2 of the communi"]

    def test_a_page_that_leads_away_is_refused(self, server: Zenodo, source: Source) -> None:
        body = json.dumps({"hits": {"hits": []}, "links": {"next": "https://evil.example/next"}}).encode()
        server.fail("/communities/lab/records$", status=200, body=body)
        with pytest.raises(UnexpectedAnswer, match="leads away"):
            list(source.pages())

    def test_what_is_restricted_needs_the_token(self, server: Zenodo, session: Any, tmp_path: Any) -> None:
        source = self.make(server, session, tmp_path, access_token=None)
        found = [each for page in source.pages() for item in page.items for each in source.entries(item)]
        assert {each.file for each in found if isinstance(each, Failure)} == {"v3/record v3", "closed/record closed"}

    def test_files_that_were_never_completed_are_failures(self, server: Zenodo, source: Source) -> None:
        server.unfinished.add("data.csv")
        found = [each for page in source.pages() for item in page.items for each in source.entries(item)]
        assert [each.file for each in found if isinstance(each, Failure)] == ["other/data.csv"]
