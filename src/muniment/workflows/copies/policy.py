"""What a project asks of its copies: on which stores, in which layout, how protected and how often verified.

```toml
verify = "30d"            # how often the archive itself is checked
repair = true             # repair what is found damaged without being asked
keep = "compliance 10y"   # retention of every new instance; purges then take two people

[[copies]]
store = "vault"
layout = "ocfl"           # or "bag": one tar for each instance
redundancy = 10           # percent of parity beside a tar
lock = "governance 1y"
verify = "90d"
```
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from muniment.content.durations import parse_duration
from muniment.content.identity import check_project
from muniment.content.locks import LockRule, parse_lock
from muniment.errors.base import BadInput, MunimentError
from muniment.errors.copies import BadPolicy

EVERY_PROJECT = "*"
"""The policy of projects that have none of their own."""
LONGEST = 64 << 10
"""Bytes of a policy: it is kept in the log."""

CopyLayout = Literal["ocfl", "bag"]
_LAYOUTS: tuple[CopyLayout, ...] = ("ocfl", "bag")
_BY_OTHERS = {
    "registration": "containers of OSF are registered in MUNIMENT_REGISTRATION_STORES",
    "preservation": "scanned objects are sent by the distillery's own settings",
}
_RULES = frozenset({"store", "layout", "redundancy", "lock", "verify", "read_back"})
_FIELDS = frozenset({"verify", "repair", "keep", "copies"})
DEFAULT_CADENCE = 90 * 86400.0


@dataclass(frozen=True, slots=True)
class CopyRule:
    """One copy that is asked for. `redundancy` is in percent, `verify` in seconds between two verifications.

    Without `read_back`, a store's own comparison of checksums is enough when a copy is made.
    """

    store: str
    layout: CopyLayout
    redundancy: int = 5
    lock: LockRule | None = None
    verify: float = DEFAULT_CADENCE
    read_back: bool = True


@dataclass(frozen=True, slots=True)
class Policy:
    """What one project asks for. `verify` is the cadence of the archive itself, in seconds."""

    project: str
    text: str
    copies: tuple[CopyRule, ...] = ()
    verify: float = DEFAULT_CADENCE
    repair: bool = True
    keep: LockRule | None = None


def parse_policy(project: str, text: str) -> Policy:
    """A policy from its TOML.

    Raises:
        BadPolicy: It cannot be read, asks for what there is not, or twice for the same.
        BadProject: `project` is neither a project nor `*`.
    """
    if project != EVERY_PROJECT:
        check_project(project)
    if len(text.encode()) > LONGEST:
        raise BadPolicy(project=project, reason=f"it has more than {LONGEST} bytes")
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadPolicy(project=project, reason=f"it is not TOML: {error}") from error
    try:
        _only(given, _FIELDS, "a policy")
        rules = tuple(_rule(each) for each in _typed(given, "copies", list, []))
        keep = _lock(given, "keep")
        verify = parse_duration(_typed(given, "verify", str, "90d"))
        policy = Policy(project, text, rules, verify, _typed(given, "repair", bool, True), keep)  # noqa: FBT003 - a default
    except BadPolicy:
        raise
    except (MunimentError, ValueError) as error:
        raise BadPolicy(project=project, reason=str(error).removesuffix(".")) from error
    places = [(rule.store, rule.layout) for rule in rules]
    if len(set(places)) != len(places):
        raise BadPolicy(project=project, reason="it asks twice for the same layout in the same store")
    return policy


def _rule(given: object) -> CopyRule:
    if not isinstance(given, dict):
        raise ValueError("each of `copies` is a table with `store` and `layout`")  # noqa: TRY004 - as all of a policy
    _only(given, _RULES, "a copy")
    layout = _typed(given, "layout", str, "ocfl")
    if layout in _BY_OTHERS:
        raise ValueError(f"the layout {layout!r} is not for policies: {_BY_OTHERS[layout]}")
    chosen = next((each for each in _LAYOUTS if each == layout), None)
    if chosen is None:
        raise ValueError(f"there is no layout {layout!r}; there are {' and '.join(_LAYOUTS)}")
    redundancy = _typed(given, "redundancy", int, 5)
    if not 0 <= redundancy <= 100:  # noqa: PLR2004 - percent
        raise ValueError(f"a redundancy of {redundancy} is not between 0 and 100 percent")
    store = _typed(given, "store", str, "")
    if not store:
        raise ValueError("a copy names no `store`")
    cadence = parse_duration(_typed(given, "verify", str, "90d"))
    read_back = _typed(given, "read_back", bool, True)  # noqa: FBT003 - a default
    return CopyRule(store, chosen, redundancy, _lock(given, "lock"), cadence, read_back)


def _lock(given: Mapping[str, object], name: str) -> LockRule | None:
    text = _typed(given, name, str, "")
    if not text:
        return None
    try:
        return parse_lock(text)
    except BadInput as error:
        raise ValueError(f"`{name}`: {error.message}") from error


def _only(given: Mapping[str, object], known: frozenset[str], what: str) -> None:
    if unknown := sorted(given.keys() - known):
        raise ValueError(f"{what} has no `{unknown[0]}`; there are {', '.join(sorted(known))}")


def _typed(given: Mapping[str, object], name: str, kind: type, default: object) -> Any:
    value = given.get(name, default)
    if type(value) is not kind:
        raise ValueError(f"`{name}` is not {_KINDS[kind]}")
    return value


_KINDS = {str: "a text", int: "a whole number", bool: "true or false", list: "a list of tables"}
