"""Files of a registration as answers: whole or in part, nothing is given out as whole that is not as it was."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from fastapi import Request

from muniment.archive.copying.pieces import Pieces
from muniment.content import pieces as module
from muniment.doors.osf.http.content import content
from muniment.errors.stores import StoredWrong
from muniment.http.streaming import PumpResponse
from muniment.stores.folder import FolderStore

SMALL = 10
DATA = bytes(range(35))


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PIECE", SMALL)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A file in a store that is a folder."""
    found = tmp_path / "store" / "file.bin"
    found.parent.mkdir()
    found.write_bytes(DATA)
    return found


def sent(place: Path, asked: str = "") -> tuple[int, bytes]:
    """Status and bytes of an answer; what cannot be proven ends in an error."""
    headers = [(b"range", asked.encode())] if asked else []
    request = Request({"type": "http", "method": "GET", "path": "/", "headers": headers, "query_string": b""})
    book = Pieces(place.parent.parent / "pieces.db", SMALL)
    sha256 = hashlib.sha256(DATA).hexdigest()
    answer = content(request, FolderStore(place.parent), place.name, sha256, "attachment", book)
    assert isinstance(answer, PumpResponse)
    return answer.status_code, b"".join(answer._pieces())


def test_whole_and_in_part_it_is_what_it_was(place: Path) -> None:
    assert sent(place) == (200, DATA)
    for start, stop in ((0, 1), (3, 17), (9, 10), (30, 34), (34, 34), (0, 34)):
        assert sent(place, f"bytes={start}-{stop}") == (206, DATA[start : stop + 1])


@pytest.mark.parametrize("at", [0, 12, 34])
def test_damage_is_found_by_whoever_asks_for_a_part_near_it(place: Path, at: int) -> None:
    assert sent(place, "bytes=0-0")[0] == 206  # the pieces are known from here on
    place.write_bytes(DATA[:at] + bytes([DATA[at] ^ 1]) + DATA[at + 1 :])
    for start in range(35):
        if start // SMALL == at // SMALL:
            with pytest.raises(StoredWrong):
                sent(place, f"bytes={start}-{start}")
        else:
            assert sent(place, f"bytes={start}-{start}") == (206, DATA[start : start + 1])
    with pytest.raises(StoredWrong):
        sent(place)


def test_of_a_damaged_file_whose_pieces_nobody_knows_no_part_is_given(place: Path) -> None:
    place.write_bytes(DATA[:-1] + b"x")
    with pytest.raises(StoredWrong):
        sent(place, "bytes=0-0")
