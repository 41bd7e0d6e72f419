"""Names at risk elsewhere are warned of, and only those."""

from __future__ import annotations

import pytest

from muniment.content.portability import check_names


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("a/b.", "a dot"),
        ("a /b", "a space"),
        ("a:b", "Windows does not allow"),
        ("folder/NUL.txt", "device"),
        ("x" * 256, "255 bytes"),
    ],
)
def test_a_name_at_risk_is_warned_of(path: str, words: str) -> None:
    findings = list(check_names([path]))
    assert [finding.code for finding in findings] == ["M601"]
    assert words in findings[0].message
    assert not findings[0].failed


def test_names_that_differ_only_by_case_are_twins() -> None:
    (finding,) = check_names(["Read.me", "read.ME"])
    assert "only by case" in finding.message


def test_names_that_differ_only_by_unicode_form_are_twins() -> None:
    (finding,) = check_names(["e\u0301", "\u00e9"])
    assert "Unicode form" in finding.message


def test_ordinary_names_pass() -> None:
    assert list(check_names(["data/file.txt", "Ünïcode/文書.pdf", "a.b.c", "console"])) == []
