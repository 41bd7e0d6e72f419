"""A right key is let in, whatever others tried from the same address."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

from tests.servers.native.running import serving


def test_a_right_key_is_let_in_after_any_number_of_wrong_ones(tmp_path: Path) -> None:
    with serving(tmp_path / "archive", serve_failures=3) as running:

        def status(key: str) -> int:
            request = urllib.request.Request(f"{running.url}archive/v1", headers={"Authorization": f"Bearer {key}"})
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    return int(answer.status)
            except urllib.error.HTTPError as error:
                return error.code

        wrong = running.key[:-1] + ("a" if running.key[-1] != "a" else "b")
        assert [status(wrong) for _ in range(5)] == [401, 401, 401, 429, 429]
        assert status(running.key) == 200
        assert status(wrong) == 429
