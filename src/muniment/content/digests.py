"""Digests and the hashers that compute several of them in the one pass that reads the bytes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple, Self

from muniment.errors.content import DigestMismatch, UnknownDigest

if TYPE_CHECKING:
    from hashlib import _Hash

ALGORITHMS: Mapping[str, int] = {"md5": 32, "sha1": 40, "sha256": 64, "sha384": 96, "sha512": 128}
"""The digests Muniment computes, with their length in hexadecimal characters."""

_MAKERS = {name: getattr(hashlib, name) for name in ALGORITHMS}
"""Asked by name each time, OpenSSL would look for them each time."""
_BY_LENGTH = {length: name for name, length in ALGORITHMS.items()}


class Digest(NamedTuple):
    """A digest and the algorithm that made it; the value is lower-case hexadecimal."""

    algorithm: str
    value: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read 'sha256:AB…' or bare hexadecimal, whose length then names the algorithm.

        Raises:
            UnknownDigest: The algorithm is not one of ours, or the value is not hexadecimal of its length.
        """
        name, colon, value = text.strip().rpartition(":")
        value = value.strip().lower()
        algorithm = name.strip().lower().replace("-", "") if colon else _BY_LENGTH.get(len(value), "")
        if ALGORITHMS.get(algorithm) != len(value) or not re.fullmatch(r"[0-9a-f]+", value):
            raise UnknownDigest(digest=text)
        return cls(algorithm, value)

    def __str__(self) -> str:
        """The digest as it is written everywhere: 'sha256:…'."""
        return f"{self.algorithm}:{self.value}"


def parse_expected(expected: str | Digest | Iterable[str] | Mapping[str, str] | None) -> dict[str, str]:
    """The digests a caller expects, however they were given, as algorithm to value.

    Raises:
        UnknownDigest: One of them cannot be read.
    """
    if expected is None:
        return {}
    if isinstance(expected, Digest):
        return dict([expected])
    if isinstance(expected, str):
        return dict([Digest.parse(expected)])
    if isinstance(expected, Mapping):
        return dict(Digest.parse(f"{name}:{value}") for name, value in expected.items())
    return dict(Digest.parse(text) for text in expected)


class Hashers:
    """Several digests of one stream of bytes, fed once."""

    __slots__ = ("_hashers", "size")

    def __init__(self, algorithms: Iterable[str]) -> None:
        """Start a hasher for each of `algorithms`; `size` counts the bytes fed.

        Raises:
            UnknownDigest: An algorithm is not one of ours.
        """
        self.size = 0
        self._hashers: dict[str, _Hash] = {}
        for name in dict.fromkeys(algorithms):
            if name not in ALGORITHMS:
                raise UnknownDigest(digest=name)
            self._hashers[name] = _MAKERS[name](usedforsecurity=False)

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Feed the next bytes to every hasher."""
        self.size += len(data)
        for hasher in self._hashers.values():
            hasher.update(data)

    def values(self) -> dict[str, str]:
        """Algorithm to lower-case hexadecimal digest of everything fed so far."""
        return {name: hasher.hexdigest() for name, hasher in self._hashers.items()}


def refuse_mismatch(path: str, found: Mapping[str, str], expected: Mapping[str, str]) -> None:
    """Compare what was computed with what was promised.

    Raises:
        DigestMismatch: One of the expected digests differs.
    """
    for algorithm, value in expected.items():
        if found[algorithm] != value:
            raise DigestMismatch(path=path, algorithm=algorithm, found=found[algorithm], expected=value)
