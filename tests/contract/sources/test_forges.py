"""GitHub and GitLab: real git, their APIs as look-alikes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from muniment.errors.sources import AddressRefused, ListingEndless, UnexpectedAnswer
from muniment.session import Guard, Session
from muniment.sources import Failure, Item, Page, Source, SourceContext, open_source
from muniment.testing.servers.forges import Forge, GitHub, GitLab
from muniment.testing.sources import SourceContract, listed, read

FILES = {"README.md": b"hello\n", "src/a.py": b"print()\n" * 3000}
ASSET = bytes(range(256)) * 2000


def fill(server: Forge) -> None:
    repository = server.repository("owner/thing")
    repository.commit(repository.folder_of(FILES))
    wiki = server.repository("owner/thing.wiki")
    wiki.commit(wiki.folder_of({"Home.md": b"welcome"}))
    server.lists["issues"] = [{"number": number, "iid": number, "title": f"ü{number}"} for number in range(1, 6)]


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
            server.timelines = {
                number: [{"event": "labeled", "id": number * 10 + each} for each in range(number)]
                for number in range(1, 5)
            }
            server.discussions = [
                {"id": f"D{one}", "title": f"d{one}", "comments": [
                    {"id": f"C{one}-{two}", "body": "c", "replies": [
                        {"id": f"R{one}-{two}-{three}", "body": "r"} for three in range(two)
                    ]} for two in range(one * 2)
                ]} for one in range(4)
            ]  # fmt: skip
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
        failures = [each for each in source.entries(lists_of(page)) if isinstance(each, Failure)]
        assert [each.file for each in failures] == ["@about/releases/v4/half"]

    def test_lists_come_whole_as_documents(self, server: GitHub, source: Source) -> None:
        documents_are_whole(source, server)

    def test_a_list_that_leads_back_to_its_beginning_is_an_error(self, server: GitHub, source: Source) -> None:
        (page,) = source.pages()
        again = {"Link": f'<{server.url}/api/v3/repos/owner/thing/releases?per_page=100>; rel="next"'}
        server.fail("/releases$", headers=again, times=99)
        with pytest.raises(ListingEndless):
            list(source.entries(lists_of(page)))

    def test_a_secondary_limit_is_waited_out_and_not_taken_for_a_refusal(
        self, server: GitHub, source: Source, clock: Any
    ) -> None:
        body = b'{"message": "You have exceeded a secondary rate limit. Please wait."}'
        server.fail("/releases$", status=403, body=body, headers={"Content-Type": "application/json"})
        assert listed(source)
        assert max(clock.sleeps) >= 59

    def test_what_happened_to_issues_comes_whole(self, server: GitHub, source: Source) -> None:
        found = {str(entry.path): (item, entry) for item, entry in listed(source)}
        names = [name for name in found if name.startswith("@about/timelines/")]
        assert names == ["@about/timelines/1-2.json", "@about/timelines/3-4.json", "@about/timelines/5-5.json"]
        told = [each for name in names for each in json.loads(read(source, *found[name]))]
        assert {each["number"]: each.get("said") for each in told} == {**server.timelines, 5: None}
        assert told[-1]["missing"] == "status 404"

    def test_discussions_come_whole_with_comments_and_replies(self, server: GitHub, source: Source) -> None:
        found = {str(entry.path): (item, entry) for item, entry in listed(source)}
        assert json.loads(read(source, *found["@about/discussions.json"])) == server.discussions
        server.fail("^/api/graphql$", status=200, body=b'{"errors": [{"message": "no"}]}')
        with pytest.raises(UnexpectedAnswer, match="no discussions"):
            read(source, *found["@about/discussions.json"])

    def test_a_repository_without_discussions_is_not_asked_for_them(self, server: GitHub, source: Source) -> None:
        server.project["has_discussions"] = False
        assert "@about/discussions.json" not in {entry.path for _, entry in listed(source)}

    @pytest.mark.parametrize(
        ("host", "asked"),
        [("https://github.com", "api.github.com"), ("https://octo.ghe.com", "api.octo.ghe.com"),
         ("https://git.example.org", "git.example.org"), ("https://ghe.com.example.org", "ghe.com.example.org")],
    )  # fmt: skip
    def test_each_kind_of_host_is_asked_at_its_own_address(self, tmp_path: Path, host: str, asked: str) -> None:
        resolved: list[str] = []

        def resolve(name: str, *_: Any, **__: Any) -> list[Any]:
            resolved.append(name)
            return [(2, 1, 6, "", ("127.0.0.1", 443))]

        given = {"access_token": "t", "user": "owner", "repo": "thing", "host": host}
        with Session(Guard(resolve=resolve)) as session, pytest.raises(AddressRefused):
            list(open_source("github", given, SourceContext(session, tmp_path)).pages())
        assert resolved == [asked]

    def test_a_repository_without_a_wiki_is_none_the_worse(self, server: GitHub, source: Source) -> None:
        server.fail(r"thing\.wiki\.git", status=404, times=9)
        assert "@about/wiki.bundle" not in {entry.path for _, entry in listed(source)}


class TestGitLab(SourceContract):
    kind = "gitlab"
    calls = "^/api/v4/"
    bodies = r"/uploads/\d+$"
    has_digests = False

    @pytest.fixture
    def server(self, tmp_path: Path) -> Iterator[GitLab]:
        with GitLab(tmp_path / "served") as server:
            fill(server)
            server.lists["merge_requests"] = [{"iid": number} for number in range(1, 4)]
            server.discussions = {
                f"{what}/{number}": [{"id": f"{what}{number}{each}", "notes": []} for each in range(number)]
                for what in ("issues", "merge_requests")
                for number in range(1, 6)
            }
            server.uploads = {4: ("dk.png", b"png"), 5: ("dk.png", ASSET), 6: ("ü/..", b"")}
            yield server

    def given(self, server: GitLab) -> dict[str, Any]:
        return {"access_token": server.token, "project": "owner/thing", "host": server.url}

    def refused(self, server: GitLab) -> dict[str, str]:
        return {"access_token": "another-token-9876"}

    def missing(self, server: GitLab) -> dict[str, str]:
        return {"project": "8"}

    def files(self, server: GitLab) -> dict[str, bytes]:
        uploads = {"4/dk.png": b"png", "5/dk.png": ASSET, "6/%C3%BC%2F..": b""}
        return FILES | {f"@about/uploads/{name}": data for name, data in uploads.items()}

    @pytest.mark.parametrize("knows", [{"issues"}, set(), {"issues", "merge_requests"}])
    def test_what_is_said_on_issues_and_merge_requests_comes_whole(
        self, server: GitLab, source: Source, knows: set[str]
    ) -> None:
        server.knows_keyset = knows
        found = {str(entry.path): (item, entry) for item, entry in listed(source)}
        for folder, what, last in (("issue", "issues", 5), ("merge-request", "merge_requests", 3)):
            names = [name for name in found if name.startswith(f"@about/{folder}-discussions/")]
            told = [each for name in names for each in json.loads(read(source, *found[name]))]
            assert [(each["number"], each["said"]) for each in told] == [
                (number, server.discussions[f"{what}/{number}"]) for number in range(1, last + 1)
            ]
        asked = [request.query for request in server.asked("/issues$")]
        assert any("cursor" in query for query in asked) is ("issues" in knows)

    def test_uploads_that_are_not_listed_to_this_token_are_told(self, server: GitLab, source: Source) -> None:
        server.is_maintainer = False
        (page,) = source.pages()
        failures = [each for each in source.entries(page.items[-1]) if isinstance(each, Failure)]
        assert [(each.file, "maintainers" in each.reason) for each in failures] == [("@about/uploads/", True)]

    def test_lists_come_whole_as_documents(self, server: GitLab, source: Source) -> None:
        documents_are_whole(source, server)


def lists_of(page: Page) -> Item:
    return next(item for item in page.items if item.id == "lists")


def documents_are_whole(source: Source, server: Forge) -> None:
    found = {str(entry.path): (item, entry) for item, entry in listed(source)}
    assert json.loads(read(source, *found["@about/issues.json"])) == server.lists["issues"]
    assert json.loads(read(source, *found["@about/labels.json"])) == []
    assert json.loads(read(source, *found["@about/description.json"])) == server.project
    assert read(source, *found["@about/wiki.bundle"]).startswith(b"# v2 git bundle")
    assert {"@about/history.bundle", "@about/repository.json", "@about/releases.json"} <= set(found)
