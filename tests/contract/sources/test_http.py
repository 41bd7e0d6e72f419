"""The source `http` against listings of three styles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from muniment.testing.servers.site import Site
from muniment.testing.sources import SourceContract

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
    def server(self) -> Iterator[Site]:
        with Site(self.style, password="sesame street") as server:
            server.files = {f"data/{name}": data for name, data in FILES.items()} | {"above.txt": b"not below"}
            yield server

    def given(self, server: Site) -> dict[str, Any]:
        return {"url": f"{server.url}/data/", "username": "reader", "password": "sesame street"}

    def refused(self, server: Site) -> dict[str, str]:
        return {"password": "wrong-password"}

    def missing(self, server: Site) -> dict[str, str]:
        return {"url": f"{server.url}/nothing/"}

    def files(self, server: Site) -> dict[str, bytes]:
        return {name.replace("@about", "@@about"): data for name, data in FILES.items()}


class TestApache(TestHttp):
    style = "apache"


class TestNginxJson(TestHttp):
    style = "json"
    has_sizes = True
