"""The source `dataverse`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from muniment.errors.sources import FileUnavailable
from muniment.sources import Source, SourceEntry
from muniment.testing.servers.dataverse import Dataverse
from muniment.testing.sources import SourceContract, listed, read

BIG = bytes(range(256)) * 900
PLAIN = {"readme.txt": b"hello", "a folder/deep/big ü.bin": BIG}
TABLE = {"a folder/table.csv": b"1,2\n3,4\n"}
DRAFT = {"readme.txt": b"not yet published"}


class TestDataverse(SourceContract):
    kind = "dataverse"
    calls = "/versions"
    bodies = "/datafile/"

    @pytest.fixture
    def server(self) -> Iterator[Dataverse]:
        with Dataverse() as server:
            server.version("1.0", {"old.txt": b"first"})
            server.version("1.1", {"old.txt": b"second"})
            server.version("2.0", PLAIN, TABLE)
            server.version(None, DRAFT)
            yield server

    def given(self, server: Dataverse) -> dict[str, Any]:
        return {"api_token": server.token, "doi": "https://doi.org/10.5072/FK2/ABCDEF", "host": server.url}

    def refused(self, server: Dataverse) -> dict[str, str]:
        return {"api_token": "another-token-9876"}

    def missing(self, server: Dataverse) -> dict[str, str]:
        return {"doi": "doi:10.5072/FK2/NOTHING"}

    def files(self, server: Dataverse) -> dict[str, bytes]:
        return PLAIN | TABLE | {f"@versions/draft/{name}": data for name, data in DRAFT.items()}

    def test_a_tabular_file_comes_as_it_was_uploaded(self, source: Source) -> None:
        item, entry = next(each for each in listed(source) if each[1].path == "a folder/table.csv")
        assert read(source, item, entry) == TABLE["a folder/table.csv"]
        assert entry.digests == {}

    @pytest.mark.parametrize(
        ("versions", "numbers"), [(True, ["draft", "1.1", "1.0"]), (2, ["draft", "1.1"]), (False, ["draft"])]
    )
    def test_earlier_versions_come_as_many_as_were_asked_for(
        self, server: Dataverse, session: Any, tmp_path: Any, versions: Any, numbers: list[str]
    ) -> None:
        found = listed(self.make(server, session, tmp_path, versions=versions))
        assert list(dict.fromkeys(entry.version for _, entry in found if entry.version)) == numbers

    @pytest.mark.parametrize(("held", "word"), [("restricted", "permission"), ("with_guestbook", "Guestbook")])
    def test_a_file_that_is_not_for_everybody_is_its_own_trouble(
        self, server: Dataverse, source: Source, held: str, word: str
    ) -> None:
        item, entry = listed(source)[0]
        getattr(server, held).add(int(entry.locator.partition(":")[2]))
        with pytest.raises(FileUnavailable, match=word):
            source.open(item, entry)

    @pytest.mark.parametrize("knows_pages", [True, False])
    def test_a_dataset_of_many_files_comes_whole(self, server: Dataverse, source: Source, knows_pages: bool) -> None:
        server.knows_pages = knows_pages
        server.versions.clear()
        many = {f"{number}.txt": b"" for number in range(1000)}
        server.version("1.0", many)
        assert {entry.path for _, entry in listed(source)} == {*many, "@about/dataset.json", "@about/versions.json"}

    def test_a_version_that_was_taken_back_is_named_and_not_passed_over(
        self, server: Dataverse, session: Any, tmp_path: Any
    ) -> None:
        server.deaccession("1.1", "It named a person.")
        source = self.make(server, session, tmp_path, versions=True)
        (page,) = source.pages()
        assert [(each.file, each.reason) for each in page.failures] == [
            ("@versions/1.1", "The version was deaccessioned: It named a person.")
        ]
        entries = [entry for item in page.items for entry in source.entries(item) if isinstance(entry, SourceEntry)]
        assert {entry.version for entry in entries} == {None, "draft", "1.0"}
        (named,) = [entry for entry in entries if entry.path == "@about/versions.json"]
        assert [each["versionState"] for each in json.loads(read(source, page.items[-1], named))] == [
            "DRAFT", "RELEASED", "DEACCESSIONED", "RELEASED",
        ]  # fmt: skip

    def test_the_dataset_is_described(self, source: Source) -> None:
        found = {str(entry.path): (item, entry) for item, entry in listed(source)}
        assert json.loads(read(source, *found["@about/dataset.json"]))["versionNumber"] == 2
        assert json.loads(read(source, *found["@about/dataset draft.json"]))["versionState"] == "DRAFT"

    def test_the_names_of_the_former_interface_are_taken(self, server: Dataverse, session: Any, tmp_path: Any) -> None:
        given = {
            "username": server.token,
            "password": "",
            "dataverse": "lab",
            "studyDoi": server.doi,
            "host": server.url,
        }
        from muniment.sources import SourceContext, open_source

        source = open_source("dataverse", given, SourceContext(session, tmp_path))
        assert source.resource == f"lab, {server.doi}"
        assert listed(source)
