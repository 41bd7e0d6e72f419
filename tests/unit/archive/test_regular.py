"""Only regular files are opened to be read, and nothing else in their place makes a reader wait."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from muniment.content.regular import open_regular, read_regular, read_small, regular_size


def test_a_regular_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    assert read_regular(tmp_path / "file") == b"content"
    assert regular_size(tmp_path / "file") == 7


@pytest.mark.parametrize(
    ("kind", "make"),
    [
        ("a named pipe", os.mkfifo),
        ("a folder", os.mkdir),
        ("a link", lambda path: os.symlink(path.with_name("other"), path)),
    ],
)
def test_what_is_no_file_is_refused_at_once_and_named(tmp_path: Path, kind: str, make: object) -> None:
    (tmp_path / "other").write_bytes(b"elsewhere")
    make(tmp_path / "place")  # type: ignore[operator] # one argument, a path
    with pytest.raises(OSError, match=f"{kind}, not a file"):
        read_regular(tmp_path / "place")
    assert regular_size(tmp_path / "place") is None


def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket has to be short
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("place")
        with pytest.raises(OSError, match="not a file"):
            read_regular(tmp_path / "place")


def test_a_link_is_followed_where_the_caller_says_so(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"elsewhere")
    (tmp_path / "place").symlink_to("other")
    with open_regular(tmp_path / "place", follow=True) as file:
        assert file.read() == b"elsewhere"


@pytest.mark.parametrize(("promised", "found"), [(7, b"content"), (9, b"content"), (3, b"cont"), (0, b"c")])
def test_of_a_small_file_that_is_longer_than_promised_one_byte_more_is_read(
    tmp_path: Path, promised: int, found: bytes
) -> None:
    (tmp_path / "file").write_bytes(b"content")
    assert read_small(tmp_path / "file", promised) == found


def test_a_pipe_or_a_link_in_the_place_of_a_small_file_makes_nobody_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert read_small(tmp_path / "pipe", 7) == b""
    (tmp_path / "link").symlink_to("pipe")
    with pytest.raises(OSError, match="symbolic link"):
        read_small(tmp_path / "link", 7)
