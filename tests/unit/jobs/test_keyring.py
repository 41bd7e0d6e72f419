"""Credentials at rest, and kept out of everything written."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muniment.errors.jobs import BadKeyFile, SecretUnreadable
from muniment.jobs.keyring import Keyring, Redaction


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring.create(tmp_path / "keys")


def test_a_sealed_credential_opens_again(keyring: Keyring) -> None:
    sealed = keyring.seal("job", "github", {"token": "s3cr3t"})
    assert b"s3cr3t" not in sealed
    assert keyring.unseal("job", "github", keyring.first, sealed) == {"token": "s3cr3t"}


def test_sealing_twice_does_not_look_the_same(keyring: Keyring) -> None:
    assert keyring.seal("job", "github", "x") != keyring.seal("job", "github", "x")


@pytest.mark.parametrize(("job", "name"), [("other", "github"), ("job", "s3")])
def test_a_credential_moved_to_another_place_does_not_open(keyring: Keyring, job: str, name: str) -> None:
    sealed = keyring.seal("job", "github", "x")
    with pytest.raises(SecretUnreadable):
        keyring.unseal(job, name, keyring.first, sealed)


def test_a_changed_credential_does_not_open(keyring: Keyring) -> None:
    sealed = bytearray(keyring.seal("job", "github", "x"))
    sealed[-1] ^= 1
    with pytest.raises(SecretUnreadable, match="changed"):
        keyring.unseal("job", "github", keyring.first, bytes(sealed))


def test_a_key_file_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    first = Keyring.create(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert Keyring.create(path).first == first.first


@pytest.mark.parametrize(
    ("content", "mode", "why"),
    [
        (base64.b64encode(b"k" * 32), 0o640, "chmod 600"),
        (b"", 0o600, "no key"),
        (b"# a remark\n\n", 0o600, "no key"),
        (base64.b64encode(b"short"), 0o600, "line 1"),
        (b"not base64!", 0o600, "line 1"),
        ("ключ".encode(), 0o600, "ascii"),
    ],
)
def test_a_bad_key_file_is_refused(tmp_path: Path, content: bytes, mode: int, why: str) -> None:
    path = tmp_path / "keys"
    path.write_bytes(content)
    path.chmod(mode)
    with pytest.raises(BadKeyFile, match=why):
        Keyring.read(path)


def test_a_missing_key_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(BadKeyFile, match="No such file"):
        Keyring.read(tmp_path / "keys")


SECRETS = st.text(min_size=4, max_size=30).filter(lambda text: text.isprintable() and text.strip() == text)


TOKEN = 16
"""From so many characters on a credential is refused wherever it stands."""


@given(SECRETS)
def test_a_credential_is_blacked_out_in_every_usual_form(secret: str) -> None:
    redaction = Redaction({"any": {"inner": [secret]}})
    forms = [
        secret,
        quote(secret, safe=""),
        json.dumps(secret)[1:-1],
        repr(secret)[1:-1],
        base64.b64encode(secret.encode()).decode().rstrip("="),
    ]
    for form in forms:
        assert form not in redaction.redact(f"before {form} after")
        assert redaction.in_json({"deep": [{"er": f"x{form}x"}]}) == (len(secret) >= TOKEN)


def test_without_credentials_nothing_is_touched() -> None:
    redaction = Redaction({})
    assert redaction.redact("nothing to see") == "nothing to see"
    assert not redaction.in_json({"a": "b"})


def test_a_word_that_a_files_name_may_hold_is_redacted_and_never_refused() -> None:
    redaction = Redaction({"password": "data"})
    assert not redaction.in_json({"file": "data/b.bin"})
    assert redaction.redact("the password data was refused") == "the password [secret] was refused"


def test_very_short_values_are_left_alone() -> None:
    assert Redaction({"pin": "1"}).redact("10 of 11 files") == "10 of 11 files"


def test_all_who_make_a_key_file_at_once_have_the_same_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as threads:
        made = list(threads.map(lambda _: Keyring.create(tmp_path / "keys").first, range(64)))
    assert len(set(made)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["keys"]
