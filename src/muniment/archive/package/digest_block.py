"""A block of an inventory, digests with their paths, that stays the bytes it was read as until it is asked for whole.

The inventory of 100,000 files is 40 MB of text. Parsed it is four times as much, and the next version's begins with
the same bytes: whoever adds a file to many has them copied, and looks up what little is asked of them where it lies.

What is looked for are strings of JSON with their quotes. Inside of a string every quote has a backslash before it, so
a quote, a bracket and a quote stand next to each other only where one string ends and another begins.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterable, Iterator
from typing import NamedTuple

State = dict[str, list[str]]
"""Digest to the paths that have that content."""

_FEW = 64
"""So many single additions to a block that is not parsed cost less than parsing it."""
_AT_ONCE = 1 << 20
_PATHS = re.compile(rb'\[(?:"(?:[^"\\]|\\.)*",?)*\]')
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
_KEY = re.compile(rb'"([0-9a-f]{32,128})":\[')


class DigestBlock:
    """One block: a JSON object whose keys are digests and whose values are lists of paths.

    Several threads may ask it, also while one of them has it parsed.
    """

    __slots__ = ("_added", "_parsed", "_text")

    def __init__(self, data: bytes | bytearray, start: int = 0, end: int | None = None) -> None:
        """The block whose text, without its braces, is `data` from `start` to `end`: as `pieces` writes it."""
        self._text = _Text(data, start, len(data) if end is None else end)
        self._added: State = {}
        self._parsed: State | None = None

    @classmethod
    def of(cls, state: State) -> DigestBlock:
        """A block that is parsed already; `state` stays its own."""
        block = cls(b"")
        block._parsed = state
        return block

    @property
    def is_text(self) -> bool:
        """Whether it is not parsed, so that single questions are answered without doing so."""
        return self._parsed is None

    def parsed(self) -> State:
        """All of it, to be changed in place; from now on it is kept like this.

        Raises:
            ValueError: The text is no such block.
        """
        # The text first, and it stays what it is: others may be looking through it, or have it parsed, at this moment.
        text, parsed = self._text, self._parsed
        if parsed is None:
            parsed = json.loads(b"{" + text.data[text.start : text.end] + b"}")
            for digest, paths in self._added.items():
                _add(parsed, digest, paths)
            self._parsed = parsed
            self._text = _NO_TEXT
        return parsed

    def add(self, digest: str, paths: Iterable[str]) -> None:
        """Note that content with this digest has these paths too."""
        text = self._text
        if self._parsed is None and len(self._added) < _FEW and (digest in self._added or not text.find(digest)):
            _add(self._added, digest, paths)
        else:
            _add(self.parsed(), digest, paths)

    def paths(self, digest: str) -> list[str]:
        """The paths of content with this digest; none where there is no such content."""
        text = self._text  # before it is asked whether it counts
        if self._parsed is not None:
            return self._parsed.get(digest, [])
        return self._added[digest] if digest in self._added else text.paths(digest)

    def digest_of(self, path: str) -> str | None:
        """The digest of what is at a path; None where there is nothing."""
        self._parse_for(path)
        text = self._text
        if self._parsed is None:
            for digest, _ in text.at(_encoded(path)):
                return digest
        for digest, paths in (self._added if self._parsed is None else self._parsed).items():
            if path in paths:
                return digest
        return None

    def below(self, prefix: str) -> Iterator[tuple[str, str]]:
        """Digest and path of everything whose path begins with `prefix`."""
        self._parse_for(prefix)
        text, parsed = self._text, self._parsed
        if parsed is None:
            yield from text.at(_encoded(prefix)[:-1])
        for digest, paths in (self._added if parsed is None else parsed).items():
            yield from ((digest, path) for path in paths if path.startswith(prefix))

    def digests(self) -> Container[str]:
        """What can be asked whether there is content with a digest, as of now and for thousands of times."""
        text = self._text
        return _Digests(text, self._added) if self._parsed is None else set(self._parsed)

    def pieces(self) -> Iterator[bytes | memoryview]:
        """The block as it is written."""
        text = self._text
        if self._parsed is not None:
            yield _encoded(self._parsed)
            return
        view = memoryview(text.data)
        yield b"{"
        for place in range(text.start, text.end, _AT_ONCE):
            yield view[place : min(place + _AT_ONCE, text.end)]
        if self._added:
            yield (b"," if text.end > text.start else b"") + _encoded(self._added)[1:-1]
        yield b"}"

    def _parse_for(self, beginning: str) -> None:
        """What begins with a sign that may come behind a string cannot be told from the end of one."""
        if beginning[:1] in {"", "]", ",", ":"}:
            self.parsed()


class _Text(NamedTuple):
    """The text of a block, without its braces: from `start` to `end` of `data`."""

    data: bytes | bytearray
    start: int
    end: int

    def find(self, digest: str) -> int:
        """Where the list of a digest's paths begins; 0 where there is none."""
        key = b'"%s":[' % digest.encode("ascii", "replace")
        place = self.data.find(key, self.start, self.end)
        return place + len(key) - 1 if place >= 0 else 0

    def paths(self, digest: str) -> list[str]:
        """The paths of content with this digest."""
        place = self.find(digest)
        found = _PATHS.match(self.data, place, self.end) if place else None
        return list(json.loads(found[0])) if found else []

    def at(self, beginning: bytes) -> Iterator[tuple[str, str]]:
        """Digest and path of every string in a list of paths that begins with these bytes."""
        place = self.start
        while (place := self.data.find(beginning, place, self.end)) >= 0:
            found = _STRING.match(self.data, place, self.end) if self.data[place - 1 : place] in b"[," else None
            if found is None:
                place += 1
                continue
            yield self._key_before(place), json.loads(found[0])
            place = found.end()

    def _key_before(self, place: int) -> str:
        """The digest in whose list a string lies; in a list of many names that look like keys it may take a while."""
        end = place
        while (end := self.data.rfind(b'":[', self.start, end)) >= 0:
            begin = self.data.rfind(b'"', self.start, end)
            key = _KEY.match(self.data, begin, self.end) if begin >= 0 else None
            # A string that ends like this has a backslash before its quotes, or the end of another one.
            if key and (begin == self.start or self.data[begin - 2 : begin] == b"],"):
                return key[1].decode("ascii")
        raise ValueError("a path without a digest")


_NO_TEXT = _Text(b"", 0, 0)


class _Digests:
    """The digests of a block's content as bytes: as text they would take twice the memory."""

    def __init__(self, text: _Text, added: Iterable[str]) -> None:
        self._known = {bytes.fromhex(key[1].decode("ascii")) for key in _KEY.finditer(*text)}
        self._known.update(map(bytes.fromhex, added))

    def __contains__(self, digest: object) -> bool:
        return isinstance(digest, str) and bytes.fromhex(digest) in self._known


def _add(state: State, digest: str, paths: Iterable[str]) -> None:
    known = state.setdefault(digest, [])
    known += [path for path in paths if path not in known]


def _encoded(record: object) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
