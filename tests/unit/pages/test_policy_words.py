"""What a policy promises, in words."""

from __future__ import annotations

from muniment.server.pages.policy_words import length_of, words_of
from muniment.server.pages.texts import Texts
from muniment.workflows.copies.policy import parse_policy

POLICY = """
keep = "compliance 10y"
verify = "30d"
repair = false

[[copies]]
store = "frankfurt"
layout = "bag"
redundancy = 10
lock = "governance 1y"
verify = "52w"

[[copies]]
store = "vault"
"""


def test_a_policy_is_said_in_words() -> None:
    found = words_of(Texts("en"), parse_policy("a/b", POLICY), 5)
    assert (found.shape, found.sentence) == ("ok", "3 copies: the archive&#39;s disk, frankfurt, vault.")
    assert dict(found.places) == {
        "Archive, disk": (
            "parity of 5 % beside every file, by which damage is repaired; read back at least every 30 days"
        ),
        "frankfurt": (
            "a tar of each instance, a bag; parity of 10 % beside it; read back at least every 52 weeks; "
            "locked for one year, which only a special right can shorten"
        ),
        "vault": "files as the archive has them, in OCFL; read back at least every 90 days",
    }
    assert found.further == [
        "Every new instance is kept for 10 years, which nobody can shorten.",
        "What is found damaged is repaired when somebody asks for it.",
    ]


def test_no_policy_promises_one_copy_and_says_so() -> None:
    found = words_of(Texts("en"), parse_policy("*", ""), 0)
    assert (found.shape, found.sentence, found.general) == ("warn", "One copy only: the archive&#39;s disk.", False)
    assert "no parity" in found.places[0][1]
    assert words_of(Texts("en"), parse_policy("*", POLICY), 0).general


def test_a_length_of_time_is_said_in_words() -> None:
    said = [length_of(Texts("en"), seconds) for seconds in (1, 7200, 86400, 14 * 86400, 31_556_952.0)]
    assert said == ["one second", "2 hours", "one day", "2 weeks", "one year"]
