"""The gatekeeper says the same of every value whoever asks, and what it lets in can be read back."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muniment.content.acceptable import (
    check_agent,
    check_event,
    check_identifier,
    check_json,
    check_object,
    check_size,
    check_target,
    check_text,
)
from muniment.content.events import Event, parse_event
from muniment.content.identity import Agent, check_id, check_project
from muniment.content.paths import LogicalPath
from muniment.content.times import check_time, from_ns, now, parse_start, read_time, seconds
from muniment.errors.base import BadInput
from muniment.errors.content import BadTime, BadValue

ANY_TEXT = st.text(st.characters(), max_size=40)
TIMES = st.datetimes(timezones=st.timezones() | st.just(UTC)).map(datetime.isoformat) | st.from_regex(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:(60|[0-9]{2})([.,][0-9]{1,9})?(Z|[+-][0-9]{2}:?[0-9]{2})?",
    fullmatch=True,
)
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT | st.binary(max_size=5) | TIMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT | st.integers(), inner, max_size=3),
    max_leaves=8,
)


@given(TIMES | ANYTHING)
def test_a_time_is_taken_in_a_form_everybody_reads_or_refused(value: Any) -> None:
    try:
        text = check_time(value)
    except BadValue:
        assert read_time(value) is None
        assert seconds(value) == 0
        return
    moment = datetime.fromisoformat(text)
    assert moment.tzinfo is not None
    assert moment == read_time(value)
    assert check_time(text) == text
    assert seconds(text) == seconds(value) == int(moment.timestamp() // 1)


@given(st.integers() | st.integers(-(10**20), 10**20))
def test_a_file_may_have_any_time(nanoseconds: int) -> None:
    text = from_ns(nanoseconds)
    assert text is None or check_time(text) == text
    assert text is not None or not -62_135_596_800 * 10**9 <= nanoseconds < 253_402_300_800 * 10**9


@given(st.floats() | ANY_TEXT | TIMES | st.integers() | st.datetimes() | st.datetimes(timezones=st.timezones()))
def test_a_place_in_the_log_is_a_number_or_a_time_or_refused(start: Any) -> None:
    try:
        place = parse_start(start)
    except BadTime:
        return
    assert isinstance(place, int) or datetime.fromisoformat(place).tzinfo == UTC


def test_a_leap_second_is_the_second_after_it() -> None:
    assert check_time("2016-12-31T23:59:60Z") == "2017-01-01T00:00:00.000000Z"
    assert check_time("2016-12-31T23:59:60.5Z") == "2017-01-01T00:00:00.500000Z"
    assert seconds("2016-12-31T23:59:60Z") == 1_483_228_800


def test_a_time_in_rfc_3339_stays_as_it_was_given() -> None:
    for text in ("2020-01-01T00:00:00+02:00", "2020-01-01T00:00:00.123456789Z", now()):
        assert check_time(text) == text
    assert check_time("20200101T000000Z") == "2020-01-01T00:00:00.000000Z"


@pytest.mark.parametrize(
    "value",
    [
        "not a time",
        "2020-01-01T00:00:00",
        "0001-01-01T00:00:00+05:00",
        "9999-12-31T23:59:59-05:00",
        "10000-01-01T00:00:00Z",
        "２０２０-01-01T00:00:00Z",
        "2020-02-30T00:00:00Z",
        {"$date": 0},
        12,
        None,
        "",
    ],
)
def test_what_is_no_time_is_refused(value: Any) -> None:
    with pytest.raises(BadValue, match="a time cannot be kept"):
        check_time(value)


@given(ANYTHING)
def test_json_that_is_taken_is_read_back_equal(value: Any) -> None:
    try:
        check_json(value, "it")
    except BadValue:
        return
    data = json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8")
    assert json.loads(data) == value


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"in": [value]}
    return value


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"a": float("inf")}, "inf is not a number of JSON"),
        ({"a": float("nan")}, "nan is not a number"),
        ({"a": "\ud800"}, "not valid Unicode"),
        ({"\udfff": 1}, "not valid text"),
        ({1: 2}, "the key 1 is not valid text"),
        ({"a": b"bytes"}, "a bytes is nothing JSON can hold"),
        ({"a": {1, 2}}, "a set"),
        ({"a": 10**5000}, "too many digits"),
        (nested(450), "nested more than 100 deep"),
        (nested(100_000), "nested more than 100 deep"),
    ],
)
def test_what_no_reader_of_json_takes_is_refused(value: Any, reason: str) -> None:
    with pytest.raises(BadValue, match=reason):
        check_object(value, "it")


@pytest.mark.parametrize("value", [None, [], "text", 5])
def test_metadata_is_an_object(value: Any) -> None:
    with pytest.raises(BadValue, match="not an object"):
        check_object(value, "it")


@pytest.mark.parametrize(
    "value", ["../x", "a/../b", "..", ".", "", " a", "newest", "12", "v3", "٣", "a\nb", "a\u2028b", "x" * 201, 5]
)
def test_what_could_be_taken_for_something_else_is_no_identifier(value: Any) -> None:
    with pytest.raises(BadValue, match="an instance's identifier cannot be kept"):
        check_identifier(value)


@pytest.mark.parametrize(
    "value", ["01a223ee-a0f7-7ff5-8cdd-09d369fe8430", "https://example.org/a//b#c", "urn:x:ä b", "v2-final"]
)
def test_identifiers_in_use_are_taken(value: str) -> None:
    assert check_identifier(value) == value


@pytest.mark.parametrize(
    "agent",
    [
        Agent("two\nlines", "mailto:a@b"),
        Agent("", "mailto:a@b"),
        Agent("a\udc80", "mailto:a@b"),
        Agent("a", "mailto:a b"),
        Agent("a", "mailto:a>b"),
        Agent("a\x1b[31m", "mailto:a@b"),
        Agent("x" * 1001, "mailto:a@b"),
    ],
)
def test_an_agent_is_one_line(agent: Agent) -> None:
    with pytest.raises(BadValue, match="an agent's"):
        check_agent(agent)


@given(ANY_TEXT, ANY_TEXT)
def test_an_agent_by_somebody_elses_word_is_made_fit(name: str, address: str) -> None:
    check_agent(Agent.stated(name, address))


@pytest.mark.parametrize("value", [-1, 1 << 63, True, 1.0, "1", None])
def test_a_size_is_a_whole_number_that_a_file_can_have(value: Any) -> None:
    with pytest.raises(BadValue, match="a file's size cannot be kept"):
        check_size(value)


@pytest.mark.parametrize("value", ["", "a\0b", "\udc80", "ä" * 2048, 5, None])
def test_a_link_points_with_what_a_link_can_hold(value: Any) -> None:
    with pytest.raises(BadValue, match="the target of the link 'a'"):
        check_target(value, "a")


def test_text_has_an_end() -> None:
    assert check_text("ä\n" * 5000, "it") == "ä\n" * 5000
    with pytest.raises(BadValue, match="more than 10000"):
        check_text("x" * 10_001, "it")


@given(ANYTHING)
def test_ids_projects_and_paths_are_judged_whatever_they_are(value: Any) -> None:
    for judge in (check_id, check_project, LogicalPath.parse):
        try:
            assert judge(value) == value
        except BadInput:
            continue


@given(
    st.builds(
        Event,
        ANY_TEXT,
        ANY_TEXT,
        project=ANY_TEXT,
        resource=ANYTHING,
        instance=st.integers() | st.booleans(),
        detail=ANYTHING,
    )
)
def test_an_event_that_is_taken_is_read_back_equal(event: Event) -> None:
    try:
        check_event(event)
    except BadValue:
        return
    line = Event(**{**{name: getattr(event, name) for name in event.__slots__}, "seq": 1}).as_line()
    assert b"\n" not in line
    assert parse_event(line).detail == event.detail
