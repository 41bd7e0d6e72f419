"""Paths without what some system could not hold, as OCFL community extension 0011 makes them of ids."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from muniment.validation.fixity import KNOWN

_SPACES = "\t\n\v\f\r \x85\xa0\u1680\u2000-\u200f\u2028\u2029\u202f\u205f\u3000"
_OTHERS = "\0-\x1f\x7f*?:\\[\\]\"<>|(){}&'!;#@"
_SPACE = re.compile(f"[{_SPACES}]")
_OTHER = re.compile(f"[{_OTHERS}]")
_ANY = re.compile(f"[{_SPACES}{_OTHERS}]")
_LEADING = re.compile(f"^[{_SPACES}~-]+")
_TRAILING = re.compile(f"[{_SPACES}]+$")
_LOOKS_ENCODED = re.compile("=(?=u[0-9A-Fa-f]{4})")


def clean_path(path: str, parameters: Mapping[str, Any]) -> str:
    """The path that 0011 gives `path`, with the extension's parameters by their names."""
    replacement = parameters["replacementString"]
    whole = "".join(replacement if "\ud800" <= each <= "\udfff" else each for each in path)
    clean = _encoded if parameters["encodeUTF"] else _replaced
    segments = []
    for segment in whole.split("/"):
        made = clean(segment, replacement, parameters["whitespaceReplacementString"])
        if len(made) > parameters["maxPathSegmentLen"]:
            return _fallback(whole, parameters)
        segments += [made] if made else []
    joined = "/".join(segments)
    return joined if len(joined) <= parameters["maxPathnameLen"] else _fallback(whole, parameters)


def _replaced(segment: str, replacement: str, space: str) -> str:
    made = _SPACE.sub(lambda _: space, segment)
    made = _OTHER.sub(lambda _: replacement, made)
    made = _TRAILING.sub("", _LEADING.sub("", made))
    return f"{replacement}{made[1:]}" if made and not made.strip(".") else made


def _encoded(segment: str, *_: str) -> str:
    made = _ANY.sub(_code, _LOOKS_ENCODED.sub("=u003D", segment))
    # The extension's examples, though not its text, encode a '~' at the beginning.
    first = made[:1]
    return f"{_code_of(first)}{made[1:]}" if first == "~" or (made and not made.strip(".")) else made


def _code(match: re.Match[str]) -> str:
    return _code_of(match[0])


def _code_of(character: str) -> str:
    return f"=u{ord(character):04X}"


def _fallback(path: str, parameters: Mapping[str, Any]) -> str:
    """The digest of the path in pieces that are short enough, below tuples of its beginning."""
    hasher = KNOWN[parameters["fallbackDigestAlgorithm"]][1]()
    hasher.update(path.encode())
    digest = hasher.hexdigest()
    longest, size = parameters["maxPathSegmentLen"], parameters["fallbackTupleSize"]
    tuples = [digest[at * size : (at + 1) * size] for at in range(parameters["numberOfFallbackTuples"])]
    pieces = [digest[at : at + longest] for at in range(0, len(digest), longest)]
    return "/".join(each for each in (parameters["fallbackFolder"], *tuples, *pieces) if each)
