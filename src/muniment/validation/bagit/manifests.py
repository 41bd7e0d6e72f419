"""Manifests line by line: digests, paths, and lines that contradict each other (RFC 8493 §2.1.3, §2.2.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from muniment.content import Finding
from muniment.validation.bagit.bag import MANIFEST, PAYLOAD, Bag, Manifest
from muniment.validation.bagit.paths import decode, leads_out, leads_out_elsewhere, plain
from muniment.validation.bagit.tagfiles import lines
from muniment.validation.findings import say
from muniment.validation.fixity import KNOWN

_LINE = re.compile(r"(\S+)[ \t]+(\*?)(.+)", re.DOTALL)
_NAME = re.compile(r"(tag)?manifest-[a-z0-9]+\.txt", re.ASCII)
_UNESCAPED = re.compile("%(?!0[aAdD]|25)")
_ESCAPED = re.compile(r"\\([\\nr])")
_MEANT = {"\\": "\\", "n": "\n", "r": "\r"}
_HEXADECIMAL = re.compile(r"[0-9a-f]+", re.ASCII)


def read_manifests(bag: Bag) -> Iterator[Finding]:
    """Read every manifest into `bag` (B007, B010 to B016, B501, B504, B505, B518 to B520, B522, B903)."""
    for name in sorted(bag.tree.inside("")):
        match = MANIFEST.fullmatch(name)
        if not match or name not in bag.tree.files:
            continue
        algorithm = match[2].lower()
        if bag.version >= (1, 0) and not _NAME.fullmatch(name):
            yield say("B518", name)
        if algorithm not in KNOWN:
            algorithm = algorithm.replace("-", "")
        manifest = Manifest(name, algorithm, tags=bool(match[1]))
        bag.manifests.append(manifest)
        if algorithm not in KNOWN:
            yield say("B903", name, found=match[2])
        trouble: list[Finding] = []
        for number, line in lines(bag.tree, name, bag.encoding, trouble):
            if line.strip():
                yield from _line(bag, manifest, f"{name}, line {number}", line)
        manifest.whole = not any(finding.failed for finding in trouble)
        yield from trouble
    if not bag.payload_manifests:
        yield say("B007", "the bag")


def _line(bag: Bag, manifest: Manifest, place: str, line: str) -> Iterator[Finding]:
    match = _LINE.fullmatch(line)
    if not match:
        yield say("B010", place, found=line)
        return
    digest, star, spelt = match[1].lower(), match[2], match[3]
    if digest.startswith("\\"):
        digest, spelt = digest[1:], _unescaped(bag, spelt)
        yield say("B522", place, found=spelt)
    written = decode(spelt, bag.version)
    path = plain(written)
    # What would lead out elsewhere is a name like any other where a file of that very name is in the bag.
    if leads_out(written) or (leads_out_elsewhere(written) and path not in bag.tree.files):
        yield say("B012", place, found=written)
        return
    literal = plain(spelt)
    if literal != path and "%25" in literal:
        manifest.literal[path] = literal
    if bag.version >= (1, 0) and _UNESCAPED.search(spelt):
        yield say("B519", place, "%25", spelt)
    if star:
        yield say("B505", place, found=path)
    if path != written:
        yield say("B504", place, found=written)
    problem = _misplaced(bag, manifest, place, path)
    if problem:
        yield problem
        return
    if manifest.algorithm in KNOWN:
        length = KNOWN[manifest.algorithm][0]
        if len(digest) != length or not _HEXADECIMAL.fullmatch(digest):
            yield say("B011", place, f"{length} hexadecimal digits", match[1])
            digest = ""
    before = manifest.entries.get(path)
    if before is not None:
        twice = "B501" if bag.version >= (1, 0) else "B520"
        yield say(twice, place, found=path) if before == digest else say("B016", place, path)
        return
    manifest.entries[path] = digest


def _unescaped(bag: Bag, spelt: str) -> str:
    r"""A name that a checksum tool escaped, which it says by a '\' before the digest; some leave the name as it is."""
    meant = _ESCAPED.sub(lambda found: _MEANT[found[1]], spelt)
    return spelt if plain(spelt) in bag.tree.files and plain(meant) not in bag.tree.files else meant


def _misplaced(bag: Bag, manifest: Manifest, place: str, path: str) -> Finding | None:
    if not manifest.tags:
        hint = " Its '\\' may have been meant as '/'." if path.startswith("data\\") else ""
        return None if path.startswith(PAYLOAD) else say("B013", place, hint, path)
    if path.startswith(PAYLOAD):
        return say("B014", place, found=path)
    other = MANIFEST.fullmatch(path)
    return say("B015", place, found=path) if other and other[1] and bag.version >= (1, 0) else None


def check_tag_manifests(bag: Bag) -> Iterator[Finding]:
    """From BagIt 1.0 on, each tag manifest lists every payload manifest (B017)."""
    if bag.version < (1, 0):
        return
    for tags in bag.tag_manifests:
        for payload in bag.payload_manifests:
            if payload.name not in tags.entries:
                yield say("B017", tags.name, payload.name)


def check_strength(bag: Bag) -> Iterator[Finding]:
    """A bag of today has a payload manifest stronger than MD5 and SHA-1 (B507)."""
    algorithms = {manifest.algorithm for manifest in bag.payload_manifests}
    if bag.version >= (1, 0) and algorithms and algorithms <= {"md5", "sha1"}:
        yield say("B507", "the bag", found=" and ".join(sorted(algorithms)))
