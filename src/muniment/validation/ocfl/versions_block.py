"""The versions block of an inventory: what each version says of itself (OCFL 1.1 §3.5.3)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from muniment.content import Finding
from muniment.validation.findings import kind_of, say
from muniment.validation.ocfl.head_keys import is_uri
from muniment.validation.ocfl.jsontext import keys_twice
from muniment.validation.ocfl.logical_paths import check_state

_CREATED = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d):(\d\d)(?:\.\d+)?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)", re.ASCII
)
_LEAP_SECOND = 60
_KEYS = {"created", "state", "message", "user"}


@dataclass(slots=True)
class Version:
    """One version block; `state` is None when it could not be read."""

    name: str
    created: object = None
    message: object = None
    user: object = None
    state: Mapping[str, list[str]] | None = None
    """Digest as spelt to logical paths."""


def read_versions(
    raw: dict[str, object], where: str, manifest: Mapping[str, list[str]] | None
) -> tuple[dict[str, Version] | None, list[Finding]]:
    """Name to version and what is wrong with the block; None when there is no block to read."""
    if "versions" not in raw:
        return None, [say("E043", where)]
    block = raw["versions"]
    if not isinstance(block, dict):
        return None, [say("E045", where, found=kind_of(block))]
    findings = [say("E033", where, found=f"the version {key!r} occurs twice") for key in keys_twice(block)]
    if not block:
        findings.append(say("E008", where))
    versions = {}
    for name, value in block.items():
        place = f"{where}: {name}"
        if not isinstance(value, dict):
            findings.append(say("E047", place, found=kind_of(value)))
            versions[name] = Version(name)
            continue
        versions[name] = Version(name, value.get("created"), value.get("message"), value.get("user"))
        findings += _values(value, place)
        if "state" in value:
            versions[name].state, more = check_state(value["state"], place, manifest)
            findings += more
    return versions, findings


def _values(value: dict[str, object], place: str) -> Iterator[Finding]:
    for key in keys_twice(value):
        yield say("E033", place, found=f"the key {key!r} occurs twice")
    for key in value:
        if key not in _KEYS:
            yield say("E102", place, found=key)
    for key in ("created", "state"):
        if key not in value:
            yield say("E048", place, expected=key)
    if "created" in value and not is_time(value["created"]):
        yield say(
            "E049", place, found=value["created"] if isinstance(value["created"], str) else kind_of(value["created"])
        )
    if "message" in value and not isinstance(value["message"], str):
        yield say("E094", place, found=kind_of(value["message"]))
    for key in ("message", "user"):
        if key not in value:
            yield say("W007", place, expected=key)
    if "user" in value:
        yield from _user(value["user"], place)


def _user(user: object, place: str) -> Iterator[Finding]:
    if not isinstance(user, dict):
        yield say("E054", place, found=kind_of(user))
        return
    name, address = user.get("name"), user.get("address")
    if not isinstance(name, str) or not name:
        yield say("E054", place, found="without a name")
    for key in user:
        if key not in {"name", "address"}:
            yield say("E102", place, found=f"user.{key}")
    if "address" not in user:
        yield say("W008", place)
    elif not isinstance(address, str) or not is_uri(address):
        yield say("W009", place, found=address if isinstance(address, str) else kind_of(address))


def is_time(value: object) -> bool:
    """Whether `value` is an RFC 3339 time with seconds and zone; a leap second is one."""
    match = _CREATED.fullmatch(value) if isinstance(value, str) else None
    if not match or int(match[3]) > _LEAP_SECOND:
        return False
    try:
        datetime.fromisoformat(f"{match[1]}T{match[2]}:00+00:00")
    except ValueError:
        return False
    return True
