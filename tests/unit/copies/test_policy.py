"""Policies: what they may ask for, and what is refused with the reason."""

from __future__ import annotations

import pytest

from muniment.content.durations import duration_text, parse_duration
from muniment.content.locks import LockRule
from muniment.errors.content import BadProject
from muniment.errors.copies import BadDuration, BadPolicy
from muniment.workflows.copies.policy import CopyRule, parse_policy

WHOLE = """
verify = "30d"
repair = false
keep = "compliance 10y"
[[copies]]
store = "vault"
layout = "bag"
redundancy = 10
lock = "governance 1y"
verify = "12h"
read_back = false
[[copies]]
store = "shelf"
"""


def test_a_policy_says_where_how_and_how_often() -> None:
    policy = parse_policy("org/project", WHOLE)
    assert (policy.verify, policy.repair, policy.keep) == (30 * 86400, False, LockRule("compliance", 10 * 31_556_952))
    first, second = policy.copies
    assert first == CopyRule("vault", "bag", 10, LockRule("governance", 31_556_952), 12 * 3600, read_back=False)
    assert second == CopyRule("shelf", "ocfl")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("copies = 1", "not a list"),
        ("copies = [1]", "is a table"),
        ("[[copies]]", "names no `store`"),
        ('[[copies]]\nstore = "a"\nlayout = "zip"', "no layout 'zip'"),
        ('[[copies]]\nstore = "a"\nlayout = "registration"', "REGISTRATION_STORES"),
        ('[[copies]]\nstore = "a"\nlock = "forever"', "a mode and a time"),
        ('[[copies]]\nstore = "a"\nlock = "governance soon"', "no length of time"),
        ('[[copies]]\nstore = "a"\nredundancy = 101', "between 0 and 100"),
        ('[[copies]]\nstore = "a"\nredundancy = true', "not a whole number"),
        ('[[copies]]\nstore = "a"\nspeed = 1', "no `speed`"),
        ('[[copies]]\nstore = "a"\n[[copies]]\nstore = "a"', "asks twice"),
        ('verify = "0d"', "no length of time"),
        ("keep", "not TOML"),
        ("# " + "x" * (64 << 10), "more than"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(BadPolicy, match=reason):
        parse_policy("*", text)


def test_a_policy_is_for_a_project_or_for_all() -> None:
    with pytest.raises(BadProject):
        parse_policy("everything", "")


@pytest.mark.parametrize(("text", "seconds"), [("90d", 7_776_000), ("12h", 43_200), ("2w", 1_209_600), ("45 s", 45)])
def test_lengths_of_time_are_numbers_with_a_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds
    assert parse_duration(duration_text(seconds)) == seconds


@pytest.mark.parametrize("text", ["", "90", "d", "-1d", "1.5d", "1mo", "9" * 12 + "y"])
def test_other_words_are_no_lengths_of_time(text: str) -> None:
    with pytest.raises(BadDuration):
        parse_duration(text)
