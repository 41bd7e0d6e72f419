"""Signatures: the original's vectors, and what the default signature covers that the original's did not."""

from __future__ import annotations

from typing import Any

import pytest

from muniment.errors.registration import NotSigned
from muniment.workflows.signing import CALLBACK, SUBMISSION, Signer

NOW = 1_700_000_000.0


def signer(**settings: object) -> Signer:
    return Signer("CHANGEME", now=lambda: NOW, **settings)  # type: ignore[arg-type]  # `legacy` alone


def lower(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def test_the_original_s_vectors_hold() -> None:
    submission = {"timeStamp": 1400000000}
    callback = {"timeStamp": 1400000000, "id": "12345"}
    assert signer().legacy_signature(submission, SUBMISSION) == (
        "658ea7427cfd076514ff9367dfa8a0b9224e540b2e4e8ec9cc6be04ec337950f"
    )
    assert signer().legacy_signature(callback, CALLBACK) == (
        "ede0858318b43029b8b9bdc3d88170c55dbaa2ec557d99428503daf3772f694b"
    )


def test_a_signed_body_is_accepted() -> None:
    signer().check(lower(signer().headers(b"body")), b"body", {}, ())


@pytest.mark.parametrize("body", [b"bodY", b"", b"body "])
def test_another_body_is_refused(body: bytes) -> None:
    with pytest.raises(NotSigned, match="another"):
        signer().check(lower(signer().headers(b"body")), body, {}, ())


@pytest.mark.parametrize(("late", "accepted"), [(300, True), (301, False), (-300, True), (-301, False)])
def test_a_signature_lives_for_five_minutes(late: int, accepted: bool) -> None:
    headers = lower(signer().headers(b"body"))
    then = Signer("CHANGEME", now=lambda: NOW + late)
    if accepted:
        then.check(headers, b"body", {}, ())
    else:
        with pytest.raises(NotSigned, match="300 seconds"):
            then.check(headers, b"body", {}, ())


@pytest.mark.parametrize("changed", ["1700000001", "", "now", "-1", "٣", "9" * 30])
def test_the_time_is_signed_too(changed: str) -> None:
    headers = {**lower(signer().headers(b"body")), "x-muniment-timestamp": changed}
    with pytest.raises(NotSigned):
        signer().check(headers, b"body", {}, ())


@pytest.mark.parametrize("given", ["", "v2=", "v1=00", "v2=\udcff", "x"])
def test_a_signature_that_is_none_is_refused(given: str) -> None:
    headers = {**lower(signer().headers(b"body")), "x-muniment-signature": given}
    with pytest.raises(NotSigned):
        signer().check(headers, b"body", {}, ())


def test_the_original_s_signature_counts_only_where_it_is_switched_on() -> None:
    document = signer(legacy=True).sign_document({"id": "1"}, CALLBACK)
    signer(legacy=True).check({}, b"", document, CALLBACK)
    with pytest.raises(NotSigned, match="header"):
        signer().check({}, b"", document, CALLBACK)
    others: list[Any] = [{**document, "id": "2"}, {**document, "signature": 5}, {"id": "1"}, [], None]
    for wrong in others:
        with pytest.raises(NotSigned):
            signer(legacy=True).check({}, b"", wrong, CALLBACK)
