"""What is wrong when a server or a worker is started is said in one line, with the exit status that fits."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from muniment.archive import Archive

SECRET = "s3cr3t-pass"
CALLBACKS = "MUNIMENT_CALLBACK_ADDRESSES"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    Archive.init(tmp_path / "archive").close()
    return tmp_path / "archive"


def said(archive: Path | str, *words: str, **environment: str) -> str:
    command = [sys.executable, "-m", "muniment", "--archive", str(archive), *words]
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 4, done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done.stderr


@pytest.mark.parametrize("command", ["serve", "work"])
@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        ("MUNIMENT_WORK_THREADS", "many", ("MUNIMENT_WORK_THREADS", "valid integer")),
        ("MUNIMENT_SERVE_PORT", "99999", ("MUNIMENT_SERVE_PORT", "65535")),
        ("MUNIMENT_SELECTION_LIFE", "for ever", ("MUNIMENT_SELECTION_LIFE", "valid number")),
        ("MUNIMENT_BROKER", f"kafka://user:{SECRET}@broker", ("MUNIMENT_BROKER", "redis://")),
        ("MUNIMENT_REGISTRATION_STORES", "gopher://store", ("gopher://", "neither a folder nor one of", "s3://")),
        (CALLBACKS, f"http://user:{SECRET}@127.0.0.1/done", (CALLBACKS, "MUNIMENT_HMAC_KEY")),
        ("MUNIMENT_SECRETS_FILE", "/nowhere/key", ("/nowhere/key", "No such file")),
    ],
)
def test_a_setting_that_cannot_be_used(
    archive: Path, command: str, setting: str, value: str, expected: tuple[str, ...]
) -> None:
    message = said(archive, command, **{setting: value})
    for words in expected:
        assert words in message
    assert SECRET not in message


@pytest.mark.parametrize("words", [("serve",), ("serve", "--processes", "2"), ("work",)])
def test_a_damaged_key_file(archive: Path, words: tuple[str, ...]) -> None:
    key = archive / "control.key"
    key.write_text("no key\n", "utf-8")
    key.chmod(0o600)
    assert "line 1 is not 32 bytes in base64" in said(archive, *words)


@pytest.mark.parametrize("processes", ["1", "2"])
def test_an_address_that_is_taken(archive: Path, processes: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        assert f"port {port}: Address already in use" in said(
            archive, "serve", "--port", port, "--processes", processes
        )


def test_an_empty_file_with_the_key(tmp_path: Path) -> None:
    (tmp_path / "key").touch()
    assert "is empty" in said("http://127.0.0.1:9", "ls", MUNIMENT_KEY_FILE=str(tmp_path / "key"))
