"""Failed sign-ins are slowed by address and by what was shown, over all processes; a right key is always let in."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

from tests.servers.native.running import Running, serving


def status(running: Running, key: str, **headers: str) -> int:
    """The answer to somebody with a key."""
    given = {"Authorization": f"Bearer {key}", **{name.replace("_", "-"): value for name, value in headers.items()}}
    try:
        with urllib.request.urlopen(
            urllib.request.Request(f"{running.url}archive/v1", headers=given), timeout=60
        ) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def like(key: str, letter: str) -> str:
    """A key that is wrong in its last letter."""
    assert key[-1] != letter
    return key[:-1] + letter


def wrong(key: str) -> list[str]:
    """Some of them."""
    return [like(key, letter) for letter in "abcdefgh" if letter != key[-1]]


def test_a_right_key_is_let_in_after_any_number_of_wrong_ones(tmp_path: Path) -> None:
    with serving(tmp_path / "archive", serve_failures=3) as running:
        other = wrong(running.key)[0]
        assert [status(running, other) for _ in range(5)] == [401, 401, 401, 429, 429]
        assert status(running, running.key) == 200
        assert status(running, other) == 429


def test_what_fails_at_one_process_counts_at_the_others(tmp_path: Path) -> None:
    place = tmp_path / "archive"
    with serving(place, serve_failures=4) as first, serving(place, key=first.key, serve_failures=4) as second:
        keys = wrong(first.key)
        # Each with another wrong key: it is the address that they have in common.
        tries = [status(at, key) for at, key in zip([first, second] * 3, keys, strict=False)]
        assert tries == [401, 401, 401, 401, 429, 429]
        assert [status(at, first.key) for at in (first, second)] == [200, 200]


def test_what_was_shown_is_slowed_wherever_it_comes_from(tmp_path: Path) -> None:
    with serving(tmp_path / "archive", serve_failures=3, serve_trusted_proxies="127.0.0.1") as running:
        one, other = wrong(running.key)[:2]
        tries = [status(running, one, X_Forwarded_For=f"198.51.100.{number}") for number in range(5)]
        assert tries == [401, 401, 401, 429, 429]
        # Another key from yet another address was tried by nobody; nor does the right one suffer by any of this.
        assert status(running, other, X_Forwarded_For="198.51.100.99") == 401
        assert status(running, running.key, X_Forwarded_For="198.51.100.1") == 200
