"""Write the rule cases of `tests/format` as a suite of small bags and OCFL objects with the verdicts they should get.

`python scripts/package_suite.py FOLDER` writes a folder for each case and `verdicts.json` beside them: the code that
has to be found, the rule it stands for, and whether the package is valid. `--compare` prints a table of what
bagit.py and ocfl-validate.py say of each, with the rule where that differs.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from muniment.content.findings import FINDINGS
from muniment.validation import validate_path

# By their folder: a package of the name `tests` may be installed, and would be found first.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "format"))
bags: Any = importlib.import_module("bags")
objects: Any = importlib.import_module("objects")

_PROGRAMS = {"bag": ("bagit.py", "--validate", "--quiet"), "ocfl": ("ocfl-validate.py", "--very-quiet")}
_UNFIT = {"B901", "O901", "B904"}
"""About this machine or about a profile, and nothing that a package can be sent to anybody with."""


def main(arguments: list[str]) -> int:
    """Write the suite; 2 when no folder was named."""
    named = [word for word in arguments if not word.startswith("--")]
    if len(named) != 1:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    verdicts = list(_write(Path(named[0])))
    (Path(named[0]) / "verdicts.json").write_text(json.dumps(verdicts, indent=1) + "\n", "utf-8")
    if "--compare" in arguments:
        _compare(Path(named[0]), verdicts)
    return 0


def _write(target: Path) -> list[dict[str, object]]:
    verdicts: list[dict[str, object]] = []
    for code in (*bags.CODES, *objects.CODES):
        if code in _UNFIT:
            continue
        folder = target / code
        folder.mkdir(parents=True)
        profile = None
        if code in bags.CODES:
            case = bags.bad_bag(code, folder)
            made, profile = case.path, case.profile
        else:
            made = objects.bad_ocfl(code, folder)
        valid = not any(finding.failed for finding in validate_path(made, profile=profile))
        verdicts.append(
            {
                "code": code,
                "package": str(made.relative_to(target)),
                "profile": str(profile.relative_to(target)) if profile else None,
                "valid": valid,
                "rule": FINDINGS[code].arises,
            }
        )
    return verdicts


def _compare(target: Path, verdicts: list[dict[str, object]]) -> None:
    print("| case | Muniment | the reference tool | rule where they differ |\n| --- | --- | --- | --- |")
    for each in verdicts:
        if each["profile"] or not (target / str(each["package"])).is_dir():
            continue
        kind = "bag" if str(each["code"]).startswith("B") else "ocfl"
        program, *options = _PROGRAMS[kind]
        command = [str(Path(sys.executable).parent / program), *options, str(target / str(each["package"]))]
        theirs = subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0
        words = {True: "valid", False: "not valid"}
        rule = "" if theirs == each["valid"] else each["rule"]
        print(f"| {each['code']} | {words[bool(each['valid'])]} | {words[theirs]} | {rule} |")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
