"""The source `dropbox`."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from muniment.errors.sources import FieldMissing, FileUnavailable, UnexpectedAnswer
from muniment.sources import Failure, Source
from muniment.testing.servers.dropbox import Dropbox
from muniment.testing.sources import SourceContract, listed, read

BIG = bytes(range(256)) * 40_000
FILES = {"a.txt": b"now", "big.bin": BIG, "Sub/ü & co.csv": b"1,2", "Sub/deep/empty": b"", "z": b"last", "Ä": b"umlaut"}


class TestDropbox(SourceContract):
    kind = "dropbox"
    calls = "/list_folder"
    bodies = "/download$"

    @pytest.fixture
    def server(self) -> Iterator[Dropbox]:
        with Dropbox() as server:
            for number in range(4):
                server.put("/Data/a.txt", b"earlier %d" % number)
            for name, data in FILES.items():
                server.put(f"/Data/{name}", data)
            server.put("/Database/other.txt", b"not below")
            yield server

    def given(self, server: Dropbox) -> dict[str, Any]:
        return {"access_token": server.token, "folder": "/data", "host": server.url}

    def refused(self, server: Dropbox) -> dict[str, str]:
        return {"access_token": "another-token-9876"}

    def missing(self, server: Dropbox) -> dict[str, str]:
        return {"folder": "/nothing"}

    def files(self, server: Dropbox) -> dict[str, bytes]:
        return dict(FILES)

    @pytest.mark.parametrize(("versions", "contents"), [(True, [3, 2, 1, 0]), (3, [3, 2]), (1, []), (False, [])])
    def test_earlier_revisions_come_as_many_as_were_asked_for(
        self, server: Dropbox, session: Any, tmp_path: Any, versions: Any, contents: list[int]
    ) -> None:
        source = self.make(server, session, tmp_path, versions=versions)
        old = [(item, entry) for item, entry in listed(source) if entry.version]
        assert [read(source, *each) for each in old] == [b"earlier %d" % number for number in contents]
        assert all(entry.of == "a.txt" and entry.path.startswith("@versions/a.txt/") for _, entry in old)
        (present,) = [entry for _, entry in listed(source) if entry.path == "a.txt"]
        assert present.present == present.locator not in [entry.version for _, entry in old]

    def test_more_than_a_hundred_revisions_come_all(self, server: Dropbox, session: Any, tmp_path: Any) -> None:
        for number in range(250):
            server.put("/Data/z", b"%d" % number)
        source = self.make(server, session, tmp_path, versions=True)
        assert len([entry for _, entry in listed(source) if entry.of == "z"]) == 250

    def test_restricted_content_and_documents_without_a_file_are_failures(
        self, server: Dropbox, source: Source
    ) -> None:
        server.restricted.add(server.put("/Data/song.mp3", b"x"))
        server.put("/Data/notes.paper", b"x", is_downloadable=False)
        found = [(item, each) for page in source.pages() for item in page.items for each in source.entries(item)]
        assert {each.file for _, each in found if isinstance(each, Failure)} == {"notes.paper"}
        item, song = next(
            (item, each) for item, each in found if not isinstance(each, Failure) and each.path == "song.mp3"
        )
        with pytest.raises(FileUnavailable, match="restricted_content"):
            source.open(item, song)

    def test_all_of_a_dropbox_can_be_taken(self, server: Dropbox, session: Any, tmp_path: Any) -> None:
        source = self.make(server, session, tmp_path, folder="/")
        assert {"Database/other.txt", "Data/z"} <= {str(entry.path) for _, entry in listed(source)}


class TestWithRefreshToken(TestDropbox):
    """The submitted access token has ended before the work begins."""

    def given(self, server: Dropbox) -> dict[str, Any]:
        refreshed = {"refresh_token": server.refresh_token, "app_key": server.app_key, "app_secret": server.app_secret}
        return {**refreshed, "access_token": "dropbox-token-that-ended", "folder": "/data", "host": server.url}

    def refused(self, server: Dropbox) -> dict[str, str]:
        return {"refresh_token": "another-refresh-9876"}

    def test_a_token_that_ends_during_the_work_is_replaced_once(self, server: Dropbox, source: Source) -> None:
        everything = listed(source)
        before = len(server.asked("^/oauth2/token$"))
        server.token = "another-that-nobody-knows"
        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(lambda each: read(source, *each) is not None, everything))
        assert len(server.asked("^/oauth2/token$")) == before + 1

    def test_a_refresh_token_needs_its_app(self, server: Dropbox, session: Any, tmp_path: Any) -> None:
        with pytest.raises(FieldMissing, match="app_key"):
            self.make(server, session, tmp_path, app_key=None)

    @pytest.mark.parametrize("body", [b"{}", b"[]", b"<p>Sorry</p>"])
    def test_an_answer_without_a_token_is_refused(self, server: Dropbox, source: Source, body: bytes) -> None:
        server.fail("^/oauth2/token$", status=200, body=body)
        with pytest.raises(UnexpectedAnswer):
            listed(source)
