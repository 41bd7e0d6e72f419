"""Write the rule cases of `tests/format` as a suite of small packages with the verdicts they should get.

`python scripts/package_suite.py FOLDER` writes a folder for each case and `verdicts.json` beside them: the code that
has to be found, the rule it stands for, and whether the package is valid. `--compare` prints docs/verdicts.md, which
holds these verdicts against those of bagit-python and ocfl-py, with the rule where they differ.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from muniment.content.findings import FINDINGS
from muniment.content.findings.rules import rule_of
from muniment.validation import validate_path

# By their folder: a package of the name `tests` may be installed, and would be found first.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "format"))
bags: Any = importlib.import_module("bags")
objects: Any = importlib.import_module("objects")
crates: Any = importlib.import_module("crates")

_UNFIT = {"B901", "O901", "R901", "B904"}
"""About this machine or about a profile, and nothing that a package can be sent to anybody with."""
JUDGES = {"bagit": "1.9.0", "ocfl-py": "2.1.0"}
"""The reference tools, and the versions whose verdicts the page tells."""

README = """# Rule cases for validators of BagIt, OCFL and RO-Crate

Small packages made by hand for this purpose. Each is wrong, or at risk, in one way; `verdicts.json` is a list of them:

- `code`: what Muniment calls the case: an OCFL validation code (E, W), or one of its own (B for bags, O for OCFL,
  R for RO-Crate)
- `package`: the folder, tar or zip to judge
- `profile`: the BagIt profile it is to be held against, or null
- `valid`: whether it keeps the specification, but for what only strict validation refuses
- `severity`: `error` for a broken rule, `deviation` for one by which nothing is lost (strict validation fails),
  `warning` or `note` for what is allowed, `unknown` where a validator may have to say that it cannot tell
- `rule`, `section`: the rule in a sentence, and where it stands

A validator does well that calls valid what is valid, and refuses the others.
"""
"""What lies in the suite for those who use it."""
Verdict = dict[str, Any]


def main(arguments: list[str]) -> int:
    """Write the suite; 2 when no folder was named."""
    named = [word for word in arguments if not word.startswith("--")]
    if len(named) != 1:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    verdicts = write_suite(Path(named[0]))
    if "--compare" in arguments:
        sys.stdout.write(page(Path(named[0]), verdicts))
    return 0


def write_suite(target: Path) -> list[Verdict]:
    """The packages in the new folder `target`, and what should be found in them, as `verdicts.json` has it too."""
    verdicts = list(_write(target))
    (target / "README.md").write_text(README, "utf-8")
    (target / "verdicts.json").write_text(json.dumps(verdicts, indent=1) + "\n", "utf-8")
    return verdicts


def _write(target: Path) -> Iterator[Verdict]:
    for code in (*bags.CODES, *objects.CODES, *crates.CODES):
        if code in _UNFIT:
            continue
        folder = target / code
        folder.mkdir(parents=True)
        profile = None
        if code in bags.CODES:
            case = bags.bad_bag(code, folder)
            made, profile = case.path, case.profile
        else:
            made = objects.bad_ocfl(code, folder) if code in objects.CODES else crates.bad_crate(code, folder)
        yield {
            "code": code,
            "package": str(made.relative_to(target)),
            "profile": str(profile.relative_to(target)) if profile else None,
            "valid": not any(finding.failed for finding in validate_path(made, profile=profile)),
            "severity": str(FINDINGS[code].severity),
            "rule": FINDINGS[code].arises,
            "section": rule_of(FINDINGS[code]),
        }


def page(target: Path, verdicts: list[Verdict]) -> str:
    """The Markdown of docs/verdicts.md for a suite that lies in `target`."""
    judged = [each for each in verdicts if _is_for_both(target, each)]
    differing = [each for each in judged if each["valid"] != _is_valid_to_them(target, each)]
    words = {True: "valid", False: "not valid"}
    lines = [
        "# Verdicts beside those of the reference tools",
        "",
        "Of the rule cases that `python scripts/package_suite.py FOLDER --compare` makes, each is judged by Muniment,",
        f"bags by bagit-python {JUDGES['bagit']} and OCFL objects by ocfl-py {JUDGES['ocfl-py']} as well. On",
        f"{len(judged) - len(differing)} of {len(judged)} the verdict is the same; these differ. Storage roots, packed",
        "bags, profiles and crates are left out, for the two tools judge none of them by these commands.",
        "",
        "The suite is for other validators as well: `README.md` in FOLDER says what its `verdicts.json` tells of each",
        f"of the {len(verdicts)} packages.",
        "",
        "| case | Muniment | the reference tool | rule |",
        "| --- | --- | --- | --- |",
    ]
    for each in differing:
        rule = each["rule"] if "§" in each["rule"] or not each["section"] else f"{each['rule']} {each['section']}."
        lines.append(f"| {each['code']} | {words[each['valid']]} | {words[not each['valid']]} | {rule} |")
    return "\n".join(lines) + "\n"


def _is_for_both(target: Path, verdict: Verdict) -> bool:
    others = verdict["code"] in crates.CODES or verdict["code"] in objects.ROOTS or verdict["profile"]
    return not others and (target / verdict["package"]).is_dir()


def _is_valid_to_them(target: Path, verdict: Verdict) -> bool:
    """What the reference tool's own command would say; whatever it raises is its way of saying no."""
    place = str(target / verdict["package"])
    logging.disable(logging.CRITICAL)
    try:
        if verdict["code"] in bags.CODES:
            importlib.import_module("bagit").Bag(place).validate()
            return True
        judge = importlib.import_module("ocfl.validator").Validator(log_warnings=False, log_errors=False)
        return bool(judge.validate_object(place))
    except Exception:  # noqa: BLE001 - a traceback is no verdict of validity either
        return False
    finally:
        logging.disable(logging.NOTSET)


def judges_installed() -> bool:
    """Whether the reference tools are here in the versions that the page tells of."""
    try:
        return all(importlib.metadata.version(name) == version for name, version in JUDGES.items())
    except importlib.metadata.PackageNotFoundError:
        return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
