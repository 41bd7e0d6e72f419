"""One server for each module, with users T (everything on /o), N (may read p1), W0 (nothing) and nobody."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.nexus.site import EVERYTHING, Client, Site, furnish


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("nexus") / "archive")
    try:
        made.user("root", root={"admin"})
        made.user("T", o=EVERYTHING)
        made.user("N", o__p1={"resources/read"})
        made.user("W0")
        furnish(Client(made.port, made.keys["root"]))
        yield made
    finally:
        made.close()


@pytest.fixture
def root(site: Site) -> Client:
    return Client(site.port, site.keys["root"])


@pytest.fixture
def t(site: Site) -> Client:
    return Client(site.port, site.keys["T"])


@pytest.fixture
def n(site: Site) -> Client:
    return Client(site.port, site.keys["N"])


@pytest.fixture
def w0(site: Site) -> Client:
    return Client(site.port, site.keys["W0"])


@pytest.fixture
def nobody(site: Site) -> Client:
    return Client(site.port, None)
