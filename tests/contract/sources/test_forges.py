"""GitHub and GitLab: real git, their APIs as look-alikes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from muniment.errors.sources import ListingEndless
from muniment.sources import Failure, Source
from muniment.testing.servers.forges import Forge, GitHub, GitLab
from muniment.testing.sources import SourceContract, listed, read

FILES = {"README.md": b"hello\n", "src/a.py": b"print()\n" * 3000}
ASSET = bytes(range(256)) * 2000


def fill(server: Forge) -> None:
    repository = server.repository("owner/thing")
    repository.commit(repository.folder_of(FILES))
    wiki = server.repository("owner/thing.wiki")
    wiki.commit(wiki.folder_of({"Home.md": b"welcome"}))
    server.lists["issues"] = [{"number": number, "title": f"ü{number}"} for number in range(5)]


class TestGitHub(SourceContract):
    kind = "github"
    calls = r"^/api/v3/repos/owner/thing(/releases)?$"
    bodies = "^/store/"

    @pytest.fixture
    def server(self, tmp_path: Path) -> Iterator[GitHub]:
        with GitHub(tmp_path / "served") as server:
            fill(server)
            server.release("v1/0", {"thing 1.zip": ASSET, "small": b"1"})
            server.release("v2", {})
            server.release("v3", {"last": b"3"})
            yield server

    def given(self, server: GitHub) -> dict[str, Any]:
        return {"access_token": server.token, "user": "owner", "repo": "thing", "host": server.url}

    def refused(self, server: GitHub) -> dict[str, str]:
        return {"access_token": "another-token-9876"}

    def missing(self, server: GitHub) -> dict[str, str]:
        return {"repo": "nothing"}

    def files(self, server: GitHub) -> dict[str, bytes]:
        assets = {"v1%2F0/thing 1.zip": ASSET, "v1%2F0/small": b"1", "v3/last": b"3"}
        return FILES | {f"@about/releases/{name}": data for name, data in assets.items()}

    def test_a_release_that_was_never_completed_is_a_failure(self, server: GitHub, source: Source) -> None:
        server.release("v4", {"half": b"x"}, state="starter")
        (page,) = source.pages()
        failures = [each for each in source.entries(page.items[-1]) if isinstance(each, Failure)]
        assert [each.file for each in failures] == ["@about/releases/v4/half"]

    def test_lists_come_whole_as_documents(self, server: GitHub, source: Source) -> None:
        documents_are_whole(source, server)

    def test_a_list_that_leads_back_to_its_beginning_is_an_error(self, server: GitHub, source: Source) -> None:
        (page,) = source.pages()
        again = {"Link": f'<{server.url}/api/v3/repos/owner/thing/releases?per_page=100>; rel="next"'}
        server.fail("/releases$", headers=again, times=99)
        with pytest.raises(ListingEndless):
            list(source.entries(page.items[-1]))

    def test_a_secondary_limit_is_waited_out_and_not_taken_for_a_refusal(
        self, server: GitHub, source: Source, clock: Any
    ) -> None:
        body = b'{"message": "You have exceeded a secondary rate limit. Please wait."}'
        server.fail("/releases$", status=403, body=body, headers={"Content-Type": "application/json"})
        assert listed(source)
        assert max(clock.sleeps) >= 59

    def test_a_repository_without_a_wiki_is_none_the_worse(self, server: GitHub, source: Source) -> None:
        server.fail(r"thing\.wiki\.git", status=404, times=9)
        assert "@about/wiki.bundle" not in {entry.path for _, entry in listed(source)}


class TestGitLab(SourceContract):
    kind = "gitlab"
    calls = "^/api/v4/"

    @pytest.fixture
    def server(self, tmp_path: Path) -> Iterator[GitLab]:
        with GitLab(tmp_path / "served") as server:
            fill(server)
            yield server

    def given(self, server: GitLab) -> dict[str, Any]:
        return {"access_token": server.token, "project": "owner/thing", "host": server.url}

    def refused(self, server: GitLab) -> dict[str, str]:
        return {"access_token": "another-token-9876"}

    def missing(self, server: GitLab) -> dict[str, str]:
        return {"project": "8"}

    def files(self, server: GitLab) -> dict[str, bytes]:
        return dict(FILES)

    def test_lists_come_whole_as_documents(self, server: GitLab, source: Source) -> None:
        documents_are_whole(source, server)


def documents_are_whole(source: Source, server: Forge) -> None:
    found = {str(entry.path): (item, entry) for item, entry in listed(source)}
    assert json.loads(read(source, *found["@about/issues.json"])) == server.lists["issues"]
    assert json.loads(read(source, *found["@about/labels.json"])) == []
    assert json.loads(read(source, *found["@about/description.json"])) == server.project
    assert read(source, *found["@about/wiki.bundle"]).startswith(b"# v2 git bundle")
    assert {"@about/history.bundle", "@about/repository.json", "@about/releases.json"} <= set(found)
