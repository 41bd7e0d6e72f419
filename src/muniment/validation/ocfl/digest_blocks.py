"""Blocks of digests and paths, the manifest and the fixity block (OCFL 1.1 §3.5.2 and §3.5.4)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from muniment.content import Finding
from muniment.validation.findings import kind_of, say
from muniment.validation.fixity import KNOWN
from muniment.validation.ocfl.jsontext import keys_twice

_HEXADECIMAL = re.compile(r"[0-9a-fA-F]+", re.ASCII)
_ALGORITHM = re.compile(r"[A-Za-z0-9][A-Za-z0-9./_-]*", re.ASCII)
SIZE = "size"
"""Of extension 0009: the bytes of a file in decimal notation stand where a digest would."""
_NUMBER = re.compile(r"0|[1-9][0-9]*", re.ASCII)
_MALFORMED = {"sha1": "E029", "sha256": "E030", "sha512": "E031", "blake2b-512": "E032"}


def read_digest_block(
    raw: dict[str, object], where: str, algorithm: str, *, fixity: bool
) -> tuple[dict[str, list[str]], list[Finding]]:
    """Digest to content paths, with a finding for each value that is not a list of texts.

    Args:
        raw: The JSON object.
        where: The inventory it is from.
        algorithm: What its keys are digests by.
        fixity: Whether it is a fixity block rather than the manifest; the codes differ.
    """
    findings: list[Finding] = []
    block: dict[str, list[str]] = {}
    for digest, paths in raw.items():
        if not isinstance(paths, list):
            findings.append(say("E057" if fixity else "E092", where, "a list of paths", kind_of(paths)))
            continue
        block[digest] = [path for path in paths if isinstance(path, str)]
        if len(block[digest]) != len(paths):
            wrong = next(path for path in paths if not isinstance(path, str))
            findings.append(say("E098", where, found=kind_of(wrong)))
    findings += _repeated(raw, where, fixity=fixity)
    findings += _malformed(block, where, algorithm, fixity=fixity)
    return block, findings


def _repeated(raw: dict[str, object], where: str, *, fixity: bool) -> list[Finding]:
    seen: set[str] = set()
    twice = dict.fromkeys(keys_twice(raw))
    for digest in raw:
        if digest.lower() in seen:
            twice[digest] = None
        seen.add(digest.lower())
    return [say("E097" if fixity else "E096", where, found=digest) for digest in twice]


def _malformed(block: Mapping[str, list[str]], where: str, algorithm: str, *, fixity: bool) -> list[Finding]:
    if algorithm == SIZE:
        return [say("E057", where, found=size) for size in block if not _NUMBER.fullmatch(size)]
    if algorithm not in KNOWN:
        return []
    length = KNOWN[algorithm][0]
    wrong = [digest for digest in block if len(digest) != length or not _HEXADECIMAL.fullmatch(digest)]
    other = {"sha256": 128, "sha512": 64}.get(algorithm)
    if not fixity and wrong and all(len(digest) == other and _HEXADECIMAL.fullmatch(digest) for digest in wrong):
        return [say("E039", where, algorithm, digest) for digest in wrong]
    return [say(_MALFORMED.get(algorithm, "E057"), where, found=digest) for digest in wrong]


def read_fixity(raw: object, where: str) -> tuple[dict[str, dict[str, list[str]]], list[Finding]]:
    """Algorithm to digest to content paths, and what is wrong with the block."""
    if not isinstance(raw, dict):
        return {}, [say("E111", where, found=kind_of(raw))]
    findings = [say("E033", where, found=f"the key {key!r} occurs twice in fixity") for key in keys_twice(raw)]
    blocks: dict[str, dict[str, list[str]]] = {}
    for algorithm, block in raw.items():
        if not _ALGORITHM.fullmatch(algorithm):
            findings.append(say("E056", where, found=algorithm))
        elif not isinstance(block, dict):
            findings.append(say("E057", where, found=kind_of(block)))
        elif algorithm not in KNOWN and algorithm != SIZE:
            findings.append(say("O801", where, found=algorithm))
        else:
            blocks[algorithm], more = read_digest_block(block, where, algorithm, fixity=True)
            findings += more
    return blocks, findings
