"""Credentials at rest: sealed with AES-256-GCM under a key from a file, and kept out of everything written.

The key file has one key per line (32 random bytes in base64; empty lines and lines with # are skipped). The
first seals, all of them open: to rotate, put a new key on top, call `Ledger.rotate_secrets`, then take the old
one out.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from muniment.errors.jobs import BadKeyFile, SecretUnreadable
from muniment.jobs.model import Json, from_text, to_text

_KEY_BYTES = 32
_NONCE_BYTES = 12
_SHORTEST = 4
"""Shorter values are not looked for: '1' as a password would blacken every digit."""
_TOKEN = 16
"""From so many characters a value is refused wherever it stands; a shorter one may be part of a file's name."""


class Keyring:
    """The keys of one key file."""

    def __init__(self, keys: Mapping[str, bytes], first: str) -> None:
        """Use `keys` by id; `first` names the one that seals."""
        self._keys = dict(keys)
        self.first = first

    @classmethod
    def create(cls, path: Path) -> Keyring:
        """Make a key file with one new key, readable by its owner alone; one that is there is read instead.

        Raises:
            BadKeyFile: The file cannot be written, or one that is there cannot be used.
        """
        if not path.exists():
            try:
                _make(path)
            except OSError as error:
                raise BadKeyFile(path=path, reason=error.strerror) from error
        return cls.read(path)

    @classmethod
    def read(cls, path: Path) -> Keyring:
        """Read a key file.

        Raises:
            BadKeyFile: It is not there, others may read it, or a line is not a key.
        """
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
            lines = path.read_text("ascii").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise BadKeyFile(path=path, reason=str(error)) from error
        if mode & 0o077:
            raise BadKeyFile(path=path, reason=f"others than its owner may use it (mode {mode:04o}); run `chmod 600`")
        keys: dict[str, bytes] = {}
        for number, line in enumerate(lines, 1):
            if not line.strip() or line.startswith("#"):
                continue
            try:
                key = base64.b64decode(line.strip(), validate=True)
            except binascii.Error:
                key = b""
            if len(key) != _KEY_BYTES:
                raise BadKeyFile(path=path, reason=f"line {number} is not {_KEY_BYTES} bytes in base64")
            keys[hashlib.sha256(key).hexdigest()[:16]] = key
        if not keys:
            raise BadKeyFile(path=path, reason="it holds no key")
        return cls(keys, next(iter(keys)))

    def seal(self, job: str, name: str, value: Json) -> bytes:
        """Encrypt one credential; it can only be opened again as this job's secret of this name."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed: bytes = _cipher(self._keys[self.first]).encrypt(nonce, to_text(value).encode(), _bound(job, name))
        return nonce + sealed

    def unseal(self, job: str, name: str, key_id: str, sealed: bytes) -> Json:
        """Decrypt one credential.

        Raises:
            SecretUnreadable: Its key is not in the file, or it was tampered with.
        """
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - heavy, and only needed with credentials

        key = self._keys.get(key_id)
        if key is None:
            raise SecretUnreadable(job=job, secret=name, reason=f"its key {key_id} is not in the key file")
        try:
            text = _cipher(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _bound(job, name))
        except InvalidTag as error:
            raise SecretUnreadable(job=job, secret=name, reason="it was changed since") from error
        return from_text(text.decode())


def _make(path: Path) -> None:
    """A whole key file or none: other processes may be looking for it at this moment."""
    # Made by mkstemp, so its owner alone may read it from the beginning.
    handle, made = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(base64.b64encode(os.urandom(_KEY_BYTES)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another process was quicker, and its key counts
            os.link(made, path)
    finally:
        os.unlink(made)  # noqa: PTH108 - a name, as mkstemp gives it


def _cipher(key: bytes) -> Any:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - as above

    return AESGCM(key)


def _bound(job: str, name: str) -> bytes:
    return f"{job}/{name}".encode()


class Redaction:
    """Knows the credentials a step was shown, and finds them in what it wants to write."""

    def __init__(self, secrets: Mapping[str, Json]) -> None:
        """Look for every text in `secrets`, also percent-encoded and in base64."""
        values = list(_texts(list(secrets.values())))
        forms = {form for value in values for form in _forms(value)}
        self._forms = sorted(forms, key=len, reverse=True)
        self._tokens = {form for value in values if len(value) >= _TOKEN for form in _forms(value)}

    def redact(self, text: str) -> str:
        """`text` with every credential blacked out."""
        for form in self._forms:
            text = text.replace(form, "[secret]")
        return text

    def in_json(self, value: Json) -> bool:
        """Whether a credential that is long enough to be no chance is anywhere in `value`."""
        return bool(self._tokens) and any(form in text for text in _texts(value) for form in self._tokens)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(key)
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)


def _forms(value: str) -> Iterator[str]:
    if len(value) < _SHORTEST:
        return
    raw = value.encode("utf-8", "replace")
    yield value
    yield quote(raw, safe="")
    yield quote_plus(raw)
    yield to_text(value)[1:-1]
    yield repr(value)[1:-1]
    yield base64.b64encode(raw).decode().rstrip("=")
    yield base64.urlsafe_b64encode(raw).decode().rstrip("=")
