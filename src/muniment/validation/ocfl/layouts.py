"""Where the layouts of storage roots put an object (OCFL community extensions 0002 to 0012)."""

from __future__ import annotations

import os
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from muniment.validation.findings import kind_of
from muniment.validation.fixity import KNOWN
from muniment.validation.ocfl.clean_paths import clean_path
from muniment.validation.ocfl.extensions import LAYOUTS
from muniment.validation.ocfl.jsontext import NotJson, TooLarge, parse, read_bounded

Parameters = Mapping[str, Any]
ObjectPlace = Callable[[str], str]
"""An id's folder below the root."""

_LARGEST = 1024 * 1024
_LONGEST_NAME = 100
_MOST = 32
"""The largest tuple, and the most of them, in every extension that has them."""
_SAFE = frozenset(f"{string.ascii_letters}{string.digits}-_")
_ASCII = range(0x20, 0x80)


class NoPath(Exception):
    """The layout has no place for an id; the text says why."""


class Unusable(Exception):
    """The parameters of a layout are not as its extension asks; the text says why."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A root's layout: `place` of an id, or None with `trouble` where its parameters cannot be used."""

    extension: str
    place: ObjectPlace | None = None
    trouble: str = ""

    @property
    def config(self) -> str:
        """Where its parameters are, from the root."""
        return f"extensions/{self.extension}/config.json"


def read_layout(root: str) -> Layout | None:
    """What the root's layout makes of an id; None for a layout that is not registered, or none."""
    try:
        described = _json(os.path.join(root, "ocfl_layout.json"))
    except Unusable:
        return None  # told already
    name = described.get("extension")
    if not isinstance(name, str) or name not in LAYOUTS:
        return None
    layout = Layout(name)
    try:
        given = _json(os.path.join(root, layout.config))
        parameters = {key: _fitting(key, given.get(key, default), default) for key, default in LAYOUTS[name].items()}
        return Layout(name, _PLACES[name](parameters))
    except Unusable as trouble:
        return Layout(name, trouble=str(trouble))


def _json(path: str) -> Parameters:
    """The JSON object in a file; nothing where there is no file.

    Raises:
        Unusable: It cannot be read as one.
    """
    try:
        found = parse(read_bounded(path, _LARGEST))
    except FileNotFoundError:
        return {}
    except (TooLarge, OSError, ValueError, NotJson):
        message = "it cannot be read as JSON"
        raise Unusable(message) from None
    if not isinstance(found, dict):
        message = f"it is {kind_of(found)}"
        raise Unusable(message)
    return found


def _fitting(key: str, value: object, default: object) -> object:
    """A parameter of the kind that its default has; one without a default is a text that has to be given."""
    expected = str if default is None else type(default)
    if type(value) is not expected:
        message = f"{key} is {kind_of(value)}" if value is not None else f"{key} is missing"
        raise Unusable(message)
    return value


def _direct(_: Parameters) -> ObjectPlace:
    return lambda identifier: identifier


def _hashed(given: Parameters) -> ObjectPlace:
    """0004: tuples of the id's digest, and the digest or what is left of it."""
    tuples = _tuples_of_digest(given)
    used = given["tupleSize"] * given["numberOfTuples"]
    short = given["shortObjectRoot"]
    if short and used == KNOWN[given["digestAlgorithm"]][0]:
        message = "shortObjectRoot leaves nothing of the digest"
        raise Unusable(message)

    def place(identifier: str) -> str:
        digest, above = tuples(identifier)
        return "/".join((*above, digest[used:] if short else digest))

    return place


def _hashed_with_id(given: Parameters) -> ObjectPlace:
    """0003, and with delimiters 0012: tuples of the digest, and the encoded id below them."""
    tuples = _tuples_of_digest(given)
    delimiters = given.get("delimiters", [])
    if any(not isinstance(each, str) or not each for each in delimiters):
        message = "delimiters are texts of one character or more"
        raise Unusable(message)

    def place(identifier: str) -> str:
        # A delimiter at the very end is passed over, unlike in 0006 and 0007.
        ends = [identifier.rfind(each, 0, -1) + len(each) for each in delimiters if each in identifier[:-1]]
        name = identifier[max(ends, default=0) :]
        digest, above = tuples(name)
        return "/".join((*above, _encoded(name, digest)))

    return place


def _tuples_of_digest(given: Parameters) -> Callable[[str], tuple[str, list[str]]]:
    algorithm, size, number = given["digestAlgorithm"], given["tupleSize"], given["numberOfTuples"]
    if algorithm not in KNOWN:
        message = f"digestAlgorithm {algorithm!r} is not known here"
        raise Unusable(message)
    if not (0 <= size <= _MOST and 0 <= number <= _MOST) or (size == 0) != (number == 0):
        message = f"tupleSize and numberOfTuples are 0 to {_MOST}, and both are 0 or none is"
        raise Unusable(message)
    if size * number > KNOWN[algorithm][0]:
        message = "the tuples are longer than the digest"
        raise Unusable(message)

    def tuples(name: str) -> tuple[str, list[str]]:
        hasher = KNOWN[algorithm][1]()
        hasher.update(name.encode("utf-8", "surrogatepass"))
        digest = hasher.hexdigest()
        return digest, [digest[at * size : (at + 1) * size] for at in range(number)]

    return tuples


def _encoded(name: str, digest: str) -> str:
    """The id as a folder's name: percent-encoded in small letters, and cut where it is long."""
    pieces = (
        each if each in _SAFE else "".join(f"%{byte:02x}" for byte in each.encode("utf-8", "surrogatepass"))
        for each in name
    )
    whole = "".join(pieces)
    return whole if len(whole) <= _LONGEST_NAME else f"{whole[:_LONGEST_NAME]}-{digest}"


def _flat_without_prefix(given: Parameters) -> ObjectPlace:
    """0006."""
    delimiter = _delimiter(given)
    return lambda identifier: _without_prefix(identifier, delimiter)


def _tuples_without_prefix(given: Parameters) -> ObjectPlace:
    """0007: tuples of what follows the prefix, filled up with zeros and turned round if so asked."""
    delimiter, size, number = _delimiter(given), given["tupleSize"], given["numberOfTuples"]
    if not (1 <= size <= _MOST and 1 <= number <= _MOST):
        message = f"tupleSize and numberOfTuples are 1 to {_MOST}"
        raise Unusable(message)
    if given["zeroPadding"] not in {"left", "right"}:
        message = "zeroPadding is left or right"
        raise Unusable(message)

    def place(identifier: str) -> str:
        name = _without_prefix(_ascii(identifier), delimiter)
        width = size * number
        padded = name.rjust(width, "0") if given["zeroPadding"] == "left" else name.ljust(width, "0")
        turned = padded[::-1] if given["reverseObjectRoot"] else padded
        return "/".join((*(turned[at : at + size] for at in range(0, width, size)), name))

    return place


def _differential(given: Parameters) -> ObjectPlace:
    """0010: tuples of different sizes, which what follows the prefix fills exactly."""
    delimiter, sizes = _delimiter(given), given["tupleSegmentSizes"]
    if not sizes or any(type(size) is not int or size < 1 for size in sizes):
        message = "tupleSegmentSizes are whole numbers from 1 on"
        raise Unusable(message)

    def place(identifier: str) -> str:
        name = _without_prefix(_ascii(identifier), delimiter)
        if len(name) != sum(sizes):
            message = f"{name!r} has not {sum(sizes)} characters"
            raise NoPath(message)
        ends = [sum(sizes[:count]) for count in range(len(sizes) + 1)]
        tuples = [name[start:end] for start, end in pairwise(ends)]
        return "/".join((*tuples, *([name] if given["fullIdentifierAsObjectRoot"] else ())))

    return place


def _clean(given: Parameters) -> ObjectPlace:
    """0011."""
    positive = ("maxPathSegmentLen", "maxPathnameLen", "fallbackTupleSize")
    if any(given[key] < 1 for key in positive) or given["numberOfFallbackTuples"] < 0:
        message = f"{', '.join(positive)} are numbers from 1 on, numberOfFallbackTuples from 0 on"
        raise Unusable(message)
    if given["fallbackDigestAlgorithm"] not in KNOWN:
        message = f"fallbackDigestAlgorithm {given['fallbackDigestAlgorithm']!r} is not known here"
        raise Unusable(message)
    return lambda identifier: clean_path(identifier, given)


def _delimiter(given: Parameters) -> str:
    delimiter = given["delimiter"]
    if not delimiter:
        message = "delimiter is empty"
        raise Unusable(message)
    return str(delimiter)


def _without_prefix(identifier: str, delimiter: str) -> str:
    """What follows the last delimiter, whatever its capitals; the whole where there is none.

    Raises:
        NoPath: The delimiter stands at the end.
    """
    size = len(delimiter)
    for at in range(len(identifier) - size, -1, -1):
        if identifier[at : at + size].lower() == delimiter.lower():
            if at + size == len(identifier):
                message = f"{identifier!r} ends in the delimiter"
                raise NoPath(message)
            return identifier[at + size :]
    return identifier


def _ascii(identifier: str) -> str:
    if any(ord(each) not in _ASCII for each in identifier):
        message = f"{identifier!r} is not ASCII"
        raise NoPath(message)
    return identifier


_PLACES: Mapping[str, Callable[[Parameters], ObjectPlace]] = {
    "0002-flat-direct-storage-layout": _direct,
    "0003-hash-and-id-n-tuple-storage-layout": _hashed_with_id,
    "0004-hashed-n-tuple-storage-layout": _hashed,
    "0006-flat-omit-prefix-storage-layout": _flat_without_prefix,
    "0007-n-tuple-omit-prefix-storage-layout": _tuples_without_prefix,
    "0010-differential-n-tuple-omit-prefix-storage-layout": _differential,
    "0011-direct-clean-path-layout": _clean,
    "0012-hash-and-no-prefix-id-n-tuple-storage-layout": _hashed_with_id,
}
