"""The words of a search, and those spelled nearly alike: what a search that found nothing may have meant."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
_LONGEST = 24
_SHORTEST = 3


def words_of(text: str) -> list[str]:
    """The first twelve words of a text."""
    return "".join(each if each.isalnum() else " " for each in text).split()[:12]


def search_for(text: str) -> str:
    """A full text search for all words of a text, each of which may only have begun."""
    return " ".join(f'"{word}"*' for word in words_of(text))


def folded(word: str) -> str:
    """A word as the index keeps it: small letters without marks above or below them."""
    return "".join(each for each in unicodedata.normalize("NFKD", word.lower()) if not unicodedata.combining(each))


def neighbours(word: str) -> list[str]:
    """Every spelling that is one letter more, fewer or other, or has two neighbours exchanged.

    They are a few hundred, looked up one by one: the words of an archive need not be read. None for a word of fewer
    than three letters, which is near to everything, or of more than 24.
    """
    if not _SHORTEST <= len(word) <= _LONGEST:
        return []
    return sorted(set(_edits(word)) - {word})


def _edits(word: str) -> Iterator[str]:
    letters = _ALPHABET + "".join(each for each in set(word) if each not in _ALPHABET)
    for at in range(len(word) + 1):
        before, after = word[:at], word[at:]
        if after:
            yield before + after[1:]
        if after[1:]:
            yield before + after[1] + after[0] + after[2:]
        for letter in letters:
            yield before + letter + after
            if after:
                yield before + letter + after[1:]
