"""The reference page of findings: for each code its rule in the specification, an example, and what to do.

Examples are what validation says of the rule cases in `tests/format`, so they cannot be made up. Those of Muniment's
own findings, whose cases need whole archives, are the sentence of the table with the particulars given here.
"""

from __future__ import annotations

import importlib
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from muniment.content import Finding
from muniment.content.findings import FINDINGS, Kind
from muniment.content.findings.remedies import REMEDIES
from muniment.content.findings.rules import rule_of
from muniment.validation import validate_path

# By their folder: a package of the name `tests` may be installed, and would be found first.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "format"))
bags: Any = importlib.import_module("bags")
objects: Any = importlib.import_module("objects")
crates: Any = importlib.import_module("crates")

_LONGEST = 200
_DIGEST = re.compile("[0-9a-f]{40,}")
_OBJECT = "objects/3f2/a0c/muniment%3amain%2fmain%2fcar"
_CONTENT = f"{_OBJECT}/v1/content/data/a.txt"
_ONE, _OTHER = "sha256:b6a98d9c…0b51060", "sha256:ca978112…48ee48bb"
_OWN: dict[str, tuple[str, str, str]] = {
    "M101": (_CONTENT, _ONE, _OTHER),
    "M102": (_CONTENT, _ONE, ""),
    "M103": (_CONTENT, "6", "5"),
    "M104": (_CONTENT, "", "Input/output error"),
    "M105": (f"{_OBJECT}/stray", "", ""),
    "M106": (_CONTENT, "", "a symbolic link"),
    "M107": (_CONTENT, "", "repaired/b6/a9/b6a98d9c…0b51060"),
    "M108": (_CONTENT, "compliance until 2036-01-31T12:00:00Z", "no lock"),
    "M109": (_CONTENT, "one version", "a mark that it was deleted"),
    "M201": (f"{_OBJECT}/v1", _ONE, _OTHER),
    "M202": ("muniment.json", "", "it is not JSON"),
    "M203": (f"{_OBJECT}/inventory.json", "v2", "that of v1"),
    "M301": ("events/00000000/000000000001.jsonl, line 7", "9c1e…", "41aa…"),
    "M302": ("events/00000000/000000000001.jsonl", "", ""),
    "M303": (f"{_OBJECT}/v1", "sha512:40b2…", "sha512:77fe…"),
    "M304": (_OBJECT, "its ingestion", ""),
    "M305": (f"{_OBJECT}/v1", "", ""),
    "M306": ("events/00000000/000000000001.jsonl", "", "line 7 differs"),
    "M307": (f"{_OBJECT}/v2", "event 41 with the hash 9c1e…", "41aa…"),
    "M308": ("event 41", "9c1e…", "41aa…"),
    "M401": (f"{_OBJECT}/v1", "parity/packs", ""),
    "M402": ("parity/files/b6/a9/b6a98d9c….par2", _ONE, _OTHER),
    "M403": ("parity/files/b6/a9/b6a98d9c….par2", "", ""),
    "M501": ("staging/open/0197…", "", "2026-01-31T12:00:00Z"),
    "M502": ("staging/quarantine/0197…", "", "it is in nobody's records"),
    "M601": ("data/aux.txt", "", "is reserved on Windows"),
    "M701": ("car", "2 instances", "1 instance"),
}
_FAMILIES = (
    ("M", "Muniment's own", "What an audit of an archive says."),
    ("E", "OCFL: errors", "The codes of the OCFL 1.1 specification, each a MUST."),
    ("W", "OCFL: warnings", "The codes of the OCFL 1.1 specification, each a SHOULD."),
    ("O", "OCFL: beside the specification's codes", "What the specification has no code for."),
    ("B", "BagIt", "RFC 8493 gives no codes, so these are Muniment's."),
    ("R", "RO-Crate", "RO-Crate 1.2 gives no codes, so these are Muniment's."),
)


def findings() -> str:
    """The page, family by family."""
    examples = dict(_examples())
    lines = [
        "# Findings",
        "",
        "What a check can say: `muniment audit` and `muniment validate` give these codes. An *error* is damage or a",
        "broken rule and *unknown* means that the check could not be made; both make the check fail. A *deviation* is",
        "against a rule too, but loses nothing: only `--strict` makes it fail. A *warning* and a *note* never do.",
        "In the messages `{where}`, `{expected}` and `{found}` stand for the particulars.",
    ]
    for letter, title, words in _FAMILIES:
        lines += ["", f"## {title}", "", words]
        for kind in FINDINGS.values():
            if kind.code.startswith(letter):
                lines += ["", *_section(kind, examples[kind.code])]
    return "\n".join(lines)


def _section(kind: Kind, example: str) -> Iterator[str]:
    yield f"### {kind.code}"
    yield ""
    yield f"*{kind.severity.capitalize()}*: `{kind.template}`"
    yield ""
    yield f"- When: {_plain(kind.arises)}"
    yield f"- Rule: {_plain(rule_of(kind) or 'none of a specification; a rule of Muniment.')}"
    yield f"- Example: `{example}`"
    yield f"- What to do: {REMEDIES[kind.code]}"


def _plain(text: str) -> str:
    return text.replace("<", "&lt;").replace("*", "\\*")


def _examples() -> Iterator[tuple[str, str]]:
    for code, particulars in _OWN.items():
        yield code, Finding(FINDINGS[code], *particulars).message
    with tempfile.TemporaryDirectory() as name:
        for code in (*bags.CODES, *objects.CODES, *crates.CODES):
            folder = Path(name) / code
            folder.mkdir()
            yield code, _told(code, folder)


def _told(code: str, folder: Path) -> str:
    """What is said of the case for a code, without the place where it was made."""
    if code in bags.CODES:
        case = bags.bad_bag(code, folder)
        found = validate_path(case.path, profile=case.profile)
    elif code in objects.CODES:
        found = validate_path(objects.bad_ocfl(code, folder))
    else:
        found = validate_path(crates.bad_crate(code, folder))
    message = next(finding.message for finding in found if finding.code == code)
    told = _DIGEST.sub(lambda digest: f"{digest[0][:8]}…", message.replace(f"{folder}/", "").replace("`", "'"))
    return told if len(told) <= _LONGEST else f"{told[:_LONGEST]}…"
