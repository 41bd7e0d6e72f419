"""The source `http` against listings in the styles of many servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from muniment.errors.sources import FileUnavailable
from muniment.session import Guard, Session
from muniment.sources import Failure, SourceContext, SourceEntry, open_source
from muniment.testing.clock import FakeClock
from muniment.testing.servers import Loopback, Reply, Request, Wrong
from muniment.testing.servers.listings import STYLES
from muniment.testing.servers.web import WebServer
from muniment.testing.sources import SourceContract, read

FILES = {
    "top.txt": b"top",
    "a folder/ümläut & co.csv": b"1,2\n" * 700,
    "a folder/deeper/%41.bin": bytes(range(256)) * 400,
    "a folder/deeper/.hidden": b"",
    "@about/mine.json": b"{}",
}


class TestHttp(SourceContract):
    kind = "http"
    bodies = r"%41\.bin$"
    calls = r"/$"
    has_sizes = False
    has_digests = False
    style = "nginx"

    @pytest.fixture
    def server(self) -> Iterator[WebServer]:
        with WebServer(self.style, password="sesame street") as server:
            server.files = {f"data/{name}": data for name, data in FILES.items()} | {"above.txt": b"not below"}
            yield server

    def given(self, server: WebServer) -> dict[str, Any]:
        return {"url": f"{server.url}/data/", "username": "reader", "password": "sesame street"}

    def refused(self, server: WebServer) -> dict[str, str]:
        return {"password": "wrong-password"}

    def missing(self, server: WebServer) -> dict[str, str]:
        return {"url": f"{server.url}/nothing/"}

    def files(self, server: WebServer) -> dict[str, bytes]:
        return {name.replace("@about", "@@about"): data for name, data in FILES.items()}


class TestApache(TestHttp):
    style = "apache"


class TestNginxJson(TestHttp):
    style = "json"
    has_sizes = True


class TestThredds(TestHttp):
    style = "thredds"
    calls = r"/catalog\.xml$"

    def given(self, server: WebServer) -> dict[str, Any]:
        url = f"{server.url}/thredds/catalog/data/catalog.html"
        return {"url": url, "username": "reader", "password": "sesame street"}

    def missing(self, server: WebServer) -> dict[str, str]:
        return {"url": f"{server.url}/thredds/catalog/nothing/catalog.xml"}


@pytest.fixture
def session() -> Iterator[Session]:
    with Session(Guard(allow_private_addresses=True), clock=FakeClock()) as session:
        yield session


def found(session: Session, folder: Path, url: str) -> tuple[dict[str, SourceEntry], dict[str, str], dict[str, bytes]]:
    """Entries, failures and contents."""
    source = open_source("http", {"url": url}, SourceContext(session, folder))
    (page,) = source.pages()
    each = list(source.entries(page.items[0]))
    entries = {str(entry.path): entry for entry in each if isinstance(entry, SourceEntry)}
    contents = {path: read(source, page.items[0], entry) for path, entry in entries.items()}
    return entries, {failure.file: failure.reason for failure in each if isinstance(failure, Failure)}, contents


@pytest.mark.parametrize("style", sorted(STYLES))
def test_a_folder_comes_whole_in_every_style(session: Session, tmp_path: Path, style: str) -> None:
    with WebServer(style) as site:
        site.files = {f"data set/{name}": data for name, data in FILES.items()} | {"above.txt": b"not below"}
        url = f"{site.url}/thredds/catalog/data%20set/catalog.xml" if style == "thredds" else f"{site.url}/data%20set/"
        entries, failures, contents = found(session, tmp_path, url)
    assert failures == {}
    assert contents == {name.replace("@about", "@@about"): data for name, data in FILES.items()}
    times = {entry.modified for entry in entries.values()}
    assert len(times) == 1
    assert str(times.pop()).startswith("None" if style in {"go", "base"} else "2023-11-14T22:13")


def test_a_page_that_looks_like_a_folder_is_never_silently_all_there_is(session: Session, tmp_path: Path) -> None:
    prose = b"<p>" + b"some words of explanation " * 30 + b"</p>"
    page = b"<html><title>My data</title><body>" + prose + b'<a href="a.csv">a.csv</a></body></html>'
    with Pages({"/data/": page}) as server:
        _, failures, contents = found(session, tmp_path, f"{server.url}/data/")
        assert contents == {"index.html": page}
        assert "cannot be read as one" in failures[f"{server.url}/data/"]


@pytest.mark.parametrize(
    "page",
    [
        b"<html><title>Welcome</title><h1>Our group</h1><p>Read <a href='about/'>more about us</a>.</p></html>",
        b"<html><title>A map</title><canvas></canvas></html>",
        b"plain words",
    ],
)
def test_a_page_that_shows_no_folder_is_a_document(session: Session, tmp_path: Path, page: bytes) -> None:
    with Pages({"/data/": page}) as server:
        _, failures, contents = found(session, tmp_path, f"{server.url}/data/")
        assert (failures, contents) == ({}, {"index.html": page})


def test_a_folder_that_is_listed_as_a_file_is_a_failure_and_no_page_of_it(session: Session, tmp_path: Path) -> None:
    listing = b"<title>Index of /data/</title><pre><a href='a.csv'>a.csv</a>\n<a href='sub'>sub</a></pre>"
    pages = {"/data/": listing, "/data/a.csv": b"1", "/data/sub/": listing}
    with Pages(pages) as server, pytest.raises(FileUnavailable, match="listed as a file"):
        found(session, tmp_path, f"{server.url}/data/")


def test_a_listing_at_an_address_without_its_slash_is_read(session: Session, tmp_path: Path) -> None:
    listing = b"<title>Index of /data</title><a href='/data/a.csv'>a.csv</a> <a href='data/b.csv'>b.csv</a>"
    with Pages({"/data": listing, "/data/a.csv": b"1", "/data/b.csv": b"2"}) as server:
        assert found(session, tmp_path, f"{server.url}/data")[2] == {"a.csv": b"1", "b.csv": b"2"}


def test_a_file_is_named_by_its_disposition(session: Session, tmp_path: Path) -> None:
    with Pages({"/download": b"1,2"}) as server:
        server.headers = {
            "Content-Disposition": "attachment; filename*=UTF-8''na%C3%AFve.csv",
            "Content-Type": "text/csv",
        }
        assert found(session, tmp_path, f"{server.url}/download?id=5")[2] == {"naïve.csv": b"1,2"}


def test_a_catalog_that_leads_away_round_or_to_no_file_says_so(session: Session, tmp_path: Path) -> None:
    space = "http://www.unidata.ucar.edu/namespaces/thredds/InvCatalog/v1.0"
    catalog = f"""<catalog xmlns="{space}" xmlns:x="http://www.w3.org/1999/xlink">
        <service name="files" serviceType="HTTPServer" base="/files/"/>
        <service name="latest" serviceType="Resolver" base=""/>
        <service name="dap" serviceType="OPENDAP" base="/dap/"/>
        <dataset name="Top"><metadata inherited="true"><serviceName>files</serviceName></metadata>
          <dataset name="a.nc" urlPath="x/a.nc"/>
          <dataset name="group"><dataset name="b.nc" urlPath="b.nc"/></dataset>
          <dataset name="newest" urlPath="latest.xml" serviceName="latest"/>
          <dataset name="joined" urlPath="joined" serviceName="dap"/>
          <catalogRef x:href="http://192.0.2.1/catalog.xml" x:title="away"/>
          <catalogRef x:href="catalog.xml" x:title="round"/>
        </dataset></catalog>""".encode()
    with Pages({"/t/catalog.xml": catalog, "/files/x/a.nc": b"a", "/files/b.nc": b"b"}) as server:
        server.headers = {"Content-Type": "text/xml"}
        _, failures, contents = found(session, tmp_path, f"{server.url}/t/catalog.xml")
    assert contents == {"a.nc": b"a", "group/b.nc": b"b"}
    assert set(failures) == {"joined", "away/", "round/"}


class Pages(Loopback):
    """Serves pages by their path, with `headers`; an address without its slash leads to the one that has it."""

    def __init__(self, pages: dict[str, bytes]) -> None:
        super().__init__()
        self.pages = pages
        self.headers: dict[str, str] = {}

    def answer(self, request: Request) -> Reply:
        if request.path in self.pages:
            media = "text/csv" if request.path.endswith(".csv") else "text/html; charset=utf-8"
            return Reply(200, self.pages[request.path], {"Content-Type": media, **self.headers})
        if f"{request.path}/" in self.pages:
            return Reply(301, headers={"Location": f"{request.path}/"})
        raise Wrong(404, "nothing is here")
