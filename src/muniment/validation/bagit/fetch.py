"""fetch.txt: what is still to be brought in, and from where (RFC 8493 §2.2.3)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from muniment.content import Finding
from muniment.validation.bagit.bag import PAYLOAD, Bag, Hole
from muniment.validation.bagit.paths import decode, leads_out, leads_out_elsewhere, plain
from muniment.validation.bagit.tagfiles import lines
from muniment.validation.findings import say

NAME = "fetch.txt"
_LINE = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*:\S+)[ \t]+([0-9]{1,30}|-)[ \t]+(.+)", re.DOTALL)


def read_fetch(bag: Bag) -> Iterator[Finding]:
    """Read fetch.txt into `bag` (B012, B030 to B032)."""
    if NAME not in bag.tree.files:
        return
    trouble: list[Finding] = []
    for number, line in lines(bag.tree, NAME, bag.encoding, trouble):
        place = f"{NAME}, line {number}"
        match = _LINE.fullmatch(line)
        if not match:
            if line.strip():
                yield say("B030", place, found=line)
            continue
        path = decode(match[3], bag.version)
        if leads_out(path) or leads_out_elsewhere(path):
            yield say("B012", place, found=path)
        elif not plain(path).startswith(PAYLOAD):
            yield say("B031", place, found=path)
        else:
            path = plain(path)
            bag.fetch[path] = Hole(match[1], int(match[2]) if match[2] != "-" else None)
            yield from _listed(bag, place, path)
    yield from trouble


def _listed(bag: Bag, place: str, path: str) -> Iterator[Finding]:
    missing = [manifest.name for manifest in bag.payload_manifests if path not in manifest.entries]
    if missing and (bag.version >= (1, 0) or len(missing) == len(bag.payload_manifests)):
        yield say("B032", place, " and ".join(missing), path)
