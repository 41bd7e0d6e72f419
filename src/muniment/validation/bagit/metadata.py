"""bag-info.txt: labels and values, and the size of the payload it promises (RFC 8493 §2.2.2)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from muniment.content import Finding
from muniment.validation.bagit.bag import Bag
from muniment.validation.bagit.tagfiles import lines
from muniment.validation.findings import say

MOST = 100_000
"""Elements of bag-info.txt that are read; a limit against hostile input."""

_ELEMENT = re.compile(r"([^:\s](?:[^:]*[^:\s])?)(\s*):(\s*)(.*)", re.DOTALL)
_OXUM = re.compile(r"([0-9]{1,30})\.([0-9]{1,30})", re.ASCII)
_ONCE = ("bagging-date", "bag-size", "bag-group-identifier", "bag-count")


def read_metadata(bag: Bag) -> Iterator[Finding]:
    """Read bag-info.txt into `bag` (B040, B510, B511, B523)."""
    name = bag.info_name
    if name not in bag.tree.files:
        return
    trouble: list[Finding] = []
    for number, line in lines(bag.tree, name, bag.encoding, trouble):
        place = f"{name}, line {number}"
        if len(bag.info) >= MOST:
            yield say("B906", name, f"{MOST} elements", "more")
            break
        if line[:1] in {" ", "\t"} and bag.info:
            label, value = bag.info[-1]
            bag.info[-1] = (label, f"{value} {line.strip()}" if len(value) < MOST else value)
        elif line.strip():
            yield from _element(bag, place, line)
    yield from trouble
    counts = Counter(label.lower() for label, _ in bag.info)
    for label in _ONCE:
        if counts[label] > 1 and bag.version >= (1, 0):
            yield say("B511", name, label, counts[label])
    identifiers = list(dict.fromkeys(bag.values("External-Identifier")))
    if len(identifiers) > 1:
        yield say("B523", name, identifiers[0], len(identifiers))


def _element(bag: Bag, place: str, line: str) -> Iterator[Finding]:
    match = _ELEMENT.fullmatch(line)
    if not match:
        yield say("B040", place, found=line)
        return
    bag.info.append((match[1], match[4].rstrip()))
    if bag.version >= (1, 0) and (match[2] or len(match[3]) != 1):
        yield say("B510", place, found=line)


def check_oxum(bag: Bag) -> Iterator[Finding]:
    """Payload-Oxum names the bytes and files of the payload (B041 to B043)."""
    values = bag.values("Payload-Oxum")
    if len(values) > 1 and bag.version >= (1, 0):
        yield say("B043", bag.info_name, found=len(values))
    sizes = bag.payload.values()
    for value in values:
        match = _OXUM.fullmatch(value)
        if not match:
            yield say("B041", bag.info_name, found=value)
            continue
        size, count = int(match[1]), int(match[2])
        if sum(sizes) != size or len(sizes) != count:
            yield say("B042", bag.info_name, value, f"{sum(sizes)}.{len(sizes)}")
