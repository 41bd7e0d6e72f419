"""What becomes of a submission: labels, credentials taken out, and only known fields kept."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from muniment.doors.osf.submission import read_submission
from muniment.errors.base import BadInput


def body(*services: dict[str, Any]) -> dict[str, Any]:
    about = {"id": "abc", "title": "T", "contributors": []}
    return {"container": {"metadata": about, "services": list(services), "children": []}}


def test_services_of_one_kind_are_numbered_and_any_case_is_known() -> None:
    url = {"url": "https://example.org/"}
    found = read_submission(body({"http": url}, {"HTTP": url}, {"git": url}, {"http": url}))
    assert [service["label"] for service in found.tree["services"]] == ["http", "http-2", "git", "http-3"]


def test_credentials_are_named_and_their_values_are_elsewhere() -> None:
    fields = {"url": "https://example.org/", "username": "me", "password": "hidden-word", "versions": 3}
    found = read_submission(body({"http": fields}))
    (service,) = found.tree["services"]
    assert service["secret"] == "abc/http"
    assert service["secret_fields"] == ["password"]
    assert found.secrets == {"abc/http": ["hidden-word"]}
    assert "hidden-word" not in json.dumps(found.tree)
    assert service["fields"]["versions"] == 3


def test_a_field_nobody_knows_is_dropped_for_it_may_be_a_credential() -> None:
    found = read_submission(body({"http": {"url": "https://example.org/", "api_token": "hidden-word"}}))
    assert "hidden-word" not in json.dumps([dict(found.tree), dict(found.secrets)])


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["container", "metadata", "services", "children", "id", "title", "http", "git", "url", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(anything)
def test_any_json_is_taken_or_refused_with_a_field(value: Any) -> None:
    errors: list[dict[str, str]] = []
    try:
        read_submission(value)
    except BadInput as error:
        errors = error.details["errors"] or [{}]
    assert all(each["field"] and each["reason"] for each in errors)
