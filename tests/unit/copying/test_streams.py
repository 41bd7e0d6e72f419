"""Single streams: files, iterators, long and short, and streams that break."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.archive.copying import write_stream
from muniment.errors.archive import WriteFailed

LONG = bytes(range(251)) * 80_000  # 20 MB: threads are begun on the way


@pytest.mark.parametrize("content", [b"", b"short", LONG])
@pytest.mark.parametrize("chunk", [0, 1 << 16, 1 << 20])
def test_a_stream_arrives_whole_with_its_digests(tmp_path: Path, content: bytes, chunk: int) -> None:
    chunks = (content[start : start + chunk] for start in range(0, len(content), chunk)) if chunk else None
    size, digests, pieces = write_stream(chunks or io.BytesIO(content), tmp_path / "out", ("sha512", "sha256"))
    assert (size, pieces) == (len(content), ())
    assert digests == {
        "sha512": hashlib.sha512(content).hexdigest(),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    assert (tmp_path / "out").read_bytes() == content


def test_a_chunk_the_giver_overwrites_is_digested_as_it_was(tmp_path: Path) -> None:
    def reused() -> Iterator[bytearray]:
        buffer = bytearray(1 << 20)
        for number in range(24):
            buffer[:] = bytes([number]) * len(buffer)
            yield buffer

    _, digests, _ = write_stream(reused(), tmp_path / "out", ("sha512",))
    assert digests["sha512"] == hashlib.sha512((tmp_path / "out").read_bytes()).hexdigest()
    assert (tmp_path / "out").read_bytes()[:: 1 << 20] == bytes(range(24))


@pytest.mark.parametrize("good", [1, 20])
def test_a_stream_that_breaks_leaves_nothing(tmp_path: Path, good: int) -> None:
    def breaking() -> Iterator[bytes]:
        yield from [bytes(1 << 20)] * good
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        write_stream(breaking(), tmp_path / "out", ("sha512", "sha256"))
    assert not (tmp_path / "out").exists()


def test_a_taken_name_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"older")
    with pytest.raises(WriteFailed, match="out"):
        write_stream([b"new"], tmp_path / "out", ("md5",))
    assert (tmp_path / "out").read_bytes() == b"older"
