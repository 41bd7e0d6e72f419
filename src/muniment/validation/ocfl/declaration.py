"""The declaration of an object or a storage root: one Namaste file (OCFL 1.1 §3.2 and §4.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from muniment.content import Finding
from muniment.validation.findings import say, why
from muniment.validation.ocfl.head_keys import SPECS
from muniment.validation.ocfl.jsontext import TooLarge, read_bounded
from muniment.validation.tree import Tree

_LARGEST = 1024
_SPECIFICATION = re.compile(r"ocfl_[0-9.]+\.(txt|md|html?|pdf)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Codes:
    """The codes of one place: an object's and a root's rules are the same under other names."""

    prefix: str
    not_file: str
    count: str
    none: str
    no_equals: str
    not_zero: str
    other_value: str
    text: str


_OBJECT = _Codes("ocfl_object_", "E002", "E003", "E003", "E004", "E005", "E006", "E007")
_ROOT = _Codes("ocfl_", "E075", "E076", "E069", "E077", "E078", "E079", "E080")


def object_declaration(tree: Tree) -> tuple[str | None, set[str], list[Finding]]:
    """The declared version, the names that count as declarations, and what is wrong with them."""
    return _read(tree, _OBJECT)


def root_declaration(tree: Tree) -> tuple[str | None, set[str], list[Finding]]:
    """As `object_declaration`, for a storage root."""
    return _read(tree, _ROOT)


def _read(tree: Tree, codes: _Codes) -> tuple[str | None, set[str], list[Finding]]:
    findings: list[Finding] = []
    looks = re.compile(rf"0=.*|[^=]*=?{codes.prefix}[0-9].*", re.DOTALL)
    names = {name for name in tree.inside("") if looks.fullmatch(name) and not _is_specification(name)}
    good: list[str] = []
    for name in sorted(names):
        if name in tree.folders or name in tree.specials:
            findings.append(say(codes.not_file, name, found=tree.specials.get(name, "a folder")))
        elif "=" not in name:
            findings.append(say(codes.no_equals, name))
        elif not name.startswith("0="):
            findings.append(say(codes.not_zero, name))
        elif name not in _allowed(codes):
            findings.append(say(codes.other_value, name, " or ".join(_allowed(codes))))
        elif name in tree.files:
            good.append(name)
            findings += _text(tree, name, codes)
    if len(good) != 1:
        findings.append(say(codes.count if good else codes.none, "the folder", found=len(good) or "no"))
    return (_allowed(codes)[good[-1]] if good else None), names, findings


def _is_specification(name: str) -> bool:
    """Whether it is a copy of the specification, as a storage root should hold one: ocfl_1.1.md (§4.1)."""
    return bool(_SPECIFICATION.fullmatch(name))


def _allowed(codes: _Codes) -> Mapping[str, str]:
    return {f"0={codes.prefix}{spec}": spec for spec in SPECS}


def _text(tree: Tree, name: str, codes: _Codes) -> list[Finding]:
    expected = f"{name.removeprefix('0=')}\n"
    try:
        data = read_bounded(tree.path(name), _LARGEST)
    except TooLarge as error:
        return [say(codes.text, name, expected, f"{error} bytes")]
    except (OSError, ValueError) as error:
        return [say("O901", name, found=why(error))]
    if data != expected.encode():
        return [say(codes.text, name, expected, data.decode("utf-8", "backslashreplace"))]
    return []
