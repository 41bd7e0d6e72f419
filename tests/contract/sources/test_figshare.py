"""The source `figshare` on an article and on a project."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from muniment.sources import Failure, Source
from muniment.testing.servers.figshare import Figshare
from muniment.testing.sources import SourceContract, listed, read

DATA = bytes(range(256)) * 800
MANY: dict[str, Any] = {f"file {number}.txt": b"%d" % number for number in range(120)}


class TestArticle(SourceContract):
    kind = "figshare"
    calls = "^/account/articles/1"
    bodies = "^/files/"

    @pytest.fixture
    def server(self) -> Iterator[Figshare]:
        with Figshare() as server:
            server.article(1, {"old.txt": b"first version"}, public=True)
            server.article(1, MANY | {"a folder/ü.bin": DATA})
            server.article(2, {"data.csv": b"1,2"}, public=True)
            server.article(3, {"data.csv": b"3,4"})
            server.projects[9] = [2, 3]
            yield server

    def given(self, server: Figshare) -> dict[str, Any]:
        return {"id": 1, "access_token": server.token, "host": server.url}

    def refused(self, server: Figshare) -> dict[str, str]:
        return {"access_token": "another-token-9876"}

    def missing(self, server: Figshare) -> dict[str, str]:
        return {"id": "77"}

    def files(self, server: Figshare) -> dict[str, bytes]:
        return MANY | {"a folder/ü.bin": DATA}

    def test_earlier_versions_come_when_they_are_asked_for(self, server: Figshare, session: Any, tmp_path: Any) -> None:
        source = self.make(server, session, tmp_path, versions=True)
        old = [entry for _, entry in listed(source) if entry.version]
        assert [(entry.path, entry.version, entry.of) for entry in old] == [("@versions/1/old.txt", "1", "old.txt")]
        assert {entry.present for _, entry in listed(source) if not (entry.version or entry.made)} == {"2"}

    def test_links_and_missing_files_are_failures_and_equal_names_stay_apart(
        self, server: Figshare, session: Any, tmp_path: Any
    ) -> None:
        described: dict[str, Any] = {
            "link": {"is_link_only": True},
            "lost": {"download_url": ""},
            "x/same.csv": b"1",
            "y/same.csv": b"2",
        }
        server.article(5, described)
        for version in server.articles[5]:
            version["folder_structure"] = {}
        source = self.make(server, session, tmp_path, id="5")
        (page,) = source.pages()
        found = list(source.entries(page.items[0]))
        failures = {each.file: each.reason for each in found if isinstance(each, Failure)}
        assert failures["lost"] == "No download link available."
        assert "link" in failures
        names = [each.path for each in found if not isinstance(each, Failure)]
        assert names[0] == "same.csv"
        assert names[1].startswith("same (")
        assert names[1].endswith(").csv")


class TestProject(TestArticle):
    calls = "^/account/projects/9/articles"

    def given(self, server: Figshare) -> dict[str, Any]:
        return {"id": "9", "token_key": server.token, "token_secret": "old-secret", "host": server.url}

    def refused(self, server: Figshare) -> dict[str, str]:
        return {"token_key": "another-token-9876"}

    def files(self, server: Figshare) -> dict[str, bytes]:
        return {"2/data.csv": b"1,2", "3/data.csv": b"3,4"}

    def test_articles_and_project_are_described(self, source: Source) -> None:
        found = {str(entry.path): (item, entry) for item, entry in listed(source)}
        assert json.loads(read(source, *found["@about/2/article.json"]))["title"] == "Article 2"
        assert json.loads(read(source, *found["@about/project.json"]))["id"] == 9

    def test_earlier_versions_come_when_they_are_asked_for(self, server: Figshare, session: Any, tmp_path: Any) -> None:
        server.article(2, {"data.csv": b"changed"})
        source = self.make(server, session, tmp_path, versions=2)
        assert [entry.path for _, entry in listed(source) if entry.version] == ["@versions/1/2/data.csv"]
