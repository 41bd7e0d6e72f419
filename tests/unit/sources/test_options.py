"""A submission's services are checked as data: each fault names its field, and no value of a secret is shown."""

from __future__ import annotations

from typing import Any

import pytest

from muniment.errors.sources import BadService, FieldEmpty, FieldMissing, FieldWrong, UnknownSource
from muniment.sources import ALL_VERSIONS, MODULES, Kind, Param, faults, find, submittable
from muniment.sources.options import HIDDEN


def build(*_: object) -> Any:
    raise AssertionError("checking builds nothing")


KIND = Kind(
    name="thing",
    summary="",
    params=(
        Param("token", "Where to get one.", secret=True, aliases=("token_key",)),
        Param("id", "Its number.", check=lambda value: None if value.isdigit() else "it is not a number"),
        Param("host", "Which.", required=False),
    ),
    build=build,
)


@pytest.mark.parametrize(
    ("service", "fault"),
    [
        ({}, BadService),
        ({"http": {}, "git": {}}, BadService),
        ("http", BadService),
        ([], BadService),
        ({1: {}}, BadService),
        ({"nope": {}}, UnknownSource),
        ({"local": {"path": "/etc"}}, UnknownSource),
        ({"http": {}}, FieldMissing),
        ({"http": None}, FieldWrong),
        ({"http": []}, FieldWrong),
        ({"http": {"url": ""}}, FieldEmpty),
        ({"http": {"url": None}}, FieldEmpty),
        ({"http": {"url": {}}}, FieldWrong),
        ({"http": {"url": True}}, FieldWrong),
        ({"http": {"url": "file:///etc/passwd"}}, FieldWrong),
        ({"git": {"url": "file:///srv/git/another.git"}}, FieldWrong),
        ({"git": {"url": "/srv/git/another.git"}}, FieldWrong),
        ({"http": {"url": "http://a.example/\r\nHost: b"}}, FieldWrong),
        ({"HTTP": {"url": "http://a.example/", "versions": 0}}, FieldWrong),
        ({"http": {"url": "http://a.example/", "versions": "all"}}, FieldWrong),
        ({"http": {"url": "http://a.example/", "forceParity": 1}}, FieldWrong),
    ],
)
def test_a_fault_is_found_and_is_one(service: object, fault: type[Exception]) -> None:
    found = list(faults(service))
    assert [type(each) for each in found] == [fault]


def test_a_good_service_has_no_fault_in_any_case_of_letters() -> None:
    good = {"url": "http://a.example/", "versions": 3, "forceParity": True, "something else": 1}
    assert list(faults({"HtTp": good})) == []


def test_every_fault_is_told_at_once() -> None:
    assert [type(each) for each in KIND.faults({"id": "x"})] == [FieldMissing, FieldWrong]


def test_fields_come_by_their_own_names_and_numbers_are_text() -> None:
    assert KIND.fields({"token_key": "abcd", "id": 12}) == {"token": "abcd", "id": "12", "versions": 0}
    assert KIND.fields({"token": "abcd", "id": "12", "versions": True})["versions"] == ALL_VERSIONS
    assert KIND.fields({"token": "abcd", "id": "12", "versions": 2})["versions"] == 2
    with pytest.raises(FieldMissing, match="thing is missing the field token"):
        KIND.fields({"id": "12"})


def test_secrets_are_known_by_all_their_names_and_never_shown() -> None:
    assert KIND.secret_fields() == {"token", "token_key"}
    assert KIND.redacted({"token_key": "abcd", "id": 1}) == {"token_key": HIDDEN, "id": 1}
    for fault in KIND.faults({"token": "secret\nvalue", "id": "1"}):
        assert "secret" not in str(fault).replace("secret_", "")
    assert "abcd" not in str(next(iter(faults({"a": {"token": "abcd"}, "b": {"token": "abcd"}}))))


@pytest.mark.parametrize("name", sorted(MODULES))
def test_every_kind_is_registered_under_its_name_and_explains_each_field(name: str) -> None:
    kind = find(name.upper())
    assert kind.name == name
    assert kind.summary.endswith(".")
    for param in kind.params:
        assert param.help.endswith("."), f"{name}.{param.name}: its help is shown as a sentence"
        if any(word in param.name for word in ("token", "secret", "password", "key")) and param.name != "access_key":
            assert param.secret, f"{name}.{param.name} looks like a credential: mark it secret"


def test_a_submission_cannot_name_a_folder_of_this_machine() -> None:
    assert "local" not in submittable()
