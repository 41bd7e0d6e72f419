"""Realms by page: trusted by the address of their description, tried, changed as revisions, and trusted no longer."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest

from tests.servers.browser.visiting import Visitor
from tests.servers.native.running import Running, make_archive, serving

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the provider's own libraries are being renamed
    from oidc_provider_mock import run_server_in_thread  # type: ignore[import-untyped]  # it ships no types

HERE = "/admin/realms"
REST = {"groups_claim": "groups", "subject_claims": "sub", "algorithms": "RS256", "leeway": "30"}

# The provider runs in this process, with its own old libraries.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with run_server_in_thread() as server:
        yield f"http://localhost:{server.server_port}"


@pytest.fixture(scope="module")
def trusting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    place = tmp_path_factory.mktemp("realms") / "archive"
    with serving(place, key=make_archive(place), serve_work=False) as running:
        yield running


@pytest.fixture(scope="module")
def keeper(trusting: Running) -> Visitor:
    return Visitor(trusting.url).sign_in(trusting.key)


def test_an_issuer_is_trusted_tried_changed_and_made_so_again(issuer: str, keeper: Visitor) -> None:
    assert keeper.get(HERE).heading == "No issuer is trusted yet"
    described = f"{issuer}/.well-known/openid-configuration"
    form = {**REST, "label": "library", "config_url": described, "name": "The <b>library</b>", "audiences": "muniment"}
    made = keeper.post(HERE, form)
    assert (made.status, made.headers["location"]) == (303, f"{HERE}?realm=library")
    page = keeper.get(f"{HERE}?realm=library")
    assert page.heading == "One issuer is trusted"
    assert issuer in page.words
    assert keeper.post(f"{HERE}/library/try").words.count("Passed") == 3
    changed = keeper.post(HERE, form | {"rev": "1", "audiences": "muniment, other"})
    assert changed.status == 303
    stale = keeper.post(HERE, form | {"rev": "1", "audiences": "mine"})
    assert stale.status == 409
    assert "Somebody changed this realm while you did" in stale.words
    assert "muniment, other" in stale.words
    assert "mine" in [each.attributes.get("value") for each in stale.page.every("input")]
    undone = keeper.post(HERE, form | {"rev": "2"})
    assert undone.status == 303
    assert "revision 3" in keeper.get(f"{HERE}?realm=library").words
    assert keeper.post(f"{HERE}/library/end", {"rev": "3"}).status == 400
    assert keeper.post(f"{HERE}/library/end", {"rev": "3", "sure": "yes"}).status == 303
    ended = keeper.get(f"{HERE}?realm=library")
    assert "Trusted no longer" in ended.words
    assert ended.heading == "0 issuers are trusted"


@pytest.mark.parametrize(
    "given",
    [
        {"label": "no label"},
        {"label": "x", "config_url": "http://elsewhere.example/described"},
        {"label": "x", "config_url": "http://127.0.0.1:9/described"},
        {"label": "x", "leeway": "long"},
        {"label": "x", "algorithms": "none"},
        {"label": "keys"},
    ],
)
def test_what_cannot_be_trusted_is_refused_with_what_was_typed(
    issuer: str, keeper: Visitor, given: dict[str, str]
) -> None:
    form = {**REST, "config_url": f"{issuer}/.well-known/openid-configuration", "audiences": "kept", **given}
    refused = keeper.post(HERE, form)
    assert 400 <= refused.status < 600
    assert refused.status != 500
    assert "Nothing was changed" in refused.words
    assert "kept" in [each.attributes.get("value") for each in refused.page.every("input")]


def test_only_administrators_of_everything_change_realms(trusting: Running, keeper: Visitor) -> None:
    reader = Visitor(trusting.url).sign_in(trusting.new_key("reader", _={"resources/read", "acls/read"}))
    assert reader.get(HERE).status == 403
    assert reader.post(HERE, {**REST, "label": "x"}).status == 403
    assert keeper.post(HERE, {**REST, "label": "x"}, Sec_Fetch_Site="cross-site").status == 403
    assert keeper.get(f"{HERE}?realm=none").status == 404
